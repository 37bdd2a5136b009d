"""Decoded images kept on the disk: the same numbers and markers, nothing decoded twice, damage and changes noticed."""

import dataclasses
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import memjax
from benchmarks.generated_images import draw_image
from memjax import images, loader
from memjax.checks import InputError
from memjax.datasets import Dataset, array_records, open_folder
from memjax.datasets.content import Content, stamp_at
from memjax.decoding import ImageError
from memjax.extract import Plan, extract
from memjax.loader import Batch, batches, into_cache
from memjax.locks import locked_file
from memjax.predecoded import ImageCache, caching, image_cache, layout, writing
from memjax.preprocessing import Preprocessing
from memjax.store.markers import marked_chunks, marker_file, read_marker

if not array_records.is_installed():
    pytest.skip("array_record is not installed", allow_module_level=True)

PRE = Preprocessing(resize=20, crop=(16, 16))
N = 9
BROKEN = "4.jpg"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Nine JPEG files, one of them turned by its EXIF, one broken."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(N):
        exif = Image.Exif()
        exif[0x112] = 6 if i == 2 else 1
        draw_image(i, 40 + i, 30).save(folder / f"{i}.jpg", exif=exif)
    (folder / BROKEN).write_bytes(b"nothing")
    rows = ["image,memorability", *(f"{i}.jpg,{i / N}" for i in range(N))]
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return open_folder(folder, tmp_path / "scores.csv")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every image that is decoded."""
    calls: list[int] = []
    real = images.decode_upright

    def counted(*args, **named):
        calls.append(1)
        return real(*args, **named)

    monkeypatch.setattr(images, "decode_upright", counted)
    return calls


def read(
    dataset: Dataset, root: Path | None, pre: Preprocessing = PRE, rows: list[int] | None = None, workers: int = 0
) -> tuple[list[Batch], ImageCache]:
    """All batches of a data set, through a cache."""
    chosen = np.array(range(len(dataset)) if rows is None else rows, np.int64)
    with image_cache(root, dataset, pre, chosen) as cache:
        found = list(into_cache(batches(dataset, pre, 4, chosen, workers, cache.images), cache))
    return found, cache


def essence(found: list[Batch]) -> list[object]:
    """What a run makes of batches."""
    return [
        (b.ids, b.pixels.tobytes(), b.valid.tolist(), b.turned.tolist(), b.failures, b.contents, b.positions.tolist())
        for b in found
    ]


def files(root: Path, ending: str) -> list[Path]:
    return sorted(root.glob(f"*/*{ending}"))


@pytest.mark.parametrize("workers", [0, 2])
def test_with_and_without_are_the_same_to_the_last_bit(dataset, tmp_path, workers):
    without = essence(read(dataset, None)[0])
    filling, reading = (essence(read(dataset, tmp_path / "c", workers=workers)[0]) for _ in range(2))
    assert filling == without
    assert reading == without
    assert any(batch[4] for batch in without)  # the broken one, told both times


def test_a_second_run_decodes_nothing_but_what_failed(dataset, tmp_path, decoded):
    read(dataset, tmp_path / "c")
    assert len(decoded) == N
    decoded.clear()
    found, _ = read(dataset, tmp_path / "c")
    assert len(decoded) == 1  # the broken one: its failure is told anew
    assert not any(batch.fresh.any() for batch in found)
    assert len(files(tmp_path / "c", layout.RECORDS)) == 1  # and nothing is written again


def test_a_file_that_has_not_changed_is_not_even_read(dataset, tmp_path, monkeypatch):
    read(dataset, tmp_path / "c")
    before = essence(read(dataset, None)[0])
    monkeypatch.setattr(loader, "digest_of_image", lambda data: "0" * 32)
    after = essence(read(dataset, tmp_path / "c")[0])
    for old, new in zip(before, after):
        contents = zip(old[0], old[5], new[5])
        assert all(was == now for image, was, now in contents if image != BROKEN)


def test_a_replaced_image_is_decoded_again_and_a_touched_one_is_not(dataset, tmp_path, decoded):
    read(dataset, tmp_path / "c")
    draw_image(77, 41, 30).save(tmp_path / "images" / "1.jpg")
    os.utime(tmp_path / "images" / "3.jpg", ns=(1, 1))
    decoded.clear()
    found, _ = read(dataset, tmp_path / "c")
    assert len(decoded) == 2  # the replaced and the broken one
    assert essence(found) == essence(read(dataset, None)[0])
    decoded.clear()
    read(dataset, tmp_path / "c")
    assert len(decoded) == 1


def test_an_image_that_broke_since_is_a_failure(dataset, tmp_path):
    read(dataset, tmp_path / "c")
    (tmp_path / "images" / "1.jpg").write_bytes(b"broken")
    (tmp_path / "images" / "3.jpg").unlink()
    found, _ = read(dataset, tmp_path / "c")
    assert [f.image for b in found for f in b.failures] == ["1.jpg", "3.jpg", BROKEN]
    assert essence(found) == essence(read(dataset, None)[0])


def spoil_pixels(root: Path) -> None:
    (file,) = files(root, layout.RECORDS)
    data = bytearray(file.read_bytes())
    at = data.index(read_pixels(root)[:64])
    data[at + 5] ^= 255
    file.write_bytes(data)


def read_pixels(root: Path) -> bytes:
    """Those of the first image as they lie there."""
    from array_record.python.array_record_module import ArrayRecordReader

    return ArrayRecordReader(str(files(root, layout.RECORDS)[0]), "").read([0])[0]


def cut_records(root: Path) -> None:
    (file,) = files(root, layout.RECORDS)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def lose_records(root: Path) -> None:
    files(root, layout.RECORDS)[0].unlink()


def spoil_index(root: Path) -> None:
    (file,) = files(root, layout.INDEX)
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)


def empty_index(root: Path) -> None:
    files(root, layout.INDEX)[0].write_bytes(b"")


def exchange_records(root: Path) -> None:
    """Records that are whole, but other images'."""
    from array_record.python.array_record_module import ArrayRecordWriter

    (file,) = files(root, layout.RECORDS)
    writer = ArrayRecordWriter(str(file), "group_size:1,uncompressed")
    for _ in range(N - 1):
        writer.write(bytes(16 * 16 * 3))
    writer.close()


DAMAGE = {
    spoil_pixels: "1 image is not as written; decoded again",
    cut_records: "images are not as written; decoded again",
    lose_records: "8 images are not as written; decoded again",
    exchange_records: "8 images are not as written; decoded again",
    spoil_index: r"not a whole index \(its checksum does not fit\); its images are decoded again",
    empty_index: r"not a whole index \(its checksum does not fit\); its images are decoded again",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
def test_damage_is_said_and_decoded_again(damage, dataset, tmp_path, decoded):
    wanted = essence(read(dataset, tmp_path / "c")[0])
    damage(tmp_path / "c")
    decoded.clear()
    found, cache = read(dataset, tmp_path / "c")
    assert essence(found) == wanted
    assert len(decoded) > 1
    (line,) = cache.said
    assert re.search(DAMAGE[damage], line)
    decoded.clear()
    again, cache = read(dataset, tmp_path / "c")
    assert (essence(again), len(decoded)) == (wanted, 1)
    assert not cache.damaged  # the whole copy counts


def test_a_hostile_index_is_not_unpickled_and_bounded(dataset, tmp_path, monkeypatch):
    read(dataset, tmp_path / "c")
    (file,) = files(tmp_path / "c", layout.INDEX)
    body = pickle.dumps({"row": 1})
    file.write_bytes(layout.hashlib.sha256(body).digest() + body)
    _, cache = read(dataset, tmp_path / "c", rows=[])
    assert "not a whole index" in cache.said[0]
    monkeypatch.setattr(layout, "MOST_ENTRIES", 0)
    file.write_bytes(bytes(8192))
    _, cache = read(dataset, tmp_path / "c", rows=[])
    assert "too large for an index" in cache.said[0]


class TestInterrupted:
    def test_what_was_decoded_before_counts(self, dataset, tmp_path, decoded):
        rows = np.arange(len(dataset))

        def interrupted() -> None:
            with image_cache(tmp_path / "c", dataset, PRE, rows) as cache:
                for number, _ in enumerate(into_cache(batches(dataset, PRE, 2, rows, cached=cache.images), cache)):
                    if number == 1:
                        raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        decoded.clear()
        found, _ = read(dataset, tmp_path / "c")
        assert len(decoded) == N - 4
        assert essence(found) == essence(read(dataset, None)[0])

    def killed(self, dataset: Dataset, root: Path, keep: tuple[str, ...]) -> Path:
        """What is left of a run that was killed with some files written."""
        read(dataset, root)
        (index,) = files(root, layout.INDEX)
        token = index.name.removesuffix(layout.INDEX)
        records = index.with_name(token + layout.RECORDS)
        for ending in keep:
            if ending != layout.RECORDS:
                index.with_name(token + ending).write_bytes(records.read_bytes()[:100])
        for file in (index, *(() if layout.RECORDS in keep else (records,))):
            file.unlink()
        return index.parent

    @pytest.mark.parametrize(
        "keep", [(".part", ".lock"), (".array_record", ".lock"), (".array_record", ".part", ".lock"), (".lock",)]
    )
    def test_a_killed_run_leaves_nothing_behind(self, dataset, tmp_path, keep, decoded):
        folder = self.killed(dataset, tmp_path / "c", keep)
        decoded.clear()
        found, cache = read(dataset, tmp_path / "c")
        assert len(decoded) == N
        assert (essence(found), cache.said) == (essence(read(dataset, None)[0]), [])
        assert sorted(file.suffix for file in folder.iterdir()) == [layout.RECORDS, layout.INDEX]

    def test_a_part_that_is_being_written_is_left_alone(self, dataset, tmp_path):
        folder = self.killed(dataset, tmp_path / "c", (".part", ".lock"))
        (part,) = folder.glob("*.part")
        with locked_file(part.with_suffix(".lock"), wait=False):
            read(dataset, tmp_path / "c")
            assert part.exists()
        read(dataset, tmp_path / "c")
        assert not part.exists()

    def test_a_write_that_fails_is_one_line_and_leaves_what_is_whole(self, dataset, tmp_path, monkeypatch, decoded):
        real, seen = writing.PartWriter.add, []

        def full(self, entry, pixels):
            seen.append(1)
            if len(seen) == 6:
                raise RuntimeError("write() failed: No space left on device; writing x")
            real(self, entry, pixels)
            if len(seen) == 3:
                self.finish()

        monkeypatch.setattr(writing.PartWriter, "add", full)
        with pytest.raises(InputError, match="No space left on device; make room"):
            read(dataset, tmp_path / "c")
        monkeypatch.undo()
        (folder,) = (tmp_path / "c").iterdir()
        assert sorted(file.suffix for file in folder.iterdir()) == [layout.RECORDS, layout.INDEX]
        with image_cache(tmp_path / "c", dataset, PRE, np.arange(N)) as cache:
            assert cache.images.rows.tolist() == [0, 1, 2]


def test_parts_are_bounded(dataset, tmp_path, monkeypatch, decoded):
    monkeypatch.setattr(writing, "PART_BYTES", 3 * 16 * 16 * 3)
    read(dataset, tmp_path / "c")
    assert len(files(tmp_path / "c", layout.INDEX)) == 3
    decoded.clear()
    assert essence(read(dataset, tmp_path / "c")[0]) == essence(read(dataset, None)[0])
    assert len(decoded) == 1 + N


def test_no_room_is_told_before_anything_is_decoded(dataset, tmp_path, monkeypatch, decoded):
    usage = caching.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(caching.shutil, "disk_usage", lambda folder: usage._replace(free=9000))
    with pytest.raises(InputError, match=r"9 images of 16 x 16 pixels take 0\.0 GB, and 0\.0 GB are free") as caught:
        read(dataset, tmp_path / "c")
    assert (caught.value.argument, decoded) == ("cache_images", [])
    read(dataset, tmp_path / "c", rows=[0, 1])  # those would fit


@pytest.mark.parametrize("where", ["gs://bucket/cache", "s3://bucket"])
def test_an_object_store_is_refused(dataset, where):
    with pytest.raises(InputError, match="expected a folder of this machine"):
        read(dataset, Path(where))


def test_a_file_where_the_folder_belongs(dataset, tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(InputError, match="cache_images"):
        read(dataset, tmp_path / "c")


OTHERS = {
    "size": {"crop": (12, 16)}, "resize": {"resize": 24}, "filter": {"resample": 2}, "orientation": {"orientation": "stored"},
    "decoder": {"decoder": "fast"},
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_another_geometry_has_a_cache_of_its_own(other, dataset, tmp_path, decoded):
    if other == "decoder":
        pytest.importorskip("simplejpeg")
        pytest.importorskip("cykooz_resizer")
    pre = dataclasses.replace(PRE, **OTHERS[other])
    read(dataset, tmp_path / "c")
    decoded.clear()
    assert essence(read(dataset, tmp_path / "c", pre)[0]) == essence(read(dataset, None, pre)[0])
    assert len(decoded) == 2 * N
    assert len(list((tmp_path / "c").iterdir())) == 2


def test_normalisation_does_not_part_them(dataset, tmp_path, decoded):
    read(dataset, tmp_path / "c")
    decoded.clear()
    read(dataset, tmp_path / "c", dataclasses.replace(PRE, mean=None, std=None, rescale=None))
    assert len(decoded) == 1


@pytest.mark.parametrize("changed", ["decoding", "pillow", "data"])
def test_other_versions_and_data_have_a_cache_of_their_own(changed, dataset, tmp_path, monkeypatch):
    before = layout.cache_folder(tmp_path, dataset, PRE)
    if changed == "decoding":
        monkeypatch.setattr(layout, "VERSION", 999)
    elif changed == "pillow":
        monkeypatch.setattr(layout, "version", lambda name: "0")
    else:
        dataset = dataclasses.replace(dataset, info={**dataset.info, "fingerprint": "another"})
    assert layout.cache_folder(tmp_path, dataset, PRE) != before


def test_shares_of_several_processes(dataset, tmp_path, decoded):
    """Each writes parts of its own; together they are the whole, whoever reads it."""
    for process in range(3):
        read(dataset, tmp_path / "c", rows=list(range(N))[process::3])
    assert len(files(tmp_path / "c", layout.INDEX)) == 3
    decoded.clear()
    assert essence(read(dataset, tmp_path / "c")[0]) == essence(read(dataset, None)[0])
    assert len(decoded) == 1 + N


def test_two_runs_at_once_do_not_disturb_each_other(dataset, tmp_path):
    rows = np.arange(N)
    with image_cache(tmp_path / "c", dataset, PRE, rows) as one, image_cache(tmp_path / "c", dataset, PRE, rows) as two:
        found = [list(into_cache(batches(dataset, PRE, 4, rows, cached=cache.images), cache)) for cache in (one, two)]
    assert essence(found[0]) == essence(found[1])
    assert essence(read(dataset, tmp_path / "c")[0]) == essence(found[0])


def test_images_without_files(tmp_path, decoded):
    """Bytes and arrays are known by their contents; of an opened image nothing tells whether it is still the same."""
    several = [draw_image(i, 40, 30) for i in range(3)]
    forms = [np.asarray(several[0]), several[1], np.asarray(several[2])]
    made = Dataset("mine", _table(["a", "b", "c"]), _Memory(forms), {"fingerprint": "f"})
    first, _ = read(made, tmp_path / "c")
    decoded.clear()
    second, _ = read(made, tmp_path / "c")
    assert len(decoded) == 1
    assert essence(first) == essence(second)
    forms[0] = forms[2]
    assert essence(read(made, tmp_path / "c")[0]) == essence(read(made, None)[0])


def _table(ids: list[str]):
    from memjax.datasets.base import make_table

    return make_table(ids, np.zeros(len(ids)))


class _Memory:
    def __init__(self, forms: list):
        self.forms = forms

    def __len__(self) -> int:
        return len(self.forms)

    def __getitem__(self, index: int):
        from memjax.datasets.base import Record

        return Record("abc"[index], self.forms[index])


def test_an_entry_of_another_image_in_its_row_does_not_count(dataset, tmp_path, decoded):
    read(dataset, tmp_path / "c")
    table = dataset.table.rename(index={"0.jpg": "zero.jpg"})
    other = dataclasses.replace(dataset, table=table)  # the same fingerprint, by a mistake
    with image_cache(tmp_path / "c", other, PRE, np.arange(N)) as cache:
        assert 0 not in cache.images.rows
        assert cache.images.get(0, Content("", stamp_at(dataset.records, 0))) is None


class TestExtraction:
    """Through the store: values, markers, failures."""

    def contents(self, out: Path) -> list[object]:
        (group,) = (path.name for path in (out / "progress").iterdir())
        markers = [read_marker(marker_file(out, group, chunk)) for chunk in marked_chunks(out, group)]
        return [(m.contents, m.failures, m.turned, m.sums) for m in markers]

    def test_store_and_markers_are_the_same(self, dataset, tmp_path, decoded):
        encoder = memjax.load("memjax/tiny")
        plans = {"without": None, "filling": tmp_path / "c", "reading": tmp_path / "c"}
        failures = {
            name: extract(dataset, encoder, tmp_path / name, Plan(batch_size=4, cache_images=root))
            for name, root in plans.items()
        }
        assert len(decoded) == 2 * N + 1
        assert failures["without"] == failures["filling"] == failures["reading"]
        without, filling, reading = (self.contents(tmp_path / name) for name in plans)
        assert without == filling == reading

    def test_damage_is_told_by_the_run(self, dataset, tmp_path):
        encoder = memjax.load("memjax/tiny")
        said: list[str] = []
        for out in ("a", "b"):
            extract(dataset, encoder, tmp_path / out, Plan(cache_images=tmp_path / "c"), say=said.append)
            if out == "a":
                spoil_pixels_of(tmp_path / "c")
        assert len(said) == 1
        assert "1 image is not as written; decoded again" in said[0]

    def test_the_setting_changes_no_identity(self, dataset, tmp_path, undrawn):
        plain, cached = (memjax.SweepSettings(bootstraps=20, cache_images=root) for root in (None, tmp_path / "c"))
        first = memjax.sweep(dataset, "memjax/tiny", tmp_path / "one", plain, progress=False)
        second = memjax.sweep(dataset, "memjax/tiny", tmp_path / "two", cached, progress=False)
        third = memjax.sweep(dataset, "memjax/tiny", tmp_path / "three", cached, progress=False)
        assert first.run.run_id == second.run.run_id
        tables = [(tmp_path / name / "correlations.csv").read_bytes() for name in ("one", "two", "three")]
        assert tables[0] == tables[1] == tables[2]
        assert third.run.settings["cache_images"] == str(tmp_path / "c")
        again = memjax.sweep(dataset, "memjax/tiny", tmp_path / "one", cached, progress=False)
        assert again.run.finished == first.run.finished  # recognised as finished


def spoil_pixels_of(root: Path) -> None:
    """Of a larger image: the file's middle."""
    (file,) = files(root, layout.RECORDS)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)


def test_an_image_error_is_never_kept(dataset, tmp_path):
    read(dataset, tmp_path / "c")
    with image_cache(tmp_path / "c", dataset, PRE, np.arange(N)) as cache:
        assert cache.images.rows.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    with pytest.raises(ImageError):
        images.image_levels((tmp_path / "images" / BROKEN).read_bytes(), PRE)
