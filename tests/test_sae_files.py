"""Autoencoders as folders: each variant written and read again, what a trained one does with vectors, what is refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memjax import sae
from memjax.checks import InputError
from memjax.sae.folding import fold, raw_standardiser, unfold
from memjax.sae.normalisation import NORMALISATIONS
from memjax.sae.origin import SAEOrigin
from memjax.sae.saelens import CFG, WEIGHTS
from memjax.sae.standardiser import standardise
from memjax.sae.variants import VARIANTS
from memjax.sae.writing import CARD, KEPT
from memjax.seals import sealed_text
from tests.saes_made import D, F, leaves_close, made_sae, vectors


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_saved_comes_back(variant: str, tmp_path: Path) -> None:
    one = made_sae(variant)
    x = vectors(one)
    found = sae.load(sae.save(one, tmp_path / "a" / "one"))
    leaves_close(found, one, rtol=1e-6)
    np.testing.assert_allclose(found.encode(x), one.encode(x), atol=1e-6)
    np.testing.assert_allclose(found.score(x).error, one.score(x).error, rtol=1e-5)
    assert (np.asarray(one.encode(x)) > 0).any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_folded_weights_alone_give_the_same_latents(variant: str, tmp_path: Path) -> None:
    """As they do when SAELens reads the folder, saves it again, and memjax reads that."""
    one = made_sae(variant, seed=3)
    x = vectors(one)
    folder = sae.save(one, tmp_path)
    (folder / KEPT).unlink()
    cfg = json.loads((folder / CFG).read_text())
    del cfg["sha256"]
    (folder / CFG).write_text(json.dumps(cfg))
    found = sae.load(folder)
    assert found.config.row.saelens == one.config.row.saelens
    np.testing.assert_array_equal(found.standardiser.std, np.ones(D, np.float32))
    np.testing.assert_allclose(found.encode(x), one.encode(x), atol=2e-5)
    np.testing.assert_allclose(found.reconstruct(x), one.reconstruct(x), atol=1e-4)
    assert (found.encoder, found.layer) == ("someone/encoder", 4)
    assert found.origin.trained_as == variant


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), st.booleans(), st.integers(0, 50))
def test_folding_is_undone(variant: str, pre_bias: bool, seed: int) -> None:
    one = made_sae(variant, seed, pre_bias)
    folded, config = fold(one.params, one.standardiser, one.config)
    raw = one.replace(params=folded, config=config, standardiser=raw_standardiser(D))
    x = vectors(one, 10, seed)
    np.testing.assert_allclose(raw.encode(x), one.encode(x), atol=1e-4)
    biases = {name: getattr(one.params, name) for name in ("b_enc", "b_dec", "b_mag")}
    back = unfold(folded, biases, one.standardiser)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(one.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_methods_take_raw_vectors(variant: str) -> None:
    one = made_sae(variant)
    x = vectors(one)
    z = standardise(one.standardiser, jnp.asarray(x))
    out = sae.reconstruct(one.params, z, one.state, one.config)
    np.testing.assert_allclose(one.encode(x), out.latents, atol=1e-6)
    recons = np.asarray(out.recons) * one.standardiser.std + one.standardiser.mean
    np.testing.assert_allclose(one.reconstruct(x), recons, atol=1e-5)
    np.testing.assert_allclose(one.decode(np.zeros((2, F))), one.decode(np.zeros((2, F), np.float32)))
    np.testing.assert_allclose(one.score(x).error, np.asarray((z - out.recons) ** 2).sum(1), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(NORMALISATIONS) - {"none"}))
def test_each_vectors_own_scale_comes_off_and_back(name: str, rng: np.random.Generator) -> None:
    one = made_sae("relu").replace(normalisation=name, standardiser=raw_standardiser(D))
    x = rng.normal(5, 3, (9, D)).astype(np.float32)
    moved = x * np.float32(40)
    np.testing.assert_allclose(one.encode(moved), one.encode(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one.reconstruct(moved), one.reconstruct(x) * 40, rtol=1e-3, atol=1e-2)
    with pytest.raises(InputError, match=r"give the vectors that the latents are of: decode\(latents, x\)"):
        one.decode(one.encode(x))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda one: one.encode(np.zeros((2, D + 1), np.float32)), r"x: expected the shape \[b, 7\], got \[2, 8\]"),
        (lambda one: one.score(np.zeros((2, F), np.float32)), r"x: expected the shape \[b, 7\]"),
        (lambda one: one.decode(np.zeros((2, D), np.float32)), r"latents: expected the shape \[b, 13\], got \[2, 7\]"),
    ],
)
def test_vectors_of_another_width_are_refused(call: Callable, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call(made_sae("topk"))


def test_the_card_and_the_record_say_what_is_known(tmp_path: Path) -> None:
    folder = sae.save(made_sae("batchtopk"), tmp_path)
    card = (folder / CARD).read_text()
    assert card.startswith("---\nlibrary_name: memjax\n")
    for words in (
        "base_model: someone/encoder",
        "layer 4",
        "fold 2 of 3",
        "made up, 40 images",
        "architecture `jumprelu`",
    ):
        assert words in card, words
    metadata = json.loads((folder / CFG).read_text())["metadata"]
    assert metadata["hook_name"] == "blocks.3.hook_resid_post"
    assert metadata["training_architecture"] == "batchtopk"
    hostile = dataclasses.replace(made_sae("relu").origin, dataset="a\n---\n# b", encoder_id="x\ny")
    text = (sae.save(made_sae("relu").replace(origin=hostile), tmp_path) / CARD).read_text()
    assert text.count("\n---\n") == 1


def damaged(folder: Path, **changes: object) -> None:
    """A cfg.json that somebody changed by hand, seal included; of the part of memjax by ``own``."""
    cfg = json.loads((folder / CFG).read_text())
    del cfg["sha256"]
    cfg["metadata"]["memjax"] |= changes.pop("own", {})  # type: ignore[arg-type]
    (folder / CFG).write_text(sealed_text(cfg | changes))


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 64
    file.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (
            lambda f: (f / CFG).unlink(),
            "expected cfg.json and sae_weights.safetensors, or Prisma's config.json, got neither",
        ),
        (lambda f: (f / WEIGHTS).unlink(), "the folder is not whole"),
        (lambda f: (f / KEPT).unlink(), "the folder is not whole"),
        (lambda f: flipped(f / WEIGHTS), "not as it was written"),
        (lambda f: flipped(f / KEPT), "not as it was written"),
        (
            lambda f: (f / CFG).write_text((f / CFG).read_text().replace('"seed": 0', '"seed": 1')),
            "not as it was written",
        ),
        (lambda f: (f / CFG).write_text("{"), "not readable as JSON"),
        (lambda f: (f / WEIGHTS).write_bytes(b"12345678{"), "not a whole safetensors file"),
        (lambda f: damaged(f, own={"version": 99}), "version: expected 1, got 99; read it with the version"),
        (lambda f: damaged(f, own={"layer": "last"}), "metadata: expected what memjax wrote"),
        (lambda f: damaged(f, own={"origin": {"images": "many"}}), "metadata: expected what memjax wrote"),
        (lambda f: damaged(f, own={"config": {"width": 9}}), "metadata: expected what memjax wrote"),
        (
            lambda f: damaged(f, own={"config": {"width": D, "latents": F, "variant": "vae"}}),
            "cfg.json, SAE variant: expected",
        ),
        (lambda f: damaged(f, own={"normalisation": "whiten"}), "a normalisation that is not known"),
        (lambda f: damaged(f, metadata="mine"), "metadata: expected what memjax wrote"),
        (lambda f: damaged(f, d_in=2**40), r"d_in: expected a whole number from 1 to 131072, got 1099511627776"),
    ],
)
def test_a_damaged_folder_is_refused_in_a_line(damage: Callable[[Path], None], match: str, tmp_path: Path) -> None:
    folder = sae.save(made_sae("topk"), tmp_path)
    damage(folder)
    with pytest.raises(InputError, match=match) as caught:
        sae.load(folder)
    assert "\n" not in str(caught.value)


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty one, or one with an autoencoder"):
        sae.save(made_sae("topk"), tmp_path)
    with pytest.raises(InputError, match="nothing there"):
        sae.load(tmp_path / "nowhere")


@pytest.mark.parametrize("left", [(WEIGHTS,), (WEIGHTS, f"{KEPT}.part"), (WEIGHTS, KEPT, CARD, f"{CFG}.part")])
def test_a_write_that_was_interrupted_is_written_again(left: tuple[str, ...], tmp_path: Path) -> None:
    for name in left:
        (tmp_path / name).write_bytes(b"half")
    one = made_sae("topk")
    leaves_close(sae.load(sae.save(one, tmp_path)), one, rtol=1e-6)


@pytest.mark.parametrize("known", [{}, {"epochs": 3}, {"explained_variance": 0.5, "dead_fraction": 0.0}, {"rho": 0.1}])
def test_the_card_says_no_more_than_is_known(known: dict[str, float], tmp_path: Path) -> None:
    origin = SAEOrigin.from_json(known)
    folder = sae.save(made_sae("relu").replace(origin=origin, encoder="", fold=None), tmp_path)
    card = (folder / CARD).read_text()
    assert "an encoder that is not named" in card
    assert "None" not in card
    assert sae.load(folder).origin == origin


def test_several_are_read_at_once(tmp_path: Path) -> None:
    for seed in (2, 0, 1):
        sae.save(made_sae("relu", seed), tmp_path / f"seed_{seed}")
    assert [one.seed for one in sae.load_all(tmp_path)] == [0, 1, 2]
    with pytest.raises(InputError, match=r"expected one, got 3 of them; name one \(.*seed_0\), or take load_all"):
        sae.load(tmp_path)
    with pytest.raises(InputError, match="got neither"):
        sae.load_all(tmp_path / "seed_0")
