"""Stores of earlier versions, and what another run left in the same folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from PIL import Image

import memjax
from memjax.pipelines.inspection import inspect_run
from tests.damage import GROUP, IMAGES, SETTINGS, edited, holding, rewrite, run, write_images

ROOT = Path(__file__).resolve().parents[1]
STORE, MARKERS = f"features.zarr/{GROUP}", f"progress/{GROUP}"


pytestmark = pytest.mark.usefixtures("small_chunks")


def as_version_0_2(out: Path) -> None:
    """The store and the record as the version before checksums wrote them."""
    for file in (out / MARKERS).glob("*.json"):
        found = json.loads(file.read_text())
        file.write_text(json.dumps({"failures": found["failures"], "turned": found["turned"]}))
    (out / MARKERS / "created").write_text("")
    metadata = json.loads((out / STORE / "zarr.json").read_text())
    identity = json.loads(metadata["attributes"]["memjax"])
    del identity["decoding"], identity["precision"], metadata["attributes"]["measured_with"]
    metadata["attributes"]["memjax"] = json.dumps(identity, sort_keys=True)
    (out / STORE / "zarr.json").write_text(json.dumps(metadata))
    memjax.store.consolidate(out / "features.zarr")
    record = json.loads((out / "run.json").read_text())
    for name in ("sha256", "outputs", "measured_with"):
        del record[name]
    (out / "run.json").write_text(json.dumps(record))


def test_a_store_of_an_earlier_version_opens_and_is_said_to_be_unverified(photos, out, capsys):
    as_version_0_2(out)
    told = [finding.text for finding in inspect_run(out) if not finding.damaged]
    assert sum("can't be verified" in text for text in told) == 2, "the files, and the values"
    assert not any(finding.damaged for finding in inspect_run(out))
    assert memjax.read_sweep(out).recognised
    found = run(photos, out, progress=True)
    assert found.recognised
    said = "12 images were measured by a version that kept no checksums, so they can't be verified"
    assert said in capsys.readouterr().out
    assert json.loads((out / MARKERS / "created").read_text())["identity"]["decoding"] == memjax.decoding.VERSION
    (out / MARKERS / "000001.json").unlink()
    assert not run(photos, out).recognised, "new chunks have checksums; the old ones stay as they are"
    assert run(photos, out).recognised
    assert "8 images were measured" in [f.text for f in inspect_run(out)][-1]


def test_a_lost_chunk_is_noticed_without_checksums_too(photos, out):
    as_version_0_2(out)
    (out / STORE / "cls_mean" / "c" / "1" / "0").unlink()
    assert "1 of 3 chunks are not as they were written (cls_mean)" in run(photos, out).run.repaired[0]


def test_a_store_from_before_deep_grey_was_read_by_its_range_is_not_mixed(tmp_path):
    write_images(tmp_path / "photos")
    deep = np.random.default_rng(2).integers(0, 65536, (24, 24), np.uint16)
    Image.fromarray(deep).save(tmp_path / "photos" / "deep.png")
    table = pd.DataFrame({"image": ["deep.png"], "memorability": [0.5]})
    rewrite(tmp_path / "photos", lambda rows: pd.concat([rows, table]))
    out = Path(str(run(tmp_path / "photos", tmp_path / "out").out))
    as_version_0_2(out)
    with pytest.raises(memjax.InputError, match=r"before deep grey was read by its range, which concerns deep\.png"):
        run(tmp_path / "photos", out)


def test_a_store_measured_by_other_versions_says_so(photos, out):
    assert not run(photos, out).run.measured_by_others
    other = {"memjax": "0.1.9", "jax": "0.9.0", "jaxlib": "0.9.0", "pillow": "11.0.0", "numpy": "2.1.0"}
    group = zarr.open_group(str(out / "features.zarr"), path=GROUP, mode="r+")
    group.attrs["measured_with"] = json.dumps([other])
    memjax.store.consolidate(out / "features.zarr")
    (out / MARKERS / "000000.json").unlink()
    found = run(photos, out).run
    assert [one["jax"] for one in found.measured_with] == ["0.9.0", found.versions["jax"]]
    assert "memjax 0.1.9" in found.measured_by_others
    assert "Measured with" in (out / "report.html").read_text()


KILLED = """
import os, sys
import memjax, memjax.pipelines.sweep_report as report
report.save_figures = lambda folder, drawn, *_: os.kill(os.getpid(), 9)
from tests.damage import SETTINGS
import dataclasses
from pathlib import Path
photos = Path(sys.argv[1])
import memjax.extract
memjax.extract.CHUNK = 4
other = dataclasses.replace(SETTINGS, bootstraps=30)
memjax.sweep(memjax.open_folder(photos, photos / "scores.csv"), "memjax/tiny", sys.argv[2], other, progress=False)
"""


def test_a_run_killed_while_it_replaces_anothers_results_leaves_none_finished(photos, out):
    before = run(photos, out)
    assert before.recognised
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, photos, out], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "run.json").exists()
    assert (out / "correlations.csv").read_text() != before.table.to_csv(index=False), "the other's table lies there"
    again = run(photos, out)
    assert not again.recognised
    pd.testing.assert_frame_equal(again.table, before.table)


def test_anothers_files_under_ones_own_record_are_noticed(photos, out):
    mine = (out / "run.json").read_bytes()
    memjax.sweep(
        memjax.open_folder(photos, photos / "scores.csv"),
        "memjax/tiny",
        out,
        memjax.SweepSettings(metrics=SETTINGS.metrics, tokens=("cls",), bootstraps=30),
        progress=False,
    )
    (out / "run.json").write_bytes(mine)
    again = run(photos, out)
    assert not again.recognised
    assert any("correlations.csv: not as it was written" in line for line in again.run.repaired)


def test_a_metric_that_was_put_there_and_damaged_is_told(photos, out):
    values = np.random.default_rng(0).normal(size=(IMAGES, 6)).astype(np.float32)
    memjax.store.add_metrics(out / "features.zarr", GROUP, {"sae_error": values, "nn_distance": values + 1}, "a test")
    whole = run(photos, out)
    assert {"sae_error", "nn_distance"} <= set(whole.table["metric"])
    kept = shutil.copytree(out, out.parent / "kept")
    file = out / STORE / "sae_error" / "c" / "0" / "0"
    file.write_bytes(b"torn")
    found = run(photos, out)
    assert set(whole.table["metric"]) - set(found.table["metric"]) == {"sae_error"}
    assert any("sae_error" in line and "run the autoencoders" in line for line in found.run.repaired)
    for damage in (
        holding("{}"),
        edited(shape=[3, 6]),
        edited(attributes={"made_by": "a test", "sum": "00"}),
        Path.unlink,
    ):
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        damage(out / STORE / "nn_distance" / "zarr.json")
        assert any(finding.damaged and "nn_distance" in finding.text for finding in inspect_run(out))
        assert any("nn_distance" in line for line in run(photos, out).run.repaired)
