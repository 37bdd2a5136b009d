"""`memjax baselines`: a sweep's tokens and VGG-16's layers, against definitions; what goes into the store; one-line errors."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from PIL import Image

from memjax.baselines.vgg import LAYERS, Convolution, VGGParams, vgg_features
from memjax.cli import baselines as command
from memjax.datasets import open_folder
from memjax.images import read_image
from memjax.models.layers import Linear
from memjax.outputs import read_run
from memjax.pipelines import baselines
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.vgg_layers import PREPROCESSING, unit_samples
from memjax.store import open_features
from tests.command import exit_code
from tests.fake_store import N, make_store

QUICK = BaselineSettings(measures=("nn_distance", "sparse_coding_error"), codewords=8, batches=10, bootstraps=20)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "sweep")


def test_each_measure_is_its_definition_at_every_layer_that_varies(store, tmp_path):
    found = baselines.measure_baselines(store, QUICK, tmp_path / "out", progress=False)
    assert list(zip(found.table["measure"], found.table["layer"], strict=True)) == [
        (f"{name}_cls", layer) for name in ("nn_distance", "sparse_coding_error") for layer in (1, 2)
    ]
    group = open_features(store)["enc"]
    kept = np.arange(N) != 3
    x, y = group["cls"].sel(layer=2).values[kept].astype(np.float64), group["memorability"].values[kept]
    apart = np.linalg.norm(x[:, None] - x[None], axis=2) + np.where(np.eye(len(x)), np.inf, 0)
    np.testing.assert_allclose(found.scores["nn_distance_cls"].sel(layer=2), apart.min(axis=1), rtol=1e-5)
    row = found.table.query("measure == 'nn_distance_cls' and layer == 2").iloc[0]
    assert row["rho"] == pytest.approx(scipy.stats.spearmanr(apart.min(axis=1), y).statistic)
    assert row["n"] == N - 1
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "baselines.csv"), found.table, check_dtype=False)
    assert read_run(tmp_path / "out") is not None


def test_the_store_has_the_measures_by_image_and_layer(store, tmp_path):
    found = baselines.measure_baselines(store.parent, QUICK, tmp_path / "out", progress=False)
    for name, values in found.scores.items():
        stored = open_features(store)["enc"][name]
        assert stored.dims == ("image", "layer")
        assert np.isnan(stored.values[3]).all()
        assert np.isnan(stored.values[:, 0]).all()
        np.testing.assert_array_equal(np.delete(stored.values[:, 1:], 3, axis=0), values.values)


def test_the_seed_decides_the_dictionary(store, tmp_path):
    errors = [
        baselines.measure_baselines(
            store, dataclasses.replace(QUICK, bootstraps=5, seed=seed), tmp_path / "out", progress=False
        ).scores["sparse_coding_error_cls"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(errors[0], errors[1])
    assert not np.array_equal(errors[0], errors[2])


def narrow_vgg() -> VGGParams:
    """The architecture with a few channels."""
    rng, channels, blocks = np.random.default_rng(2), 3, []
    for count in (2, 2, 3, 3, 3):
        block = []
        for _ in range(count):
            kernel = rng.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, 4))
            block.append(Convolution(jnp.asarray(kernel, jnp.float32), jnp.full(4, 0.1)))
            channels = 4
        blocks.append(tuple(block))
    full = [Linear(jnp.asarray(rng.normal(0, 0.1, (i, 12)), jnp.float32), jnp.full(12, 0.1)) for i in (4 * 49, 12)]
    return VGGParams(tuple(blocks), *full)


@pytest.fixture
def images(tmp_path):
    """Twelve images with scores, one of them broken."""
    home, rng = tmp_path / "images", np.random.default_rng(4)
    home.mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (40 + i, 50, 3), dtype=np.uint8)).save(home / f"p{i}.png")
    whole = (home / "p7.png").read_bytes()
    (home / "p7.png").write_bytes(whole[: len(whole) // 2])
    scores = pd.DataFrame({"image": [f"p{i}.png" for i in range(12)], "memorability": np.linspace(0.2, 0.9, 12)})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    return home


def test_vggs_layers_over_a_data_set(images, tmp_path, monkeypatch):
    params = narrow_vgg()
    monkeypatch.setattr(baselines, "load_vgg", lambda file: params)
    settings = BaselineSettings(measures=("nn_distance",), units=50, bootstraps=20)
    dataset = open_folder(images, tmp_path / "scores.csv")
    found = baselines.measure_vgg_baselines(dataset, "none", settings, tmp_path / "out", progress=False)
    assert found.table["layer"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert found.table["n"].eq(11).all()
    assert found.failures["image"].tolist() == ["p7.png"]
    assert "p7.png" in (tmp_path / "out" / "failures.csv").read_text()
    rows = unit_samples(params, 50, 0)
    for layer in (2, 6):
        name = LAYERS[layer - 1]
        pixels = [read_image(images / f"p{i}.png", PREPROCESSING) for i in range(12) if i != 7]
        x = np.stack([np.asarray(vgg_features(params, p)[name]).ravel()[rows[name]] for p in pixels]).astype(np.float64)
        assert x.shape[1] == {2: 50, 6: 12}[layer], "no more units than there are"
        apart = np.linalg.norm(x[:, None] - x[None], axis=2) + np.where(np.eye(len(x)), np.inf, 0)
        np.testing.assert_allclose(found.scores["nn_distance"].sel(layer=layer), apart.min(axis=1), rtol=1e-3)


def run(monkeypatch, *arguments: object) -> int:
    return exit_code(monkeypatch, command, *arguments)


def test_the_command(monkeypatch, store, images, tmp_path, capsys):
    small = ["--measures", "nn_distance", "--bootstraps", 20, "--out", tmp_path / "out"]
    assert run(monkeypatch, "--features", store, *small) == 0
    said = capsys.readouterr().out
    assert "enc, n = 29:" in said
    assert "nn_distance_cls" in said
    monkeypatch.setattr(baselines, "load_vgg", lambda file: narrow_vgg())
    own = ["--vgg", "none", "--images", images, "--scores", tmp_path / "scores.csv"]
    assert run(monkeypatch, *own, *small) == 1, "one image failed"
    assert "1 images could not be used" in capsys.readouterr().out


def refused(monkeypatch, capsys, *arguments: object) -> str:
    assert run(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_wrong_input_is_one_line(monkeypatch, store, images, tmp_path, capsys):
    out = ["--out", tmp_path / "out"]
    assert "no feature store there" in refused(monkeypatch, capsys, "--features", tmp_path / "none", *out)
    assert "--tokens mean" in refused(monkeypatch, capsys, "--features", store, "--token", "mean", *out)
    assert "among 0, 1, 2, got [7]" in refused(monkeypatch, capsys, "--features", store, "--layers", 7, *out)
    assert "--batches" in refused(monkeypatch, capsys, "--features", store, "--batches", 0, *out)
    assert "nn_distance" in refused(monkeypatch, capsys, "--features", store, "--measures", "beauty", *out)
    assert "--vgg" in refused(monkeypatch, capsys, "--dataset", "demo", *out)
    assert "--features" in refused(monkeypatch, capsys, "--features", store, "--vgg", "x", *out)
    assert "VGG-16 weights" in refused(monkeypatch, capsys, "--vgg", tmp_path / "none", "--dataset", "demo", *out)
    own = ["--vgg", tmp_path / "none", "--images", images]
    assert "--scores" in refused(monkeypatch, capsys, *own, *out)
    scored = [*own, "--scores", tmp_path / "scores.csv"]
    assert "--layers" in refused(monkeypatch, capsys, *scored, "--layers", 8, *out)
