"""Images and scores that are not those that were measured; stores of earlier versions; what another run left."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import memjax
from memjax.board import difference
from memjax.datasets.content import changed_images, content_at, content_digest
from memjax.pipelines import agreement
from memjax.store import marked_chunks
from tests.damage import GROUP, IMAGES, SETTINGS, rewrite, run, write_image, write_images

ROOT = Path(__file__).resolve().parents[1]
STORE, MARKERS = f"features.zarr/{GROUP}", f"progress/{GROUP}"


pytestmark = pytest.mark.usefixtures("small_chunks")


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
        (new_row, r"made by another run \(images was 12, now 13; 1 image is new \(new.bmp\)\); choose another folder"),
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


def test_an_image_without_a_row_that_came_since_is_told(photos, out):
    replace(photos / "stray.bmp")
    found = run(photos, out)
    assert not found.recognised
    assert "1 row or image is set aside that the finished run did not know (stray.bmp)" in found.run.repaired[0]
    assert found.failures["image"].tolist() == ["stray.bmp"]
    assert run(photos, out).recognised


def test_processes_that_see_other_images_of_the_same_name_and_size_say_so(tmp_path, monkeypatch):
    """Uncompressed, so that other pixels have as many bytes."""
    found = []
    for place, level in (("a", 20), ("b", 90)):
        (tmp_path / place / "images").mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (24, 24), (level + i,) * 3).save(tmp_path / place / "images" / f"{i}.bmp")
        (tmp_path / place / "s.csv").write_text(
            "image,memorability\n" + "".join(f"{i}.bmp,0.{i + 1}\n" for i in range(4))
        )
        found.append(memjax.open_folder(tmp_path / place / "images", tmp_path / place / "s.csv"))
    encoders, settings = [memjax.load("memjax/tiny")], memjax.SweepSettings()
    first, second = (agreement.facts(dataset, encoders, settings) for dataset in found)
    assert [name for name in first if first[name] != second[name]] == ["images (sizes, and contents of a sample)"]
    told = difference(1, first, second)
    assert "process 1 differs from process 0: images (sizes, and contents of a sample)" in told
    monkeypatch.setattr(agreement, "content_digest", lambda dataset: pytest.fail("one process has nothing to compare"))
    agreement.agree_on_run(found[0], encoders, settings)
