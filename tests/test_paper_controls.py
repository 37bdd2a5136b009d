"""The reproduction on one's own features with images: low-level controls, ceilings, groups."""

import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from memjax.checks import InputError
from memjax.cli import paper as command
from memjax.paper.results import compute
from memjax.paper.settings import PaperSettings, PaperSources
from memjax.pipelines import paper as pipeline
from memjax.pipelines.lowlevel_controls import images_of
from memjax.stats.reliability import Reliability
from tests.command import exit_code


@pytest.fixture
def lnsim_like(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Path]:
    """A run's folder with features of 40 images, and the images below another; one file is damaged."""
    import xarray as xr

    home, run_folder = tmp_path / "images" / "deep", tmp_path / "run"
    home.mkdir(parents=True)
    run_folder.mkdir()
    contrast = rng.uniform(2, 100, 40)
    for i, size in enumerate(contrast):
        pixels = np.clip(128 + size * rng.choice([-1, 1], (40 + i, 48, 1)), 0, 255).astype(np.uint8)
        Image.fromarray(np.repeat(pixels, 3, axis=2)).save(home / f"p{i}.png")
    (home / "p3.png").write_bytes(b"no image")
    scores = contrast / 100 + 0.1 * rng.normal(size=40)
    values = np.stack([contrast + rng.normal(size=40), scores + 0.3 * rng.normal(size=40)], axis=1)
    names = np.array([f"p{i}.png" for i in range(40)], dtype=object)
    coords = {"image": names, "layer": [0, 1], "memorability": ("image", scores)}
    data = xr.Dataset({"cls_mean": (("image", "layer"), values)}, coords=coords, attrs={"model": "made/up"})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")  # as memjax.store does, and why
        data.to_zarr(run_folder / "features.zarr", group="made--up", mode="w", consolidated=True)
    return run_folder, tmp_path / "images"


def test_images_give_controls_and_the_run_its_ceiling(lnsim_like, tmp_path: Path, monkeypatch, capsys) -> None:
    run_folder, images = lnsim_like
    known = Reliability(0.6, 0.5, 0.7, 25, 40, "a test").to_json()
    (run_folder / "run.json").write_text(json.dumps({"dataset": {"name": "made up"}, "ceiling": known}))
    out = tmp_path / "out"
    arguments = ("--features", run_folder / "features.zarr", "--images", images, "--out", out, "--bootstraps", 0)
    assert exit_code(monkeypatch, command, *arguments, "--folds", 3) == 0
    table = pd.read_csv(out / "controls.csv").set_index(["controls", "model", "layer"]).sort_index()
    assert table["n"].eq(39).all()
    assert table.loc[("none", "made/up", 0), "rho"] > 0.7
    assert abs(table.loc[("low-level", "made/up", 0), "rho"]) < 0.4, "it only knows the contrast"
    assert set(table.loc[("none", "image")]["metric"]) == {"contrast", "edge_density"}, "grey images: no colour"
    assert pd.read_csv(out / "failures.csv")["image"].tolist() == ["p3.png"]
    correlations = pd.read_csv(out / "correlations.csv")
    np.testing.assert_allclose(correlations["rho_over_ceiling"], correlations["rho"] / np.sqrt(0.75))
    assert "a test" in " ".join(capsys.readouterr().out.split())


def test_a_data_set_gives_half_splits(lnsim_like, tmp_path: Path, rng: np.random.Generator, monkeypatch) -> None:
    """Halves are joined by id: the data set lists the images in another order."""
    run_folder, images = lnsim_like
    scores = pipeline.read_inputs(PaperSources(features=run_folder), PaperSettings()).scores["memorability"]
    other = images_of(images, scores.iloc[::-1])
    halves = other.table["memorability"].to_numpy() + 0.05 * rng.normal(size=(2, 9, 40))
    kinds = other.table.assign(category=np.arange(40) % 4)
    opened = dataclasses.replace(other, table=kinds, halves=halves, name="made up")
    monkeypatch.setattr(pipeline, "open_dataset", lambda *_: opened)
    settings = PaperSettings(groups="category", bootstraps=0)
    inputs = pipeline.read_inputs(PaperSources(features=run_folder, dataset="lnsim"), settings)
    assert inputs.ceiling is not None
    assert inputs.halves is not None
    assert np.corrcoef(inputs.halves.mean(axis=(0, 1)), inputs.y)[0, 1] > 0.99
    results = compute(inputs, settings)
    assert results.ceiling is not None
    assert results.ceiling.consistency > 0.9
    assert sorted(set(results.tables["controls"]["controls"])) == [
        "category",
        "category and low-level",
        "low-level",
        "none",
    ]
    tops = results.tables["controls"].groupby("controls")["ceiling"].first()
    assert tops["low-level"] < tops["none"], "what the controls explain leaves the ceiling too"
    fold = results.readouts["made/up"].fold
    groups = inputs.scores["category"].to_numpy()
    assert all(len(set(fold[groups == g])) == 1 for g in range(4))


def test_images_are_found_once(lnsim_like, tmp_path: Path) -> None:
    _, images = lnsim_like
    scores = pd.Series(0.5, index=["p0.png", "p1.png"])
    assert list(images_of(images, scores).table.index) == ["p0.png", "p1.png"]
    (images / "again").mkdir()
    (images / "again" / "p1.png").write_bytes((images / "deep" / "p1.png").read_bytes())
    with pytest.raises(InputError, match=r"one image of p1\.png"):
        images_of(images, scores)
    with pytest.raises(InputError, match="the images that have scores"):
        images_of(images, scores.rename(lambda name: f"x{name}"))
