"""Images in shards: the same numbers as a folder's, whatever the shards are and wherever they lie."""

import dataclasses
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

import memjax
from experiments import sweep_layers
from memjax.datasets import shard_files, shard_index, shard_records
from memjax.extract import extract
from tests.command import exit_code
from tests.damage import IMAGES, SETTINGS
from tests.shards_made import pack_parquet, pack_tar

pytestmark = pytest.mark.usefixtures("small_chunks")
SHARDS = 4


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory():
    """A file system in memory, empty."""
    yield "memory://bucket"
    fsspec.filesystem("memory").store.clear()


def to_memory(folder: Path, url: str) -> None:
    for file in folder.iterdir():
        fsspec.filesystem("memory").pipe_file(f"{url}/{file.name}", file.read_bytes())


def sources(photos: Path, memory: str) -> dict[str, memjax.Dataset]:
    """The images of a folder in all kinds of shards."""
    root, scores = photos.parent, photos / "scores.csv"
    tar, inside = pack_tar(photos, root / "tar", SHARDS), pack_tar(photos, root / "inside", SHARDS, inside=True)
    parquet = pack_parquet(photos, root / "parquet", SHARDS)
    to_memory(root / "tar", f"{memory}/tar")
    to_memory(root / "parquet", f"{memory}/parquet")
    return {
        "tar, pattern": memjax.open_shards(tar, scores),
        "tar, folder": memjax.open_shards(root / "tar", scores),
        "tar, scores inside": memjax.open_shards(inside, score_column="memorability"),
        "tar, in memory": memjax.open_shards(f"{memory}/tar/train-{{000..003}}.tar", scores),
        "tar, in memory, folder": memjax.open_shards(f"{memory}/tar", scores),
        "parquet": memjax.open_shards(parquet, scores),
        "parquet, list": memjax.open_shards(sorted((root / "parquet").iterdir()), scores),
        "parquet, scores inside": memjax.open_shards(parquet, score_column="memorability"),
        "parquet, in memory": memjax.open_shards(f"{memory}/parquet/*.parquet", scores),
    }


def test_records_of_every_kind_are_the_folders(photos, memory):
    folder = memjax.open_folder(photos, photos / "scores.csv")
    for kind, dataset in sources(photos, memory).items():
        pd.testing.assert_frame_equal(dataset.table, folder.table, obj=kind)
        copy = pickle.loads(pickle.dumps(dataset.records))
        for row in [*range(IMAGES), 0, 5]:
            assert dataset.records[row] == folder.records[row] == copy[row], (kind, row)
        assert not dataset.rejected, kind
        with pytest.raises(IndexError):
            dataset.records[IMAGES]


@pytest.mark.parametrize("kind", ["tar", "parquet"])
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_sweep_over_shards_is_the_folders(kind, workers, photos, tmp_path):
    pattern = (pack_tar if kind == "tar" else pack_parquet)(photos, tmp_path / kind, SHARDS)
    dataset = memjax.open_shards(pattern, photos / "scores.csv")
    settings = dataclasses.replace(SETTINGS, workers=workers)
    ours = memjax.sweep(dataset, "memjax/tiny", tmp_path / "ours", settings, progress=False)
    folder = memjax.open_folder(photos, photos / "scores.csv")
    theirs = memjax.sweep(folder, "memjax/tiny", tmp_path / "theirs", SETTINGS, progress=False)
    for name, values in theirs.features["memjax/tiny"].data_vars.items():
        np.testing.assert_array_equal(ours.features["memjax/tiny"][name], values, err_msg=str(name))
    tables = [(tmp_path / out / "correlations.csv").read_bytes() for out in ("ours", "theirs")]
    assert tables[0] == tables[1]
    assert ours.run.dataset.name == "shards"


def test_the_command_reads_shards(photos, tmp_path, monkeypatch, capsys):
    pattern = pack_tar(photos, tmp_path / "tar", SHARDS, inside=True)
    words = ["--images", pattern, "--bootstraps", 20, "--metrics", "cls_mean", "--out"]
    scores = ["--scores", photos / "scores.csv"]
    assert exit_code(monkeypatch, sweep_layers, *words, tmp_path / "a", *scores) == 0
    assert exit_code(monkeypatch, sweep_layers, *words, tmp_path / "b", "--score-column", "memorability") == 0
    assert exit_code(monkeypatch, sweep_layers, *words, tmp_path / "c", "--features-only") == 0
    assert (tmp_path / "a/correlations.csv").read_bytes() == (tmp_path / "b/correlations.csv").read_bytes()
    assert not (tmp_path / "c/correlations.csv").exists()
    capsys.readouterr()
    for wrong, said in (
        ([], "--scores: expected a CSV file"),
        ([*scores, "--score-column", "x"], "--score-column with scores: expected one of them"),
        (["--score-column", "x"], "--score-column"),
    ):
        assert exit_code(monkeypatch, sweep_layers, *words, tmp_path / "d", *wrong) == 2
        assert said in capsys.readouterr().err
    assert exit_code(monkeypatch, sweep_layers, "--images", photos, "--score-column", "x", "--out", tmp_path / "e") == 2
    assert "--score-column: expected shards" in capsys.readouterr().err


def test_shards_are_looked_through_once(photos, tmp_path, cache, monkeypatch):
    pattern, looked = pack_tar(photos, tmp_path / "tar", SHARDS), []
    look = memjax.datasets.shards.look_through_tar
    monkeypatch.setattr(
        "memjax.datasets.shards.look_through_tar", lambda *given: (looked.append(given[0].name), look(*given))[1]
    )

    def opened() -> list[str]:
        looked.clear()
        assert len(memjax.open_shards(pattern, photos / "scores.csv")) == IMAGES
        return sorted(looked)

    names = [f"train-00{number}.tar" for number in range(SHARDS)]
    assert opened() == names
    assert opened() == []
    (tmp_path / "tar/train-002.tar").touch()
    assert opened() == ["train-002.tar"]
    kept = sorted((cache / "shards").glob("*.json"))
    kept[0].write_text(kept[0].read_text().replace("1", "2", 1))
    kept[1].write_text("[" * 100_000)
    kept[2].unlink()
    assert len(opened()) in (2, 3)  # one of the five is of the shard before it was touched
    monkeypatch.setattr(shard_index, "_write", lambda file, index: None)
    (cache / "shards").rename(cache / "before")
    assert opened() == opened() == names


def test_a_cache_that_cannot_be_written_is_no_hindrance(photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "file"))
    assert len(memjax.open_shards(pack_tar(photos, tmp_path / "tar", 2), photos / "scores.csv")) == IMAGES


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_each_process_reads_the_shards_of_its_own_chunks(kind, photos, tmp_path, monkeypatch):
    """Chunks are dealt out one after another (4 images, as many as a shard here): process 1 of 3 opens the second shard alone."""
    pattern = (pack_tar if kind == "tar" else pack_parquet)(photos, tmp_path / kind, 3)
    dataset, read = memjax.open_shards(pattern, photos / "scores.csv"), []
    opened, encoder = shard_files.opened, memjax.load("memjax/tiny")

    def noted(shard):
        read.append(shard.name)
        return opened(shard)

    monkeypatch.setattr(shard_files, "opened", noted)
    monkeypatch.setattr("memjax.datasets.parquet_shards.opened", noted)
    names = []
    for index in range(3):
        monkeypatch.setattr("memjax.processes.this", lambda index=index: (index, 3))
        monkeypatch.setattr("memjax.processes.wait_for_all", lambda what: None)
        read.clear()
        extract(dataset, encoder, tmp_path / f"out{index}", SETTINGS.plan())
        names.append(set(read))
    assert [len(found) for found in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


def test_a_replaced_shard_is_noticed_and_a_touched_one_is_not(photos, tmp_path, monkeypatch, capsys):
    pattern = pack_tar(photos, tmp_path / "tar", 3)

    def swept() -> memjax.Sweep:
        dataset = memjax.open_shards(pattern, photos / "scores.csv")
        return memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", SETTINGS, progress=False)

    swept()
    (tmp_path / "tar/train-001.tar").touch()
    assert not swept().run.repaired
    (photos / "05.bmp").write_bytes((photos / "09.bmp").read_bytes())
    pack_tar(photos, tmp_path / "tar", 3)
    (line,) = swept().run.repaired
    assert "1 image was replaced since it was measured (05.bmp); 4 images" in line


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_shard_that_changes_or_goes_during_a_run_ends_it_in_one_line(kind, photos, tmp_path):
    pattern = (pack_tar if kind == "tar" else pack_parquet)(photos, tmp_path / "s", 2)
    dataset = memjax.open_shards(pattern, photos / "scores.csv")
    first, second = sorted((tmp_path / "s").iterdir())
    first.write_bytes(first.read_bytes() + bytes(10240))
    second.unlink()
    for row, said in (
        (0, "changed while it was in use; run again"),
        (IMAGES - 1, "expected a shard, got nothing there"),
    ):
        with pytest.raises(memjax.InputError, match=said) as caught:
            dataset.records[row]
        assert "\n" not in str(caught.value)


def test_an_object_store_is_asked_for_windows_not_images(photos, memory, tmp_path, monkeypatch):
    pack_tar(photos, tmp_path / "tar", 1)
    to_memory(tmp_path / "tar", memory)
    dataset = memjax.open_shards(f"{memory}/*.tar", photos / "scores.csv")
    monkeypatch.setattr(shard_records, "WINDOW", 4096)  # two images of 1,782 bytes, and a part of the next
    asked, read = [], shard_records.read_range
    monkeypatch.setattr(shard_records, "read_range", lambda *given: (asked.append(given[1:]), read(*given))[1])
    folder = memjax.open_folder(photos, photos / "scores.csv")
    for _ in range(3):
        for row in range(IMAGES):
            assert dataset.records[row] == folder.records[row]
    single = [size for _, size in asked if size < 2000]
    assert len(single) < IMAGES
    assert len(asked) < 2 * IMAGES


def test_blocks_are_loaded_once_and_forgotten_oldest_first():
    blocks, loaded = shard_records.Blocks(most_bytes=30), []

    def get(key: int) -> None:
        assert blocks.get(key, lambda: (loaded.append(key), [bytes(10), None])[1]) == [bytes(10), None]

    for key in (0, 1, 2, 0, 3, 1):
        get(key)
    assert loaded == [0, 1, 2, 3, 1]
    with pytest.raises(ZeroDivisionError):
        blocks.get(9, lambda: [bytes(1 // 0)])
    assert blocks.get(9, lambda: [b"now"]) == [b"now"]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_sweep_whose_shard_goes_ends_in_one_line_and_goes_on_when_it_is_back(workers, photos, tmp_path):
    pattern = pack_tar(photos, tmp_path / "tar", 3)
    shard, away = tmp_path / "tar/train-002.tar", tmp_path / "away.tar"
    settings = dataclasses.replace(SETTINGS, workers=workers)
    dataset = memjax.open_shards(pattern, photos / "scores.csv")
    shard.rename(away)
    with pytest.raises(memjax.InputError, match=r"train-002.tar: expected a shard, got nothing there") as caught:
        memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", settings, progress=False)
    assert "\n" not in str(caught.value)
    away.rename(shard)
    again = memjax.open_shards(pattern, photos / "scores.csv")
    assert memjax.sweep(again, "memjax/tiny", tmp_path / "out", settings, progress=False).run.failures == 0
