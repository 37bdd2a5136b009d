"""Images and scores that are not those that were measured; stores of earlier versions; what another run left."""

import dataclasses
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
from memjax.datasets.content import changed_images, content_at, content_digest
from memjax.pipelines.inspection import inspect_run
from memjax.store import marked_chunks
from tests.damage import CHUNK, GROUP, IMAGES, SETTINGS, edited, holding, run, write_image, write_images

ROOT = Path(__file__).resolve().parents[1]
STORE, MARKERS = f"features.zarr/{GROUP}", f"progress/{GROUP}"


@pytest.fixture(autouse=True)
def small(monkeypatch, undrawn):
    monkeypatch.setattr("memjax.extract.CHUNK", CHUNK)


@pytest.fixture
def photos(tmp_path) -> Path:
    write_images(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def out(photos, tmp_path) -> Path:
    return Path(str(run(photos, tmp_path / "out").out))


def measured_chunks(monkeypatch) -> list[int]:
    """The chunks that are written from now on."""
    written: list[int] = []
    whole = memjax.store.Writer.write
    monkeypatch.setattr(
        memjax.store.Writer, "write", lambda self, chunk, *rest: (written.append(chunk), whole(self, chunk, *rest))
    )
    return written


def replace(file: Path, seed: int = 9) -> None:
    write_image(file, np.random.default_rng(seed))


def larger(file: Path) -> None:
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8)).save(file)


def same_times(file: Path) -> None:
    """Another image whose time of change is the old one's, as an unpacked archive may have it."""
    before = file.stat()
    replace(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def broken(file: Path) -> None:
    file.write_bytes(b"BM" + bytes(file.stat().st_size - 2))


@pytest.mark.parametrize("how", [replace, larger, same_times], ids=lambda how: how.__name__)
def test_a_replaced_image_is_measured_again_and_said(how, photos, out, tmp_path, monkeypatch, capsys):
    how(photos / "05.bmp")
    written = measured_chunks(monkeypatch)
    found = run(photos, out, progress=True)
    assert written == [1]
    said = f"{out / STORE}: 1 image was replaced since it was measured (05.bmp); 4 images, whole chunks, are measured again"
    assert found.run.repaired == (said,)
    assert said in capsys.readouterr().out
    fresh = run(photos, tmp_path / "fresh")
    pd.testing.assert_frame_equal(found.table, fresh.table)
    np.testing.assert_array_equal(found.features["memjax/tiny"]["cls"], fresh.features["memjax/tiny"]["cls"])
    assert run(photos, out).recognised


def test_an_image_that_broke_since_is_a_failure(photos, out):
    broken(photos / "02.bmp")
    found = run(photos, out)
    assert found.run.failures == 1
    assert found.failures["image"].tolist() == ["02.bmp"]
    assert "1 image was replaced" in found.run.repaired[0]


def test_a_touched_image_is_not_measured_again(photos, out, monkeypatch):
    for image in photos.glob("*.bmp"):
        os.utime(image)
    written, read = measured_chunks(monkeypatch), []
    whole = memjax.datasets.content.content_at
    monkeypatch.setattr("memjax.datasets.content.content_at", lambda *a: (read.append(a[1]), whole(*a))[1])
    assert run(photos, out).recognised
    assert not written
    assert len(read) == IMAGES
    assert run(photos, out).recognised
    assert len(read) == IMAGES, "the new times are kept: a third run reads none"


def test_many_replaced_images_are_counted(photos, out):
    for row in (0, 1, 2, 3, 11):
        replace(photos / f"{row:02d}.bmp", row + 50)
    (line,) = run(photos, out).run.repaired
    assert "5 images were replaced since it was measured (00.bmp, 01.bmp, 02.bmp, ..); 8 images" in line


def test_images_replaced_between_an_interruption_and_its_resumption(photos, tmp_path):
    class Cut(Exception):
        pass

    few = dataclasses.replace(SETTINGS, batch_size=4)

    def stop(model, done, total) -> None:
        if done >= 8:
            raise Cut

    with pytest.raises(Cut):
        run(photos, tmp_path / "out", stop, few)
    assert marked_chunks(tmp_path / "out", GROUP) == [0]
    replace(photos / "01.bmp")
    replace(photos / "10.bmp")
    found, fresh = run(photos, tmp_path / "out", settings=few), run(photos, tmp_path / "fresh", settings=few)
    pd.testing.assert_frame_equal(found.table, fresh.table)
    assert "1 image was replaced since it was measured (01.bmp)" in found.run.repaired[0]


def rewrite(photos: Path, change) -> None:
    table = pd.read_csv(photos / "scores.csv")
    change(table).to_csv(photos / "scores.csv", index=False)


def new_row(photos: Path) -> None:
    replace(photos / "new.bmp")
    rewrite(photos, lambda table: pd.concat([table, pd.DataFrame({"image": ["new.bmp"], "memorability": [0.5]})]))


def row_gone(photos: Path) -> None:
    rewrite(photos, lambda table: table.drop(index=[3, 4]))


def image_gone(photos: Path) -> None:
    (photos / "07.bmp").unlink()


def other_scores(photos: Path) -> None:
    rewrite(photos, lambda table: table.assign(memorability=[0.1, 0.2, 0.3, 0.4, 0.5, *table["memorability"][5:]]))


def other_order(photos: Path) -> None:
    rewrite(photos, lambda table: table.iloc[::-1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (new_row, r"made by another run \(1 image is new \(new.bmp\)\); choose another folder"),
        (row_gone, r"2 images have gone \(03.bmp, 04.bmp\)"),
        (image_gone, r"1 image has gone \(07.bmp\)"),
        (other_scores, r"5 images have other scores \(00.bmp, 01.bmp, 02.bmp, \.\.\)"),
        (other_order, "the same images stand in another order"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_images_and_scores_that_came_went_or_changed_are_named(change, says, photos, out):
    change(photos)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(memjax.InputError, match=says) as caught:
        run(photos, out)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def as_version_0_2(out: Path) -> None:
    """The store and the record as the version before checksums wrote them."""
    for file in (out / MARKERS).glob("*.json"):
        found = json.loads(file.read_text())
        file.write_text(json.dumps({"failures": found["failures"], "turned": found["turned"]}))
    (out / MARKERS / "created").write_text("")
    metadata = json.loads((out / STORE / "zarr.json").read_text())
    identity = json.loads(metadata["attributes"]["memjax"])
    del identity["decoding"], metadata["attributes"]["measured_with"]
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


def test_two_hosts_compare_their_data_without_reading_all_of_it(tmp_path):
    for host, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_images(tmp_path / host, seed)
        (tmp_path / host / "scores.csv").write_bytes((tmp_path / "a" / "scores.csv").read_bytes())
    digests = [
        content_digest(memjax.open_folder(tmp_path / host, tmp_path / host / "scores.csv")) for host in ("a", "b", "c")
    ]
    assert digests[0] == digests[1], "copies of one folder, with other times"
    assert digests[0] != digests[2], "images of the same names and sizes"


def test_images_in_memory_are_compared_where_the_fingerprint_changed(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(3)]
    frame = pd.DataFrame({"memorability": [0.1, 0.2, 0.3]}, index=["a", "b", "c"])
    before = memjax.open_table(frame, images)
    seen = {row: content_at(before, row) for row in range(3)}
    images[1] = images[1] ^ 1
    after = memjax.open_table(frame, images)
    assert before.info["fingerprint"] != after.info["fingerprint"]
    assert changed_images(after, seen, other_data=True) == ([1], {row: seen[row] for row in (0, 2)})
    assert changed_images(before, seen, other_data=False) == ([], {})


def test_a_run_over_images_in_memory_measures_again_what_changed(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(IMAGES)]
    names = [f"i{row}" for row in range(IMAGES)]
    frame = pd.DataFrame({"memorability": rng.uniform(size=IMAGES)}, index=names)

    def sweep(out: str) -> memjax.Sweep:
        return memjax.sweep(memjax.open_table(frame, images), "memjax/tiny", tmp_path / out, SETTINGS, progress=False)

    sweep("a")
    images[6] = rng.integers(0, 256, (24, 24, 3), np.uint8)
    found, fresh = sweep("a"), sweep("b")
    assert "1 image was replaced since it was measured (i6); 4 images" in found.run.repaired[0]
    pd.testing.assert_frame_equal(found.table, fresh.table)
    assert sweep("a").recognised


KILLED = """
import os, sys
import memjax, memjax.pipelines.sweep_report as report
report.save_figures = lambda folder, drawn: os.kill(os.getpid(), 9)
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


def test_an_image_without_a_row_that_came_since_is_told(photos, out):
    replace(photos / "stray.bmp")
    found = run(photos, out)
    assert not found.recognised
    assert "1 row or image is set aside that the finished run did not know (stray.bmp)" in found.run.repaired[0]
    assert found.failures["image"].tolist() == ["stray.bmp"]
    assert run(photos, out).recognised
