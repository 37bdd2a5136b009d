"""Transcoders after training: what their methods take, and what becomes of them in a folder."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import sae
from memjax.causes.latent_measuring import editable
from memjax.checks import InputError
from memjax.edits import EditLatent
from memjax.sae.folding import fold, raw_standardiser, unfold
from memjax.sae.saelens import CFG, OWN
from memjax.sae.writing import CARD, KEPT
from tests.saes_made import OUT, TRANSCODED, D, leaves_close, made_sae, made_transcoder, vectors


def targets(one: sae.TrainedSAE, n: int = 60) -> np.ndarray:
    z = np.random.default_rng(7).normal(size=(n, OUT))
    return (z * one.target_standardiser.std + one.target_standardiser.mean).astype(np.float32)


@pytest.mark.parametrize("variant", TRANSCODED)
def test_what_is_saved_comes_back(variant: str, tmp_path: Path) -> None:
    one = made_transcoder(variant)
    x, y = vectors(one), targets(one)
    found = sae.load(sae.save(one, tmp_path))
    leaves_close(found, one, rtol=1e-6)
    assert (found.config, found.origin) == (one.config, one.origin)
    np.testing.assert_allclose(found.encode(x), one.encode(x), atol=1e-6)
    np.testing.assert_allclose(found.score(x, y).error, one.score(x, y).error, rtol=1e-5)
    assert (np.asarray(one.encode(x)) > 0).any()


@pytest.mark.parametrize("variant", TRANSCODED)
def test_the_folded_weights_alone_give_the_same(variant: str, tmp_path: Path) -> None:
    one = made_transcoder(variant, seed=3)
    x, y = vectors(one), targets(one)
    folder = sae.save(one, tmp_path)
    (folder / KEPT).unlink()
    cfg = json.loads((folder / CFG).read_text())
    del cfg["sha256"]
    (folder / CFG).write_text(json.dumps(cfg))
    assert (cfg["d_out"], cfg["apply_b_dec_to_input"]) == (OUT, False)
    found = sae.load(folder)
    assert found.config.saelens == one.config.saelens == cfg["architecture"]
    np.testing.assert_allclose(found.encode(x), one.encode(x), atol=1e-4)
    np.testing.assert_allclose(found.reconstruct(x), one.reconstruct(x), atol=1e-3)
    raw = ((np.asarray(found.reconstruct(x)) - y) ** 2).sum(1)
    np.testing.assert_allclose(found.score(x, y).error, raw, rtol=1e-4)
    assert found.origin.target_place == "blocks.4.hook_mlp_out"
    assert found.origin.trained_as == variant


@pytest.mark.parametrize("variant", TRANSCODED)
def test_folding_is_undone(variant: str) -> None:
    one = made_transcoder(variant)
    folded, config = fold(one.params, one.standardiser, one.config, one.target_standardiser)
    assert not config.pre_bias
    biases = {name: getattr(one.params, name) for name in ("b_enc", "b_dec", "b_mag")}
    back = unfold(folded, biases, one.standardiser, one.target_standardiser)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(one.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-7)


@pytest.mark.parametrize("variant", TRANSCODED)
def test_the_card_says_what_it_is_and_who_reads_it(variant: str, tmp_path: Path) -> None:
    one = made_transcoder(variant)
    card = (sae.save(one, tmp_path) / CARD).read_text()
    assert "# A transcoder of someone/encoder" in card
    assert f"decoded into targets of width {OUT} (blocks.4.hook_mlp_out)" in card
    assert "one.score(vectors, targets)" in card
    unread = f"SAELens has no `{one.config.saelens}` and does not read it"
    assert (unread in card) == (one.config.saelens in OWN) == (variant in ("topk", "gated"))


def test_its_methods_say_what_they_need() -> None:
    one, other = made_transcoder("topk"), made_sae("topk")
    x, y = vectors(one), targets(one)
    for call, match in (
        (lambda: one.score(x), "target of <TrainedSAE.*: expected its targets, got none"),
        (lambda: other.score(x, y), "expected none, got targets"),
        (lambda: one.score(x, x), r"target: expected the shape \[b, 5\], got \[60, 7\]"),
    ):
        with pytest.raises(InputError, match=match) as caught:
            call()
        assert "\n" not in str(caught.value)
    scaled = one.replace(normalisation="layer_norm", standardiser=raw_standardiser(D))
    np.testing.assert_allclose(scaled.reconstruct(3 * x), scaled.reconstruct(x), rtol=1e-3, atol=1e-3)


def test_its_latents_are_not_written_into_the_stream_that_it_reads() -> None:
    one = made_transcoder("topk")
    with pytest.raises(InputError, match="sae: expected an autoencoder, which decodes into the vectors that it reads"):
        EditLatent(one, latent=0)(jnp.int32(4), "after", jnp.asarray(vectors(one)))
    with pytest.raises(InputError, match=r"layer 4, seed 0: expected one that decodes .*, got a transcoder"):
        editable([one], [])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"architecture": "skip_transcoder"}, "architecture: expected one of standard, .* got 'skip_transcoder'"),
        ({"architecture": "jumprelu_skip_transcoder"}, "architecture: expected one of .* got 'jumprelu_skip_transc"),
        ({"apply_b_dec_to_input": True}, "apply_b_dec_to_input of a transcoder: expected false, got true"),
        ({"d_out": None}, "d_out: expected a whole number from 1 to 131072, got None"),
        ({"d_out": 8}, r"tensor W_dec: expected the shape \[13, 8\], got \[13, 5\]"),
        ({"architecture": "standard"}, "unknown fields d_out"),
        ({"architecture": "topk_transcoder"}, "k: expected a whole number"),
        ({"architecture": "jumprelu_transcoder"}, "no threshold; expected W_enc"),
    ],
)
def test_what_is_not_known_of_saelens_is_refused_by_name(changes: dict, match: str, tmp_path: Path) -> None:
    folder = sae.save(made_transcoder("relu"), tmp_path)
    cfg = json.loads((folder / CFG).read_text())
    del cfg["sha256"]
    (folder / CFG).write_text(json.dumps(cfg | changes))
    with pytest.raises(InputError, match=match) as caught:
        sae.load(folder)
    assert "\n" not in str(caught.value)
