"""The command as a user meets it: both protocols from a small store, resumption, one line for what can be given wrongly."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import train_saes
from memjax.store import Variable, open_features, open_writer
from tests.command import exit_code

ROOT = Path(__file__).resolve().parents[1]
N, D = 30, 6


def train(monkeypatch, *arguments: object) -> int:
    return exit_code(monkeypatch, train_saes, *arguments)


@pytest.fixture
def store(tmp_path):
    """A store of thirty images whose second layer's outliers are the memorable ones; image 3 could not be read."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 3, D)).astype(np.float32)
    x[:, 0] = 0.5
    y = rng.uniform(size=N)
    x[:, 2] *= (1 + 3 * y[:, None]).astype(np.float32)
    x[3] = np.nan
    table = pd.DataFrame({"memorability": y}, index=pd.Index([f"i{j}" for j in range(N)], name="image"))
    patches = x[:, [1, 2], None] + rng.normal(0, 0.1, (N, 2, 4, D)).astype(np.float32)
    made = {"model": "enc", "dataset": "made up", "patch_layers": [1, 2]}
    kept = {"cls": Variable({"layer": 3, "width": D})}
    kept["patches"] = Variable({"patch_layer": 2, "patch": 4, "width": D})
    writer = open_writer(tmp_path / "sweep", "enc", table, kept, made, N)
    writer.write(0, {"cls": x, "patches": patches}, [])
    return tmp_path / "sweep" / "features.zarr"


def test_paper_protocol_writes_all_and_resumes(monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    (store.parent / "run.json").write_text(json.dumps({"ceiling": {"rho": 0.6}}))
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


def test_out_of_sample_on_all_layers_that_vary(monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    small = ["--latents", 8, "--epochs", 2, "--folds", 3, "--batch-size", 4, "--bootstraps", 20]
    assert (
        train(monkeypatch, "--features", store, "--protocol", "modern", "--variant", "topk", *small, "--out", out) == 0
    )
    table = pd.read_csv(out / "sae_layers.csv")
    assert set(table["layer"]) == {1, 2}
    assert "sae_topk_error" in set(table["metric"])
    assert "sae_topk_l0" in open_features(store)["enc"]


def test_every_patch_is_read_from_the_store_in_blocks(monkeypatch, store, tmp_path):
    out = tmp_path / "out"
    small = ["--latents", 8, "--epochs", 2, "--folds", 3, "--batch-size", 4, "--block", 8, "--bootstraps", 20]
    command = ["--features", store, "--protocol", "modern", "--variant", "relu", "--token", "patches", *small]
    assert train(monkeypatch, *command, "--out", out) == 0
    table = pd.read_csv(out / "sae_layers.csv").set_index(["metric", "layer"])
    assert set(table.index.get_level_values("layer")) == {1, 2}
    memorable = table.loc[("sae_relu_patches_error", 2)]
    assert memorable["rho"] > 0.3, "the length of the memorable pictures' tokens grows with their score"
    assert memorable["rho_given_length"] < memorable["rho"]
    scores = open_features(store)["enc"]["sae_relu_patches_error"].values
    assert np.flatnonzero(np.isnan(scores[:, 2])).tolist() == [3]
    assert np.isnan(scores[:, 0]).all()
    assert train(monkeypatch, *command, "--block", 16, "--out", out) == 2


def refused(monkeypatch, capsys, *arguments: object) -> str:
    assert train(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_wrong_input_is_one_line(monkeypatch, store, tmp_path, capsys):
    out = ["--out", tmp_path / "out"]
    assert "run a sweep first" in refused(monkeypatch, capsys, "--features", tmp_path / "none", *out)
    assert "--tokens mean" in refused(monkeypatch, capsys, "--features", store, "--token", "mean", *out)
    assert "among 1, 2, got [0]" in refused(
        monkeypatch, capsys, "--features", store, "--token", "patches", "--layers", 0, *out
    )
    assert "--layers" in refused(monkeypatch, capsys, "--features", store, "--layers", 7, *out)
    assert "--model" in refused(monkeypatch, capsys, "--features", store, "--model", "other", *out)
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
