"""What is no data set in shards is refused in one line; what is the fault of one row is a failure of that row."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import memjax
from memjax.datasets import parquet_shards
from memjax.datasets.content import changed_images, content_at
from tests.shards_made import MEMBERS, NAMES, write_parquet, write_tar


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no such file": (lambda folder: folder / "x.tar", "expected a shard, got nothing there"),
    "no such files": (lambda folder: f"{folder}/x-*.tar", r"expected files \*.tar or \*.parquet, got none"),
    "no such folder": (lambda folder: folder / "x", "expected shards of one kind, .* got no ending"),
    "an empty folder": (lambda folder: folder / "empty", r"expected files \*.tar or \*.parquet, got none"),
    "two kinds": (lambda folder: f"{folder}/a.{{tar,parquet}}", "shards of one kind, .* got .parquet and .tar"),
    "a compressed archive": (lambda folder: folder / "a.tar.gz", "a compressed archive; .* unpack it"),
    "compressed within": (lambda folder: folder / "c.tar", r"compressed \(gzip\)"),
    "a driver that is missing": (lambda folder: "abc://bucket/a.tar", "no driver for abc:// is installed"),
    "a folder called .tar": (lambda folder: folder / "d.tar", r"expected files \*.tar or \*.parquet, got none"),
    "no bucket": (lambda folder: "memory://nothing/a.tar", "expected a shard, got nothing there"),
    "an id twice": (lambda folder: [folder / "a.tar", folder / "b.tar"], r"0.png: a.tar and b.tar\): ids there more than"),
    "no images": (lambda folder: folder / "n.parquet", "expected one column of images .* got columns x"),
    "several columns": (lambda folder: folder / "s.parquet", "expected one column of images .* got y, z; call it 'image'"),
    "no image": (lambda folder: folder / "o.tar", "shards: no usable image"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_data_set_is_refused_in_one_line(case, tmp_path):
    which, said = WRONG[case]
    for name in ("a.tar", "b.tar"):
        write_tar(tmp_path / name, MEMBERS)
    for name in ("a.tar.gz", "c.tar"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    for name in ("empty", "d.tar"):
        (tmp_path / name).mkdir()
    write_tar(tmp_path / "o.tar", {"a.txt": b"0.5"})
    write_parquet(tmp_path / "a.parquet", MEMBERS)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "n.parquet")
    pq.write_table(pa.table({"y": [b"1"], "z": [b"1"]}), tmp_path / "s.parquet")
    with pytest.raises(memjax.InputError, match=said) as caught:
        memjax.open_shards(which(tmp_path))
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "column", "said"),
    [
        ("a.parquet", "score", r"expected a column of scores 'score', got image, words"),
        ("a.parquet", "image", r"expected a column of scores 'image', got image, words"),
        ("a.parquet", "words", "no usable image"),
        ("a.tar", "cls", "expected scores 'cls' beside them, got none; there are images alone"),
    ],
)
def test_scores_that_are_not_inside(images, column, said, tmp_path):
    write_parquet(tmp_path / "a.parquet", MEMBERS, words=["high"] * 6)
    write_tar(tmp_path / "a.tar", MEMBERS)
    with pytest.raises(memjax.InputError, match=said):
        memjax.open_shards(tmp_path / images, score_column=column)
    with pytest.raises(memjax.InputError, match="score_column with scores: expected one of them"):
        memjax.open_shards(tmp_path / images, tmp_path / "s.csv", score_column=column)


def test_a_row_of_parquet_without_bytes_opens_no_path(tmp_path):
    (tmp_path / "0.png").write_bytes(MEMBERS[NAMES[0]])
    paths = [str(tmp_path / "0.png"), "../0.png", "0.png"]
    images = pa.array(
        [{"bytes": None, "path": path} for path in paths], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet")
    found = memjax.open_shards(tmp_path / "a.parquet")
    assert found.table.index.tolist() == ["0.png"]
    assert [failure.image for failure in found.rejected] == paths[:2]
    with pytest.raises(memjax.InputError, match=r"no image bytes in this row of a\.parquet"):
        found.records[0]


def test_row_groups_are_bounded(tmp_path, monkeypatch):
    write_parquet(tmp_path / "a.parquet", MEMBERS, rows=6)
    monkeypatch.setattr(parquet_shards, "MOST_GROUP", 5000)
    with pytest.raises(memjax.InputError, match=r"row groups of at most 5000 bytes, got \d+ in group 0; write it with"):
        memjax.open_shards(tmp_path / "a.parquet")


def test_a_store_that_does_not_tell_versions_is_compared_by_contents(tmp_path, monkeypatch):
    monkeypatch.setattr("memjax.datasets.shard_files.VERSIONS", ())
    memory = fsspec.filesystem("memory")
    memory.pipe_file("memory://v/a.tar", write_tar(tmp_path / "a.tar", MEMBERS).read_bytes())
    before = memjax.open_shards("memory://v/a.tar")
    seen = {row: content_at(before, row) for row in range(6)}
    assert {content.stamp for content in seen.values()} == {None}
    other = MEMBERS | {NAMES[3]: MEMBERS[NAMES[3]][:-1] + b"x"}
    memory.pipe_file("memory://v/a.tar", write_tar(tmp_path / "a.tar", other).read_bytes())
    assert changed_images(memjax.open_shards("memory://v/a.tar"), seen, other_data=True)[0] == [3]
    memory.store.clear()


def test_a_store_that_refuses_ends_the_run_in_one_line(tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("memory://v/a.tar", write_tar(tmp_path / "a.tar", MEMBERS).read_bytes())
    found = memjax.open_shards("memory://v/a.tar")
    monkeypatch.setattr("memjax.remote.PATIENCE", 0.0)
    for error, said in (
        (OSError("Forbidden: https://storage/b"), "images memory://v/a.tar: the credentials give no right"),
        (ConnectionResetError("reset"), "images memory://v/a.tar: the object store does not answer"),
        (FileNotFoundError("a.tar"), "images memory://v/a.tar: expected a shard, got nothing there"),
    ):

        def refuse(self, path, start=None, end=None, error=error):
            raise error

        monkeypatch.setattr(type(memory), "cat_file", refuse)
        with pytest.raises(memjax.InputError, match=said) as caught:
            found.records[0]
        assert type(caught.value) is memjax.InputError  # no failure of this one image: the run ends
    memory.store.clear()


def test_a_damaged_score_file_row_is_told_as_in_a_folder(tmp_path):
    write_tar(tmp_path / "a.tar", MEMBERS)
    for name, data in MEMBERS.items():
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(data)
    pd.DataFrame({"image": NAMES[:5], "memorability": ["0.5", "", "x", "0.25", "nan"]}).to_csv(
        tmp_path / "s.csv", index=False
    )
    ours = memjax.open_shards(tmp_path / "a.tar", tmp_path / "s.csv")
    theirs = memjax.open_folder(tmp_path / "photos", tmp_path / "s.csv")
    assert sorted(ours.rejected) == sorted(theirs.rejected)
    pd.testing.assert_frame_equal(ours.table, theirs.table)


class Cut(io.BytesIO):
    """An object that is read over a connection which is lost after some reads."""

    def __init__(self, data: bytes, reads: int):
        super().__init__(data)
        self.left = reads

    def read(self, size=-1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("reset by peer")
        return super().read(size)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
@pytest.mark.parametrize("reads", [0, 1, 2, 3, 4])
def test_a_lost_connection_is_no_damage(kind, reads, tmp_path, monkeypatch):
    file = (write_tar if kind == "tar" else write_parquet)(tmp_path / f"a.{kind}", MEMBERS)
    memory, url = fsspec.filesystem("memory"), f"memory://lost/a.{kind}"
    memory.pipe_file(url, file.read_bytes())
    monkeypatch.setattr("memjax.remote.PATIENCE", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(type(memory), "_open", lambda self, path, *rest, **more: Cut(file.read_bytes(), reads))
        if kind == "parquet" and reads > 2:
            assert memjax.open_shards(url).table.index.tolist() == NAMES  # a footer and two row groups of paths
        else:
            with pytest.raises(memjax.InputError, match=r"the object store does not answer .*reset by peer"):
                memjax.open_shards(url)
    assert memjax.open_shards(url).table.index.tolist() == NAMES
    memory.store.clear()
