"""200 hostile inputs: none crashes a run, hangs it, is missing from failures.csv, or changes what a good image gives."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from memjax.datasets import open_folder
from memjax.images import ImageError
from tests.hostile import KINDS, MEASURED, REFUSED, Hostile
from tests.miniatures import pixels

ROOT = Path(__file__).resolve().parents[1]
RUNS, EACH, GOOD = 5, 2, 5
LIMIT = 900
"""Seconds after which a run counts as hung; one takes about twenty on an idle machine."""

RUN = """
import sys
from pathlib import Path
import memjax
from memjax.datasets import open_folder
from memjax.extract import Plan, extract
from memjax.outputs import failure_table, write_failures

folder, scores, out = map(Path, sys.argv[1:])
out.mkdir()
dataset = open_folder(folder, scores)
failures = extract(dataset, memjax.load("memjax/tiny"), out, Plan(batch_size=4))
write_failures(failure_table(dataset.rejected + failures), out)
"""


def run(folder: Path, scores: Path, out: Path) -> tuple[dict[str, np.ndarray], list[dict[str, str]]]:
    """Extract in a process of its own: values ``[l+1]`` of each image in the store, and the rows of failures.csv."""
    from memjax.store import open_features

    command = [sys.executable, "-c", RUN, str(folder), str(scores), str(out)]
    done = subprocess.run(command, cwd=ROOT, timeout=LIMIT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    values = open_features(out)["memjax--tiny"]["cls_mean"]
    with (out / "failures.csv").open(newline="", encoding="utf-8") as file:
        failures = list(csv.DictReader(file))
    return dict(zip(values["image"].values.tolist(), values.values)), failures


def write_scores(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("image", "memorability"), *rows])
    return path


def good_images(folder: Path) -> list[tuple[str, str]]:
    folder.mkdir()
    for i in range(GOOD):
        Image.fromarray(pixels(1000 + i, 40 + i, 70)).save(folder / f"good{i}.png")
    return [(f"good{i}.png", f"0.{i + 1}") for i in range(GOOD)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, np.ndarray]:
    """The good images' values in a run without anything else."""
    home = tmp_path_factory.mktemp("alone")
    rows = good_images(home / "images")
    values, failures = run(home / "images", write_scores(home / "scores.csv", rows), home / "out")
    assert failures == []
    return values


def check(hostile: Hostile, values: dict[str, np.ndarray], failures: list[dict[str, str]]) -> None:
    """Measured or told, exactly one of the two, and as its kind has to be."""
    told = [row for row in failures if row["image"] == hostile.name]
    measured = hostile.name in values and bool(np.isfinite(values[hostile.name]).all())
    assert measured + len(told) == 1, (hostile, measured, told)
    for row in told:
        assert row["stage"] in ("scores", "read", "decode", "resize")
        assert row["error"]
        assert hostile.name not in values or np.isnan(values[hostile.name]).all()
    assert {MEASURED: measured, REFUSED: not measured}.get(hostile.outcome, True), (hostile, told)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders and fewer names of files")
def test_200_hostile_inputs(alone, tmp_path_factory):
    seen: list[Hostile] = []

    @settings(
        derandomize=True,
        max_examples=RUNS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def one_run(data: st.DataObject) -> None:
        home = tmp_path_factory.mktemp("hostile")
        rows = good_images(home / "images")
        inputs = [
            make(home / "images", f"{number}-{copy}", data.draw)
            for number, make in enumerate(KINDS)
            for copy in range(EACH)
        ]
        rows += [hostile.row for hostile in inputs if hostile.row is not None]
        order = data.draw(st.permutations(rows))
        values, failures = run(home / "images", write_scores(home / "scores.csv", order), home / "out")
        for hostile in inputs:
            check(hostile, values, failures)
        assert len(failures) == len({row["image"] for row in failures}), "each is told once"
        others = {row["image"] for row in failures} - {hostile.name for hostile in inputs}
        assert not others, f"nothing else is told: {others}"
        for name, value in alone.items():
            np.testing.assert_array_equal(values[name], value, err_msg=name)
        seen.extend(inputs)

    one_run()
    assert len(seen) >= 200
    assert len({hostile.outcome for hostile in seen}) == 3


def test_unreadable_images_are_told(tmp_path):
    good_images(tmp_path / "images")
    hidden = tmp_path / "images" / "good2.png"
    hidden.chmod(0)
    if os.access(hidden, os.R_OK):
        pytest.skip("this user (root) may read a file whatever its permission bits say")
    dataset = open_folder(
        tmp_path / "images", write_scores(tmp_path / "s.csv", [("good2.png", "1"), ("good1.png", "0")])
    )
    with pytest.raises(ImageError, match="Permission denied"):
        dataset.records[0]
    assert dataset.records[1].image == "good1.png"


def test_what_permission_bits_do_is_told_for_root_too(tmp_path, monkeypatch):
    """The same, with the system's answer made up."""
    rows = good_images(tmp_path / "images")
    (tmp_path / "images" / "closed").mkdir()
    scan, read = os.scandir, Path.read_bytes

    def denied(path: object) -> PermissionError:
        return PermissionError(13, "Permission denied", os.fspath(path))  # type: ignore[arg-type]

    def scandir(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise denied(path)
        return scan(path)

    def read_bytes(path: Path) -> bytes:
        if path.name == "good2.png":
            raise denied(path)
        return read(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    dataset = open_folder(tmp_path / "images", write_scores(tmp_path / "s.csv", rows))
    assert [(f.image, f.stage) for f in dataset.rejected] == [("closed", "read")]
    assert "Permission denied" in dataset.rejected[0].error
    with pytest.raises(ImageError, match="Permission denied") as caught:
        dataset.records[2]
    assert caught.value.stage == "read"
    assert json.dumps(dataset.info)
