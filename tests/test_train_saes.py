"""The command as a user meets it: both protocols from a small store, resumption, one line for what can be given wrongly."""

import dataclasses
import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from experiments import train_saes as door
from memjax import sae
from memjax.checks import InputError
from memjax.outputs import read_run
from memjax.pipelines.sae_settings import SAESettings
from memjax.pipelines.saes import train_saes
from memjax.sae.folds import k_folds
from memjax.store import consolidate, open_features
from tests.command import exit_code
from tests.fake_store import N, make_store
from tests.saes_made import leaves_close

ROOT = Path(__file__).resolve().parents[1]


def train(monkeypatch, *arguments: object) -> int:
    return exit_code(monkeypatch, door, *arguments)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "sweep")


def test_paper_protocol_writes_all_and_resumes(monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    (store.parent / "run.json").write_text(
        json.dumps({"dataset": {"name": "made up"}, "ceiling": {"consistency": 0.6}})
    )
    command = ["--features", store, "--epochs", 2, "--seeds", 0, 1, "--bootstraps", 20, "--out", out]
    assert train(monkeypatch, *command) == 0
    table = pd.read_csv(out / "sae_epochs.csv")
    assert len(table) == 2 * 2 * 2, "epochs x seeds x spaces, at the last layer"
    assert set(table["layer"]) == {2}
    np.testing.assert_allclose(table["rho_over_ceiling"], table["rho"] / np.sqrt(2 * 0.6 / 1.6))
    assert table["n"].eq(N - 1).all()
    assert table[table["space"] == "standardised"]["rho"].min() > 0.3
    assert (out / "figures" / "sae_rho_by_epoch.png").stat().st_size > 5000
    scores = open_features(store)["enc"]
    assert scores["sae_error"].dims == ("image", "layer")
    assert np.isnan(scores["sae_error"].values[:, :2]).all()
    assert np.flatnonzero(np.isnan(scores["sae_error"].values[:, 2])).tolist() == [3]
    assert train(monkeypatch, *command) == 0
    pd.testing.assert_frame_equal(pd.read_csv(out / "sae_epochs.csv"), table)
    assert json.loads((out / "run.json").read_text())["protocol"] == "paper"


@pytest.mark.parametrize("variant", ["topk", "archetypal", pytest.param("matching_pursuit", marks=pytest.mark.slow)])
def test_out_of_sample_on_all_layers_that_vary(variant, monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    small = ["--latents", 8, "--epochs", 2, "--folds", 3, "--batch-size", 4, "--bootstraps", 20]
    command = ["--features", store, "--protocol", "modern", "--variant", variant, *small, "--out", out]
    assert train(monkeypatch, *command) == 0
    table = pd.read_csv(out / "sae_layers.csv")
    assert set(table["layer"]) == {1, 2}
    assert f"sae_{variant}_error" in set(table["metric"])
    assert f"sae_{variant}_l0" in open_features(store)["enc"]
    found = sae.load_all(out / "saes")
    assert {one.config.variant for one in found} == {variant}


def test_every_patch_is_read_from_the_store_in_blocks(monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    small = ["--latents", 8, "--epochs", 2, "--folds", 3, "--batch-size", 4, "--block", 8, "--bootstraps", 20]
    command = ["--features", store, "--protocol", "modern", "--variant", "relu", "--token", "patches", *small]
    assert train(monkeypatch, *command, "--out", out) == 0
    table = pd.read_csv(out / "sae_layers.csv").set_index(["metric", "layer"])
    assert set(table.index.get_level_values("layer")) == {1, 2}
    memorable = table.loc[("sae_relu_patches_error", 2)]
    assert memorable["rho"] > 0.3, "the length of the memorable images' tokens grows with their score"
    assert memorable["rho_given_length"] < memorable["rho"]
    scores = open_features(store)["enc"]["sae_relu_patches_error"].values
    assert np.flatnonzero(np.isnan(scores[:, 2])).tolist() == [3]
    assert np.isnan(scores[:, 0]).all()
    assert train(monkeypatch, *command, "--block", 16, "--out", out) == 2


def without_patches(store: Path) -> Path:
    """A copy of the store's folder that kept no patches."""
    copy = store.parent.parent / "fewer"
    shutil.copytree(store.parent, copy)
    shutil.rmtree(copy / "features.zarr" / "enc" / "patches")
    consolidate(copy / "features.zarr")
    return copy


SMALL = SAESettings(protocol="modern", variant="topk", latents=8, epochs=3, folds=3, batch_size=4, bootstraps=20)


TEMPORARY = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # that is what it is for


@TEMPORARY
def test_the_call_gives_what_the_files_hold(store):
    told = []
    result = train_saes(store.parent, SMALL, progress=lambda *seen: told.append(seen))
    assert [seen[:2] for seen in told] == [(1, 3), (2, 3), (3, 3)]
    for table, name in ((result.by_epoch, "sae_epochs"), (result.by_layer, "sae_layers")):
        pd.testing.assert_frame_equal(table, pd.read_parquet(result.out / f"{name}.parquet"), check_dtype=False)
    errors = result.scores["sae_topk_error"]
    assert errors["layer"].values.tolist() == [1, 2], "coordinates, not places"
    stored = open_features(store)["enc"]["sae_topk_error"].sel(layer=[1, 2]).values
    np.testing.assert_array_equal(errors.values, np.delete(stored, 3, axis=0))
    assert "i3" not in errors["image"].values
    assert [(one.layer, one.fold, one.encoder) for one in result.saes] == [
        (i, j, "enc") for i in (1, 2) for j in range(3)
    ]
    assert read_run(result.out).dataset.name == "made up"
    home = result.out
    del result
    gc.collect()
    assert not home.exists(), "a temporary folder lives as long as the result"


@TEMPORARY
def test_an_autoencoder_of_the_result_gives_its_scores(store):
    result = train_saes(store, SMALL, progress=False)
    raw = open_features(store)["enc"]["cls"].sel(layer=2).values
    fold = k_folds(N - 1, 3)
    for one in result.saes[3:]:
        x = sae.standardise(one.standardiser, jnp.asarray(np.delete(raw, 3, axis=0)[fold == one.fold]))
        error = sae.score_images(one.params, one.state, x, one.config).error
        mine = result.scores["sae_topk_error"].sel(layer=2).values[fold == one.fold]
        np.testing.assert_allclose(error, mine, rtol=1e-4)


def test_epochs_before_an_interruption_come_from_their_files(store, tmp_path):
    unbroken = train_saes(store, SMALL, tmp_path / "unbroken", progress=False)

    def stop(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_saes(store, SMALL, tmp_path / "out", progress=stop)
    resumed = train_saes(store, SMALL, tmp_path / "out", progress=False)
    pd.testing.assert_frame_equal(resumed.by_epoch, unbroken.by_epoch, check_exact=True)
    pd.testing.assert_frame_equal(resumed.by_layer, unbroken.by_layer, check_exact=True)
    (tmp_path / "out" / "epochs" / "1.npz").write_bytes(b"PK, broken off")
    with pytest.raises(InputError, match=r"1\.npz: scores of epoch 1 can't be read"):
        train_saes(store, SMALL, tmp_path / "out", progress=False)


def refused(monkeypatch, capsys, *arguments: object) -> str:
    assert train(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_wrong_input_is_one_line(monkeypatch, store, tmp_path, capsys):
    out = ["--out", tmp_path / "out"]
    assert "no feature store there" in refused(monkeypatch, capsys, "--features", tmp_path / "none", *out)
    assert "--tokens mean" in refused(monkeypatch, capsys, "--features", store, "--token", "mean", *out)
    assert "among 1, 2, got [0]" in refused(
        monkeypatch, capsys, "--features", store, "--token", "patches", "--layers", 0, *out
    )
    assert "--layers" in refused(monkeypatch, capsys, "--features", store, "--layers", 7, *out)
    assert "--model" in refused(monkeypatch, capsys, "--features", store, "--model", "other", *out)
    assert "--patch-layers" in refused(
        monkeypatch, capsys, "--features", without_patches(store), "--token", "patches", *out
    )
    assert "--variant" in refused(monkeypatch, capsys, "--features", store, "--variant", "vae", *out)
    assert "--epochs" in refused(monkeypatch, capsys, "--features", store, "--epochs", 0, *out)
    assert "folds" in refused(monkeypatch, capsys, "--features", store, "--protocol", "modern", "--folds", 99, *out)


def test_another_run_in_the_same_folder_is_refused(monkeypatch, store, tmp_path, capsys):
    command = ["--features", store, "--epochs", 1, "--seeds", 0, "--bootstraps", 5, "--out", tmp_path / "out"]
    assert train(monkeypatch, *command) == 0
    capsys.readouterr()
    line = refused(monkeypatch, capsys, *command, "--sparsity", 0.5)
    assert "sparsity: 1e-05 (this run: 0.5)" in line


def test_benchmark_runs():
    command = [
        sys.executable,
        ROOT / "benchmarks" / "sae_training.py",
        "--layers",
        "1",
        "--seeds",
        "1",
        "--images",
        "8",
    ]
    small = ["--torch-steps", "2", "--repeats", "1", "--width", "16"]
    done = subprocess.run([*command, *small], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "median" in done.stdout
    assert "torch" in done.stdout


@TEMPORARY
def test_autoencoders_are_folders_of_the_run(store, tmp_path):
    result = train_saes(store, SMALL, tmp_path / "out", progress=False)
    folders = sorted(path.name for path in (tmp_path / "out" / "saes").iterdir())
    assert folders == [f"layer_{layer}_seed_0_fold_{fold}" for layer in (1, 2) for fold in range(3)]
    assert {f"saes/{name}/cfg.json" for name in folders} <= set(read_run(result.out).outputs)
    for found, one in zip(sae.load_all(tmp_path / "out" / "saes"), result.saes, strict=True):
        leaves_close(found, one, rtol=1e-6)
        assert (found.origin.token, found.origin.parts, found.origin.images) == ("cls", 3, N - 1)
    last = result.by_epoch.query("epoch == 3 and layer == 2 and space == 'standardised'").iloc[0]
    assert result.saes[-1].origin.rho == last["rho"]
    saved = result.save(tmp_path / "mine")
    leaves_close(sae.load(saved[4]), result.saes[4], rtol=1e-6)
    assert "rho" in (saved[4] / "README.md").read_text()


@TEMPORARY
def test_a_run_need_not_write_its_autoencoders(store, tmp_path):
    result = train_saes(store, dataclasses.replace(SMALL, save_saes=False), tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "saes").exists()
    assert len(result.saes) == 6
