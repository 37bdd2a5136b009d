"""Decoded images kept on the disk: the same numbers and markers with them and without, and nothing decoded twice."""

import dataclasses
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

import memjax
from benchmarks.generated_images import draw_image
from memjax import images, loader
from memjax.checks import InputError
from memjax.datasets import Dataset
from memjax.datasets.base import Record, make_table
from memjax.datasets.content import Content, stamp_at
from memjax.decoding import ImageError
from memjax.extract import Plan, extract
from memjax.loader import batches, into_cache
from memjax.predecoded import caching, image_cache, layout, writing
from memjax.store.markers import marked_chunks, marker_file, read_marker
from tests.cached import BROKEN, PRE, N, dataset, decoded, essence, files, needs_array_record, read, spoil_pixels_of

__all__ = ["dataset", "decoded"]  # fixtures
pytestmark = needs_array_record


@pytest.mark.parametrize("workers", [0, 2])
def test_with_and_without_are_the_same_to_the_last_bit(dataset, tmp_path, workers):
    without = essence(read(dataset, None)[0])
    filling, reading = (essence(read(dataset, tmp_path / "c", workers=count)[0]) for count in (workers, 0))
    assert filling == without
    assert reading == without
    assert any(batch[4] for batch in without)  # the broken one, told both times


def test_other_processes_read_it(dataset, tmp_path):
    """What worker processes are given; they open the files themselves."""
    found, _ = read(dataset, tmp_path / "c")
    _, cache = read(dataset, tmp_path / "c")
    kept = cache.images.get(1, found[0].contents[1])
    sent = pickle.loads(pickle.dumps(cache.images)).get(1, found[0].contents[1])
    assert np.array_equal(sent.pixels, found[0].pixels[1])
    assert (sent.digest, sent.turned) == (kept.digest, False)


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
    made = Dataset("mine", make_table(["a", "b", "c"], np.zeros(3)), _Memory(forms), {"fingerprint": "f"})
    first, _ = read(made, tmp_path / "c")
    decoded.clear()
    second, _ = read(made, tmp_path / "c")
    assert len(decoded) == 1
    assert essence(first) == essence(second)
    forms[0] = forms[2]
    assert essence(read(made, tmp_path / "c")[0]) == essence(read(made, None)[0])


class _Memory:
    def __init__(self, forms: list):
        self.forms = forms

    def __len__(self) -> int:
        return len(self.forms)

    def __getitem__(self, index: int) -> Record:
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
            extract(dataset, encoder, tmp_path / out, Plan(cache_images=tmp_path / "c"), tell=said.append)
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


def test_an_image_error_is_never_kept(dataset, tmp_path):
    read(dataset, tmp_path / "c")
    with image_cache(tmp_path / "c", dataset, PRE, np.arange(N)) as cache:
        assert cache.images.rows.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    with pytest.raises(ImageError):
        images.image_levels((tmp_path / "images" / BROKEN).read_bytes(), PRE)
