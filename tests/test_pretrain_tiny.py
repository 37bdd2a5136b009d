"""The tiny encoder: its training command, the writing of Hugging Face folders, and the file that ships."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from experiments import pretrain_tiny
from memjax.datasets.demo import SEED, stimuli
from memjax.models import export, families, hub, port, read_checkpoint
from memjax.models.config import DecoderConfig, ViTConfig
from memjax.models.mae import init_decoder
from memjax.models.vit import ViTParams, init_vit
from tests.command import exit_code

SMALL = ViTConfig(
    family="vit_mae",
    width=12,
    depth=3,
    heads=3,
    mlp_width=20,
    patch=5,
    image=(15, 15),
    pool="cls",
    pool_width=12,
    decoder=DecoderConfig(width=8, depth=2, heads=2, mlp_width=9, mask_ratio=0.6, norm_pix_loss=True),
)
"""All sizes different, so that no transposed axis passes."""


def random_params(config: ViTConfig, seed: int = 3) -> ViTParams:
    """Fresh parameters with every leaf random: zeros and ones would hide an exchange."""
    params = init_vit(jax.random.key(0), config).replace(decoder=init_decoder(jax.random.key(1), config))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), params)


def pretrain(monkeypatch, *arguments: object) -> int:
    return exit_code(monkeypatch, pretrain_tiny, *arguments)


def test_a_written_state_fills_the_same_parameters():
    params = random_params(SMALL)
    keys = families.FAMILIES["vit_mae"].keys
    again = port.fill(SMALL, export.to_state(params), keys, "round trip")
    assert jax.tree.structure(params) == jax.tree.structure(again)
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(again)):
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))


def test_a_written_folder_reads_as_the_same_encoder(tmp_path):
    export.write_folder(tmp_path / "made", random_params(SMALL), SMALL, pretrain_tiny.PROCESSOR, dtype="float32")
    loaded = read_checkpoint(str(tmp_path / "made"))
    assert loaded.config == SMALL
    assert loaded.processor == pretrain_tiny.PROCESSOR
    np.testing.assert_array_equal(loaded.params.blocks.mlp.up.kernel, random_params(SMALL).blocks.mlp.up.kernel)


def test_only_a_masked_autoencoder_can_be_written():
    for config in (dataclasses.replace(SMALL, decoder=None), dataclasses.replace(SMALL, family="dinov2")):
        with pytest.raises(ValueError, match="expected a vit_mae with a decoder"):
            export.to_config(config)


def test_the_trivial_loss_is_that_of_standardised_patches():
    """Variance over 192 numbers with ddof 1: the mean square is 191/192."""
    pixels = np.random.default_rng(5).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    assert pretrain_tiny.trivial_loss(pixels) == pytest.approx(191 / 192, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "--steps"),
        (["--stimuli", "256"], "stimuli over 256"),
        (["--batch-size", "many"], "batch-size"),
        (["--stimuli", "300", "--steps", "1", "--lnsim", "nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_wrong_input_is_one_line(monkeypatch, capsys, tmp_path, arguments, words):
    assert pretrain(monkeypatch, *arguments, "--out", tmp_path / "out") == 2
    message = capsys.readouterr().err.strip()
    assert words in message
    assert len(message.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told_before_the_training(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(pretrain_tiny, "train", lambda *inputs: pytest.fail("too late"))
    assert pretrain(monkeypatch, "--stimuli", "300", "--steps", "1", "--out", tmp_path / "file" / "below") == 2
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_is_deterministic_and_learns(monkeypatch, capsys, tmp_path):
    for name in ("one", "two"):
        run = ["--stimuli", 300, "--steps", 4, "--batch-size", 8, "--out", tmp_path / name]
        with jax.numpy_dtype_promotion("standard"):  # optax mixes its step count with float32
            assert pretrain(monkeypatch, *run) == 0
    assert "held-out loss" in capsys.readouterr().out
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    config = memjax.load(str(tmp_path / "one")).config
    assert config == pretrain_tiny.CONFIG


def test_what_ships_is_small_and_is_what_the_command_makes():
    folder = hub.locate(hub.TINY).folder
    assert sum(f.stat().st_size for f in folder.iterdir()) < 4 * 2**20
    loaded = read_checkpoint(hub.TINY)
    assert loaded.config == pretrain_tiny.CONFIG
    assert loaded.processor == pretrain_tiny.PROCESSOR
    assert 0.5e6 < sum(x.size for x in jax.tree.leaves(loaded.params)) < 2e6
    assert Path(folder / "README.md").is_file()
    assert json.loads((folder / "config.json").read_text())["model_type"] == "vit_mae"


def fresh_losses() -> tuple[float, float, float]:
    """Ours, of patch means, of the visible colour: on stimuli of a seed used neither in training nor in the demo."""
    params = jax.tree.map(jnp.asarray, read_checkpoint(hub.TINY).params)
    fresh, key = stimuli(64, seed=SEED + 777), jax.random.key(9)
    ours = float(jax.jit(pretrain_tiny.loss_of)(params, jnp.asarray(fresh), key))
    return ours, pretrain_tiny.trivial_loss(fresh), pretrain_tiny.colour_loss(fresh, key)


def test_what_ships_predicts_better_than_patch_means():
    ours, patch_means, _ = fresh_losses()
    assert ours < 0.6 * patch_means


def test_what_ships_predicts_better_than_the_visible_colour():
    ours, _, visible_colour = fresh_losses()
    assert ours < 0.95 * visible_colour
