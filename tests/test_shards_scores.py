"""Which shards are meant, and which image and score are which: patterns, ids, scores beside the images."""

from pathlib import Path

import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

import memjax
from memjax.datasets import shard_files
from tests.damage import IMAGES
from tests.shards_made import pack_tar, write_parquet, write_tar


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("a-{08..11}.tar", ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]),
        ("a-{8..10}.tar", ["a-8.tar", "a-9.tar", "a-10.tar"]),
        ("{a,b}-{0..1}.tar", ["a-0.tar", "a-1.tar", "b-0.tar", "b-1.tar"]),
        ("a.tar", ["a.tar"]),
    ],
)
def test_braces(pattern, wanted):
    assert shard_files.expand_braces(pattern) == wanted


@pytest.mark.parametrize("pattern", ["{0..999999999}.tar", "{9..3}.tar", "{0..9999}{0..9999}.tar"])
def test_braces_are_bounded(pattern):
    with pytest.raises(memjax.InputError, match="at most 100000"):
        shard_files.expand_braces(pattern)


def test_what_counts_as_shards(tmp_path):
    for folder, files in {
        "tars": ["a.tar"],
        "both": ["a.tar", "b.jpg"],
        "none": ["a.txt"],
        "x [1]{2}": ["b.png"],
    }.items():
        (tmp_path / folder).mkdir()
        for name in files:
            (tmp_path / folder / name).write_bytes(b"")
    told = {folder: shard_files.is_shards(tmp_path / folder) for folder in ("tars", "both", "none", "x [1]{2}")}
    assert told == {"tars": True, "both": False, "none": False, "x [1]{2}": False}
    assert shard_files.is_shards(str(tmp_path / "*.tar"))


def test_scores_beside_the_images_of_an_archive(tmp_path, photos):
    data = (photos / "00.bmp").read_bytes()
    members = {
        "./a/1.jpg": data, "./a/1.cls": b"0.25\n", "./a/1.seg.png": data, "a/1.pyd": b"cos\nsystem\n(S'touch x'\ntR.",
        "a/2.jpg": data, "a/2.json": b'{"cls": 0.75, "category": "cat"}',
        "a/3.jpg": data, "a/3.json": b"[" * 100_000,
        "a/4.jpg": data, "a/4.cls": b"high",
        "a/5.jpg": data, "a/5.png": data, "a/5.cls": b"0.5",
        "__MACOSX/._1.jpg": data, "a/._1.jpg": data, ".git/1.jpg": data,
    }  # fmt: skip
    write_tar(tmp_path / "a.tar", members)
    found = memjax.open_shards(tmp_path / "a.tar", score_column="cls")
    assert found.table["memorability"].to_dict() == {"a/1.jpg": 0.25, "a/2.jpg": 0.75}
    assert found.table["category"].tolist() == ["", "cat"]
    said = {failure.image: failure.error for failure in found.rejected}
    assert set(said) == {"a/3.jpg", "a/4.jpg", "a/5.jpg", "a/5.png"}
    assert "got 'high'" in said["a/4.jpg"]
    assert "got an empty cell" in said["a/3.jpg"]
    assert "one of 2 images of a sample" in said["a/5.png"]
    with pytest.raises(
        memjax.InputError, match=r"expected scores 'txt' beside them, got none; there are cls, .*category"
    ):
        memjax.open_shards(tmp_path / "a.tar", score_column="txt")
    everything = memjax.open_shards(tmp_path / "a.tar").table.index.tolist()
    assert everything == ["a/1.jpg", "a/1.seg.png", "a/2.jpg", "a/3.jpg", "a/4.jpg", "a/5.jpg", "a/5.png"]


def test_scores_are_joined_by_id_in_the_order_of_the_shards(photos, tmp_path):
    pattern = pack_tar(photos, tmp_path / "tar", 3)
    table = pd.read_csv(photos / "scores.csv")
    table["image"] = table["image"].str.removesuffix(".bmp")
    table = pd.concat([table.iloc[::-1].iloc[:-1], pd.DataFrame({"image": ["99", "7"], "memorability": [0.5, 0.5]})])
    table.to_csv(tmp_path / "s.csv", index=False)
    found = memjax.open_shards(pattern, tmp_path / "s.csv")
    assert found.table.index.tolist() == [f"{row:02d}" for row in range(1, IMAGES)]
    assert found.records[3].data == (photos / "04.bmp").read_bytes()
    assert "11 of 13 ids matched by no extension" in str(found.info["ids_matched"])
    assert {failure.image: failure.error for failure in found.rejected} == {
        "99": "99: no such image in 3 shards",
        "7": "7: no such image in 3 shards; did you mean 07.bmp?",
        "00.bmp": "the image has no row in s.csv",
    }
    assert len(memjax.open_shards(pattern, tmp_path / "s.csv", limit=4)) == 4


def test_ids_and_labels_of_parquet(photos, tmp_path):
    data = (photos / "00.bmp").read_bytes()
    write_parquet(tmp_path / "a.parquet", {"": data}, id=[7], score=[0.25], category=["cat"])
    write_parquet(tmp_path / "b.parquet", {"": data}, score=[None], category=["dog"])
    found = memjax.open_shards(tmp_path / "*.parquet", score_column="score")
    assert found.table["memorability"].to_dict() == {"7": 0.25}
    assert [failure.image for failure in found.rejected] == ["b.parquet/000000"]
    assert found.table["category"].tolist() == ["cat"]


@pytest.mark.parametrize("column", ["id", "key", "filename"])
def test_images_of_parquet_may_stand_in_a_column_that_is_called_like_an_id(column, photos, tmp_path):
    data = (photos / "00.bmp").read_bytes()
    parquet.write_table(pyarrow.table({column: pyarrow.array([data], pyarrow.binary())}), tmp_path / "a.parquet")
    found = memjax.open_shards(tmp_path / "a.parquet")
    assert found.table.index.tolist() == ["a.parquet/000000"]
    assert found.records[0].data == data
