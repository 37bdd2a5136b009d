"""A cache of decoded images that is damaged, hostile, or was left by a run that was interrupted."""

import errno
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from memjax.checks import InputError
from memjax.datasets import Dataset
from memjax.loader import batches, into_cache
from memjax.locks import locked_file
from memjax.predecoded import image_cache, layout, writing
from tests.cached import PRE, N, dataset, decoded, essence, files, needs_array_record, read

__all__ = ["dataset", "decoded"]  # fixtures
pytestmark = needs_array_record


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
    def test_what_was_decoded_before_counts(self, dataset, tmp_path):
        rows = np.arange(len(dataset))

        def interrupted() -> None:
            with image_cache(tmp_path / "c", dataset, PRE, rows) as cache:
                for number, _ in enumerate(into_cache(batches(dataset, PRE, 2, rows, cached=cache.images), cache)):
                    if number == 1:
                        raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        found, _ = read(dataset, tmp_path / "c")
        assert sum(int(batch.fresh.sum()) for batch in found) == N - 4 - 1  # two batches of two; one is broken
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

    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOSPC, errno.EROFS])
    def test_a_folder_that_cannot_be_written_is_one_line(self, number, dataset, tmp_path, monkeypatch):
        def refused(file, wait):
            raise OSError(number, "refused", str(file))

        monkeypatch.setattr(writing, "locked_file", refused)
        with pytest.raises(InputError, match=r"cache_images .*can't be written \(refused\)") as caught:
            read(dataset, tmp_path / "c")
        assert caught.value.argument == "cache_images"

    def test_what_a_killed_run_left_there_is_no_trouble_either(self, dataset, tmp_path, monkeypatch):
        (folder,) = (tmp_path / "c").iterdir() if read(dataset, tmp_path / "c") else ()
        (folder / f"left{layout.LOCK}").touch()

        def refused(file, wait):
            raise OSError(errno.ENOSYS, "refused", str(file))

        monkeypatch.setattr(writing, "locked_file", refused)
        with pytest.raises(InputError, match=r"cache_images .*can't be written \(refused\)"):
            read(dataset, tmp_path / "c")
