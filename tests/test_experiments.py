"""The main command as a user meets it: outputs, resume, and one clear line for everything that can be given wrongly."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from memjax.cli import sweep as sweep_command
from memjax.models.hub import TINY, locate
from memjax.store import add_metrics, open_features
from tests.command import exit_code

ROOT = Path(__file__).resolve().parents[1]


def sweep(monkeypatch, *arguments: object) -> int:
    return exit_code(monkeypatch, sweep_command, *arguments)


@pytest.fixture
def images(tmp_path):
    """Six good images and their scores."""
    home = tmp_path / "images"
    home.mkdir()
    rng = np.random.default_rng(11)
    for i in range(6):
        Image.fromarray(rng.integers(0, 255, (80, 72 + i, 3), dtype=np.uint8)).save(home / f"p{i}.png")
    write_scores(tmp_path, {f"p{i}.png": 0.4 + 0.07 * i for i in range(6)})
    return home


def write_scores(folder: Path, rows: dict[str, object], header: str = "image,memorability") -> Path:
    file = folder / "scores.csv"
    file.write_text("\n".join([header, *(f"{k},{v}" for k, v in rows.items())]) + "\n")
    return file


def own(images: Path) -> list[object]:
    return ["--images", images, "--scores", images.parent / "scores.csv", "--bootstraps", 50]


def test_every_output_of_the_contract(monkeypatch, images, tmp_path, capsys):
    out = tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    table = pd.read_csv(out / "correlations.csv")
    assert list(table.columns) == ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]
    pd.testing.assert_frame_equal(table, pd.read_parquet(out / "correlations.parquet"), check_dtype=False)
    for metric in set(table["metric"]):
        assert (out / "figures" / f"{metric}.png").stat().st_size > 5000
        assert (out / "figures" / f"{metric}.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "failures.csv").read_text().strip() == "image,stage,error"
    run = json.loads((out / "run.json").read_text())
    assert run["models"][0]["sha256"]
    assert run["versions"]["jax"]
    assert "<html" in (out / "report.html").read_text()
    assert "Strongest layer" in capsys.readouterr().out

    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name != ".lock"}
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    assert "finished" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_bad_images_are_set_aside_and_the_rest_is_whole(monkeypatch, images, tmp_path):
    whole = (images / "p1.png").read_bytes()
    (images / "p1.png").write_bytes(whole[: len(whole) // 2])
    (images / "p2.png").write_bytes(b"")
    (images / "p3.png").unlink()
    (images / "p3.png").mkdir()
    out = tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out) == 1
    failures = pd.read_csv(out / "failures.csv")
    assert sorted(failures["image"]) == ["p1.png", "p2.png", "p3.png"]
    assert failures["error"].str.len().min() > 5
    assert pd.read_csv(out / "correlations.csv")["n"].eq(3).all()
    assert sweep(monkeypatch, *own(images), "--out", out) == 1, "a finished run keeps its exit code"


def test_metrics_that_others_add_join_table_and_report(monkeypatch, images, tmp_path):
    out = tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    shape = tuple(open_features(out)["memjax--tiny"].sizes[d] for d in ("image", "layer"))
    added = np.full(shape, np.nan, np.float32)
    added[:, 2] = np.arange(len(added))
    add_metrics(out / "features.zarr", "memjax--tiny", {"sae_error": added}, "a test")
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    rows = pd.read_csv(out / "correlations.csv").query("metric == 'sae_error'")
    assert rows[["layer", "rho"]].values.tolist() == [[2, 1.0]]
    page = (out / "report.html").read_text()
    assert "sae_error" in page
    assert "Reconstruction error, sparse autoencoder" in page.replace("reconstruction", "Reconstruction")
    assert "Left out: it needs 50 images with every measure, and one that varies; there are 6." in page


def test_a_profile_is_beside_the_run_not_of_it(monkeypatch, images, tmp_path, capsys):
    profile, out = tmp_path / "profile", tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out, "--profile", profile) == 0
    (trace,) = profile.rglob("*.xplane.pb")
    assert b"dot" in trace.read_bytes(), "the encoder's products are in it"
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    assert "finished" in capsys.readouterr().out


def test_synthetic_scores_have_no_human_ceiling(monkeypatch, tmp_path, capsys):
    out = tmp_path / "out"
    assert sweep(monkeypatch, "--limit", 60, "--bootstraps", 50, "--out", out) == 0
    page = (out / "report.html").read_text()
    assert "Synthetic data" in page
    assert "Two random halves of the observers" not in page
    run = json.loads((out / "run.json").read_text())
    assert "ceiling" not in run
    row = run["readout"]["rows"][0]
    assert row["n"] == 60
    assert "rho_over_ceiling" not in row
    assert f"ρ = {row['rho']:+.3f}".replace("-", "−") in page, "the readout stands in the result"
    said = capsys.readouterr().out
    assert "readout of memjax/tiny" in said
    assert "ceiling" not in said


def test_readout_is_spearmans_whatever_the_method(monkeypatch, tmp_path):
    rows = {}
    for method in ("spearman", "kendall"):
        out = tmp_path / method
        assert sweep(monkeypatch, "--limit", 56, "--bootstraps", 20, "--method", method, "--out", out) == 0
        rows[method] = json.loads((out / "run.json").read_text())["readout"]["rows"]
    assert rows["kendall"] == rows["spearman"]


def test_published_half_splits_give_a_ceiling(monkeypatch, images, tmp_path, capsys, rng):
    """As a data set with half-splits would: in the page, the terminal and run.json."""
    from memjax.datasets import open_folder

    halves = 0.4 + 0.07 * np.arange(6) + rng.normal(0, 0.02, (2, 25, 6))

    def opened(args: sweep_command.Arguments):
        return dataclasses.replace(open_folder(args.images, args.scores), halves=halves)

    monkeypatch.setattr(sweep_command, "open_data", opened)
    out = tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    ceiling = json.loads((out / "run.json").read_text())["ceiling"]
    assert ceiling["n_splits"] == 25
    assert ceiling["ceiling"] == pytest.approx(np.sqrt(2 * ceiling["consistency"] / (1 + ceiling["consistency"])))
    assert f"at most the square root of that, {ceiling['ceiling']:.3f}" in (out / "report.html").read_text()
    assert f"human ceiling {ceiling['ceiling']:.3f}" in capsys.readouterr().out
    assert list(pd.read_csv(out / "correlations.csv").columns)[-3:] == ["p", "q", "n"]


@pytest.mark.parametrize("score", ["nan", "viel", "inf", ""])
def test_unusable_scores_are_set_aside(monkeypatch, images, tmp_path, score):
    write_scores(tmp_path, {"p0.png": score, **{f"p{i}.png": 0.1 * i for i in range(1, 6)}})
    assert sweep(monkeypatch, *own(images), "--out", tmp_path / "out") == 1
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert list(failures["image"]) == ["p0.png"]
    assert pd.read_csv(tmp_path / "out" / "correlations.csv")["n"].eq(5).all()


def test_no_usable_image_is_one_line(monkeypatch, images, tmp_path, capsys):
    for file in images.glob("*.png"):
        file.write_bytes(b"GIF89a")
    line = refused(monkeypatch, capsys, *own(images), "--out", tmp_path / "out")
    assert "none of 6 images" in line
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 6


def test_ids_without_a_image_are_set_aside(monkeypatch, images, tmp_path):
    scores = {"../secret.png": 0.5, "gone.png": 0.5, **{f"p{i}.png": 0.1 * i for i in range(6)}}
    write_scores(tmp_path, scores)
    (tmp_path / "secret.png").write_bytes((images / "p0.png").read_bytes())
    assert sweep(monkeypatch, *own(images), "--out", tmp_path / "out") == 1
    assert set(pd.read_csv(tmp_path / "out" / "failures.csv")["image"]) == {"../secret.png", "gone.png"}
    assert pd.read_csv(tmp_path / "out" / "correlations.csv")["n"].eq(6).all()


def refused(monkeypatch, capsys, *arguments: object) -> str:
    """The one line with which a command is refused."""
    assert sweep(monkeypatch, *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


def test_wrong_input_is_one_line_and_code_2(monkeypatch, images, tmp_path, capsys):
    out = ["--out", tmp_path / "out"]
    scores = tmp_path / "scores.csv"
    assert "nirgends" in refused(monkeypatch, capsys, "--images", tmp_path / "nirgends", "--scores", scores, *out)
    assert "--scores" in refused(monkeypatch, capsys, "--images", images, *out)
    assert "--images" in refused(monkeypatch, capsys, "--scores", scores, *out)
    assert "imagenet22k" in refused(monkeypatch, capsys, "--dataset", "imagenet22k", *out)
    assert "lnsim" in refused(monkeypatch, capsys, "--dataset", "lnsim", "--data-dir", tmp_path / "leer", *out)
    assert "--lmit" in refused(monkeypatch, capsys, "--lmit", 3, *out)
    line = refused(monkeypatch, capsys, "--limit", "abc", *out)
    assert "abc" in line
    assert not any(c in line for c in ("---", "─", "│")), "tyro's frame is taken off"
    assert "limit" in refused(monkeypatch, capsys, *own(images), "--limit", 0, *out)
    assert "different names" in refused(monkeypatch, capsys, *own(images), "--models", TINY, TINY, *out)
    for option in ("--out", "--profile"):
        line = refused(monkeypatch, capsys, *own(images), *out, option, scores / "below")
        assert f"{option} {scores / 'below'}: can't be written" in line
    assert not list((tmp_path / "out").glob("progress/*/*.json")), "told before the work"


@pytest.mark.parametrize(
    ("header", "rows", "named"),
    [
        ("image,score", {"p0.png": 0.1}, "memorability"),
        ("name,memorability", {"p0.png": 0.1}, "image"),
        ("image,memorability", {"p0.png": "0.1\np0.png,0.2"}, "p0.png"),
    ],
)
def test_wrong_score_files_are_refused(monkeypatch, images, tmp_path, capsys, header, rows, named):
    write_scores(tmp_path, rows, header)
    assert named in refused(monkeypatch, capsys, *own(images), "--out", tmp_path / "out")


def test_wrong_models_are_refused(monkeypatch, images, tmp_path, capsys):
    def line(model: object) -> str:
        return refused(monkeypatch, capsys, *own(images), "--models", model, "--out", tmp_path / "out")

    assert "cache" in line("nobody/no-such-encoder")
    assert "./nothing" in line("./nothing")
    bare = tmp_path / "bare"
    bare.mkdir()
    assert "config.json" in line(bare)
    shutil.copy(locate(TINY).folder / "config.json", bare)
    assert "model.safetensors" in line(bare)
    (bare / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    assert "pickled" in line(bare)
    (bare / "model.safetensors").write_bytes(b"not a tensor file")
    assert "safetensors" in line(bare)


def test_another_run_in_the_same_folder_is_refused_by_name(monkeypatch, images, tmp_path, capsys):
    out = tmp_path / "out"
    assert sweep(monkeypatch, *own(images), "--out", out) == 0
    capsys.readouterr()
    line = refused(monkeypatch, capsys, *own(images), "--limit", 5, "--out", out)
    assert "images was 6, now 5" in line


@pytest.mark.parametrize(
    "script", sorted(p.name for p in (ROOT / "experiments").glob("*.py") if "__name__" in p.read_text())
)
def test_help_teaches(script):
    done = subprocess.run(
        [sys.executable, ROOT / "experiments" / script, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "--out" in done.stdout
    assert len(done.stdout) > 500


@pytest.mark.slow
def test_the_demo_runs_without_arguments(tmp_path):
    """README's first command, in a new process and an empty folder."""
    script = ROOT / "experiments" / "sweep_layers.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "runs" / "sweep" / "correlations.csv")
    assert table["q"].min() < 0.05, "the tiny encoder tells something about the stimuli"
    assert "synthetic" in (tmp_path / "runs" / "sweep" / "report.html").read_text().lower()
