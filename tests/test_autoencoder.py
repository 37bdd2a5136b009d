"""The VGG-16 autoencoder: against its definition in NumPy, in training, over a data set, interrupted, and given wrongly."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.signal
from safetensors.numpy import save_file

from memjax.baselines import autoencoder_weights
from memjax.baselines.autoencoder import encode_image, reconstruct_image, seeded_decoder
from memjax.baselines.autoencoder_weights import load_autoencoder
from memjax.baselines.exposure import begin, expose, score_exposed
from memjax.baselines.held_out import splits
from memjax.checks import InputError
from memjax.cli import baselines as command
from memjax.datasets import open_folder
from memjax.images import image_levels
from memjax.outputs import read_run
from memjax.pipelines import exposures
from memjax.pipelines.autoencoder import measure_autoencoder
from memjax.pipelines.autoencoder_settings import AutoencoderSettings
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.rival_entries import rivals_in_all
from tests.command import exit_code
from tests.exposed import WIDTHS, make_images, random_state, save_random

SMALL = AutoencoderSettings(image_size=32, learning_rate=1e-3)
FEW = BaselineSettings(folds=2, bootstraps=20)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A narrow autoencoder's file, and a reader that expects its widths."""
    monkeypatch.setattr(autoencoder_weights, "BLOCKS", WIDTHS)
    return save_random(tmp_path / "autoencoder.safetensors")


@pytest.fixture
def params(weights):
    return load_autoencoder(weights).params


@pytest.fixture
def dataset(tmp_path):
    return open_folder(make_images(tmp_path), tmp_path / "scores.csv")


def by_definition(state, image, training=False):
    """Latent and reconstruction in NumPy, channels first, convolutions by SciPy."""

    def convolve(key, x):
        kernel, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        planes = [sum(scipy.signal.correlate2d(p, k, "same") for p, k in zip(x, one, strict=True)) for one in kernel]
        return np.stack(planes) + bias[:, None, None]

    def norm(key, x):
        scale, offset, mean, variance = (
            state[f"{key}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        if training:
            mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        return (x - mean) / np.sqrt(variance + 1e-5) * scale + offset

    x = image.transpose(2, 0, 1).astype(np.float64)
    for number, block in enumerate(WIDTHS, 1):
        for i in range(len(block)):
            key = f"encoder.conv{number}.{i} EncoderLayer.layer"
            x = np.maximum(norm(f"{key}.1", convolve(f"{key}.0", x)), 0)
        x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))
    latent = x
    for number, block in enumerate(reversed(WIDTHS), 1):
        kernel, bias = (state[f"decoder.conv{number}.0 UpSampling.{part}"] for part in ("weight", "bias"))
        up = sum(np.kron(x[i][None], kernel[i]) for i in range(len(x)))
        x = up + bias[:, None, None]
        for i in range(1, len(block) + 1):
            key = f"decoder.conv{number}.{i} DecoderLayer.layer"
            x = convolve(f"{key}.2", np.maximum(norm(f"{key}.0", x), 0))
    return latent.transpose(1, 2, 0), 1 / (1 + np.exp(-x.transpose(1, 2, 0)))


@pytest.mark.parametrize("training", [False, True])
def test_encoder_and_decoder_are_their_definition(params, rng, training) -> None:
    image = rng.uniform(size=(32, 48, 3)).astype(np.float32)
    found = jax.jit(reconstruct_image, static_argnums=2)(params, image, training)
    latent, made = by_definition(random_state(), image, training)
    assert found.latent.shape == (4, 6, 6)
    np.testing.assert_allclose(found.latent, latent, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(found.image, made, rtol=2e-4, atol=2e-5)


def test_running_statistics_move_by_a_tenth_and_only_in_training(params, rng) -> None:
    image = rng.uniform(size=(32, 32, 3)).astype(np.float32)
    before = params.encoder[0][0].norm
    jitted = jax.jit(encode_image, static_argnums=2)
    np.testing.assert_array_equal(jitted(params, image, False)[1].encoder[0][0].norm.mean, before.mean)
    after = jitted(params, image, True)[1].encoder[0][0].norm
    kernel = np.asarray(params.encoder[0][0].convolution.kernel)
    x = sum(
        np.stack([scipy.signal.correlate2d(image[..., i], kernel[..., i, o], "same") for o in range(4)])
        for i in range(3)
    )
    x += np.asarray(params.encoder[0][0].convolution.bias)[:, None, None]
    np.testing.assert_allclose(after.mean, 0.9 * before.mean + 0.1 * x.mean((1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after.variance, 0.9 * before.variance + 0.1 * x.var((1, 2), ddof=1), rtol=1e-4)


def test_a_decoder_from_a_seed_mirrors_its_encoder(params) -> None:
    own = [seeded_decoder(seed, params.encoder, normalised=True) for seed in (0, 0, 1)]
    shapes = [[leaf.shape for leaf in jax.tree.leaves(one.decoder)] for one in (own[0], params)]
    assert shapes[0] == shapes[1]
    one, same, other = (np.asarray(one.decoder[1].layers[1].convolution.kernel) for one in own)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    image = jnp.full((32, 32, 3), 0.25)
    given = ((np.asarray(image) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
    plain = dataclasses.replace(own[0], normalised=False)
    jitted = jax.jit(lambda params, image: encode_image(params, image)[0])
    np.testing.assert_allclose(jitted(own[0], image), jitted(plain, given), rtol=1e-4, atol=1e-5)


SCORED = jax.jit(score_exposed)
UNITS = np.arange(96, dtype=np.int32)


def test_one_step_moves_weights_by_the_rate_and_statistics_by_the_image(params, rng) -> None:
    """The gradient itself is held against torch's, in tests/parity."""
    levels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    image = levels.astype(np.float32) / np.float32(255)
    after = expose(begin(params, 1e-3), levels, jnp.float32(1e-3))
    _, made = by_definition(random_state(), image, training=True)
    assert float(after.loss) == pytest.approx(((made - image) ** 2).mean(), rel=1e-4)
    moved = jax.jit(encode_image, static_argnums=2)(params, image, True)[1].encoder[1][0].norm
    np.testing.assert_allclose(after.params.encoder[1][0].norm.mean, moved.mean, rtol=1e-4, atol=1e-6)
    kernels = [np.asarray(one.decoder[0].up.kernel) for one in (params, after.params)]
    step = np.abs(kernels[1] - kernels[0])
    np.testing.assert_allclose(step.max(), 1e-3, rtol=1e-3)
    assert np.median(step) > 0.9e-3


def test_what_is_seen_again_is_reconstructed_better(params, rng) -> None:
    images = rng.integers(0, 2, (13, 4, 4, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8) * 200
    before, kept = SCORED(params, images, UNITS), list(map(np.asarray, jax.tree.leaves(params)))
    state, losses = begin(params, 3e-3), []
    for _ in range(12):
        for one in images:
            state = expose(state, one, jnp.float32(3e-3))
            losses.append(float(state.loss))
    assert np.mean(losses[-13:]) < 0.7 * np.mean(losses[:13])
    assert SCORED(state.params, images, UNITS).pixel_error.mean() < before.pixel_error.mean()
    for was, now in zip(kept, jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(was, now)  # what it started from is as it was


def test_over_a_data_set_in_sample_and_out_of_it(weights, params, dataset, tmp_path) -> None:
    found = measure_autoencoder(dataset, weights, FEW, tmp_path / "out", progress=False, training=SMALL)
    names = ["pixel_error", "latent_error", "latent_distance"]
    assert found.table["measure"].tolist() == [*names, *(f"{name}_held_out" for name in names)]
    assert found.table["in_sample"].tolist() == [True] * 3 + [False] * 3
    assert found.table["source"].eq("vgg16_autoencoder").all()
    assert found.table["n"].eq(13).all()
    assert found.table["note"].str.contains("pretrained, 32 pixels, learning rate 0.001, 96 of 96 units").all()
    assert found.failures["image"].tolist() == ["p5.png"]
    run = read_run(tmp_path / "out")
    assert run is not None
    assert run.settings["training"]["image_size"] == 32
    kept = np.flatnonzero(dataset.table.index != "p5.png")
    pre = exposures.Exposure(dataset, params, 1e-3, 32, UNITS, 0).preprocessing
    levels = [image_levels(dataset.records[row].data, pre).pixels for row in range(14) if row != 5]
    for end, fitted, scored in [("", *(np.arange(13),) * 2), *(("_held_out", *one) for one in splits(13, 2, 0))]:
        state = begin(params, 1e-3)
        rows = kept[fitted] if end else np.arange(14)
        for row in np.random.default_rng(0).permutation(rows):
            if row != 5:
                state = expose(state, levels[int(np.searchsorted(kept, row))], jnp.float32(1e-3))
        score = SCORED(state.params, np.stack(levels), UNITS)
        x = np.asarray(score.latent, np.float64)
        apart = np.linalg.norm(x[:, None] - x[None], axis=2) + np.where(np.eye(13), np.inf, 0)
        for name, value in zip(names, (score.pixel_error, score.latent_error, apart.min(axis=1)), strict=True):
            values = found.scores[f"{name}{end}"].sel(layer=3).values
            np.testing.assert_allclose(values[scored], np.asarray(value)[scored], rtol=1e-3, err_msg=f"{name}{end}")


class Stopped(Exception):
    """In the middle of a run."""


def test_an_interrupted_run_goes_on_where_it_was(weights, dataset, tmp_path, monkeypatch) -> None:
    whole = measure_autoencoder(dataset, weights, FEW, tmp_path / "whole", progress=False, training=SMALL)

    def stop(what: str, done: int, total: int) -> None:
        if "fold 2" in what:
            raise Stopped

    with pytest.raises(Stopped):
        measure_autoencoder(dataset, weights, FEW, tmp_path / "out", progress=stop, training=SMALL)
    assert read_run(tmp_path / "out") is None
    seen: list[str] = []
    again = measure_autoencoder(
        dataset, weights, FEW, tmp_path / "out", progress=lambda what, *_: seen.append(what), training=SMALL
    )
    assert set(seen) == {"autoencoder, fold 2 of 2"}
    pd.testing.assert_frame_equal(again.table, whole.table)
    pd.testing.assert_frame_equal(again.failures, whole.failures)
    for name, values in whole.scores.items():
        np.testing.assert_array_equal(again.scores[name], values)
    other = dataclasses.replace(FEW, seed=1)
    fewer = dataclasses.replace(SMALL, held_out=False)
    moved = measure_autoencoder(dataset, weights, other, tmp_path / "out", progress=False, training=fewer)
    assert set(moved.scores) == {"pixel_error", "latent_error", "latent_distance"}
    assert not np.array_equal(moved.scores["pixel_error"], whole.scores["pixel_error"]), "another seed, another order"
    (part,) = (f for f in (tmp_path / "out").rglob("all.json") if json.loads(f.read_text())["identity"]["seed"] == 1)
    part.write_text(part.read_text().replace("0.1", "0.2", 1))
    with pytest.raises(InputError, match="not as it was written"):
        measure_autoencoder(dataset, weights, other, tmp_path / "out", progress=False, training=fewer)


def test_a_rate_that_is_too_large_is_one_line(weights, dataset, tmp_path) -> None:
    wild = dataclasses.replace(SMALL, learning_rate=1.0, held_out=False)
    nothing = {name: value * np.float32(1e30) if "EncoderLayer.layer.1.weight" in name else value
               for name, value in random_state().items()}  # fmt: skip
    save_file(nothing, tmp_path / "wild.safetensors")
    with pytest.raises(InputError, match=r"^learning_rate 1: .*finite.*smaller") as raised:
        measure_autoencoder(dataset, tmp_path / "wild.safetensors", FEW, tmp_path / "out", False, wild)
    assert raised.value.argument == "learning_rate"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder.conv2.2 DecoderLayer.layer.2.bias": None}, "missing decoder.conv2.2 DecoderLayer.layer.2.bias"),
        ({"encoder.conv1.0 EncoderLayer.layer.1.running_var": -np.ones(4, np.float32)}, "running_var is below 0"),
        ({"encoder.conv1.0 EncoderLayer.layer.0.bias": np.full(4, np.nan, np.float32)}, "holds NaN"),
        ({"decoder.conv1.0 UpSampling.weight": np.ones((6, 6, 3, 3), np.float32)}, r"expected float \(6, 6, 2, 2\)"),
        ({"decoder.more": np.ones(2, np.float32)}, "unexpected decoder.more"),
    ],
)
def test_weights_that_do_not_fit_are_named(weights, tmp_path, change, said) -> None:
    state = {name: value for name, value in (random_state() | change).items() if value is not None}
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=rf"1 tensors do not fit the VGG-16 autoencoder: .*{said}"):
        load_autoencoder(tmp_path / "other.safetensors")


def test_names_of_a_network_trained_on_several_devices(weights, params, tmp_path) -> None:
    save_file({f"module.{name}": value for name, value in random_state().items()}, tmp_path / "several.safetensors")
    found = load_autoencoder(tmp_path / "several.safetensors").params
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(one, other)


def refused(monkeypatch, capsys, *arguments: object) -> str:
    assert exit_code(monkeypatch, command, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_the_command(monkeypatch, weights, tmp_path, capsys) -> None:
    images = make_images(tmp_path, broken=None)
    own = ["--images", images, "--scores", tmp_path / "scores.csv", "--bootstraps", 20, "--folds", 2]
    out = ["--out", tmp_path / "out"]
    run = ["--autoencoder", weights, *own, "--image-size", 32]
    assert exit_code(monkeypatch, command, *run, *out) == 0
    said = capsys.readouterr().out
    assert "vgg16_autoencoder, n = 14:" in said
    assert "pixel_error, in sample" in said
    assert "pixel_error_held_out\n" in said
    page = (tmp_path / "out" / "report.html").read_text()
    assert "econstruction error of a VGG-16 autoencoder, out of sample" in page
    names = {one.name: one for one in rivals_in_all([tmp_path / "out"])}
    assert names["latent_distance_held_out_vgg16_autoencoder"].kind == "CNN"
    assert names["pixel_error_vgg16_autoencoder"].in_sample
    assert not names["pixel_error_held_out_vgg16_autoencoder"].in_sample
    with pytest.raises(InputError, match="another network"):
        rivals_in_all([tmp_path / "out", tmp_path / "out"])
    assert "--image-size" in refused(monkeypatch, capsys, "--autoencoder", weights, *own, *out, "--image-size", 33)
    assert "--learning-rate" in refused(monkeypatch, capsys, "--autoencoder", weights, *own, *out, "--learning-rate", 0)
    assert "--autoencoder" in refused(monkeypatch, capsys, *own[:4], *out, "--vgg", weights, "--image-size", 64)
    assert "--vgg" in refused(monkeypatch, capsys, *run, *out, "--vgg", weights)
    assert "--autoencoder" in refused(monkeypatch, capsys, *own, *out, "--autoencoder", tmp_path / "none.safetensors")
