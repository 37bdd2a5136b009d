"""Shards that are damaged, forged or no shards: one line that says what and where, and never more than that is lost."""

import io
import struct
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import memjax
from memjax.datasets import tar_shards
from memjax.datasets.content import content_at
from tests.shards_made import MEMBERS, NAMES, write_parquet, write_tar


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))


def added(make: Callable[[tarfile.TarInfo], bytes | None]) -> Callable[[Path], None]:
    """An archive with a member more, in its middle, that ``make`` fills in."""

    def write(file: Path) -> None:
        with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
            for name, data in MEMBERS.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
                if name == NAMES[2]:
                    odd = tarfile.TarInfo("odd.png")
                    content = make(odd)
                    odd.size = len(content or b"")
                    tar.addfile(odd, io.BytesIO(content or b""))

    return write


def link(kind: bytes, target: str) -> Callable[[tarfile.TarInfo], None]:
    def make(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, target

    return make


def called(name: str) -> Callable[[tarfile.TarInfo], bytes]:
    def make(info: tarfile.TarInfo) -> bytes:
        info.name = name
        return MEMBERS[NAMES[0]]

    return make


ODD = {
    "symbolic link": (link(tarfile.SYMTYPE, "/etc/passwd"), "odd.png", "expected an image file, got a link"),
    "hard link": (link(tarfile.LNKTYPE, "0.png"), "odd.png", "expected an image file, got a link"),
    "device": (link(tarfile.CHRTYPE, ""), "odd.png", "expected an image file, got no plain file"),
    "pipe": (link(tarfile.FIFOTYPE, ""), "odd.png", "expected an image file, got no plain file"),
    "absolute": (called("/etc/odd.png"), "/etc/odd.png", "absolute paths and '..' are refused"),
    "leads out": (called("a/../../odd.png"), "a/../../odd.png", "absolute paths and '..' are refused"),
    "backslashes": (called("..\\odd.png"), "..\\odd.png", "absolute paths and '..' are refused"),
    "drive": (called("C:odd.png"), "C:odd.png", "absolute paths and '..' are refused"),
    "line break": (called("o\ndd.png"), "o\\ndd.png", "an id with line breaks or other control characters"),
    "no text": (called("o\udcffdd.png"), "o\\udcffdd.png", "its name is no text in UTF-8"),
}


@pytest.mark.parametrize("case", ODD)
def test_a_member_that_is_no_image_of_its_archive_is_set_aside(case, tmp_path):
    make, image, said = ODD[case]
    added(make)(tmp_path / "a.tar")
    found = memjax.open_shards(tmp_path / "a.tar")
    assert found.table.index.tolist() == NAMES
    ((name, stage, error),) = found.rejected
    assert (name, stage in ("read", "scores")) == (image, True)
    assert said in error
    assert [found.records[row].data for row in range(6)] == list(MEMBERS.values())


def test_a_member_that_is_too_large_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_shards, "MAX_BYTES", 4000)
    write_tar(tmp_path / "a.tar", {"a.png": MEMBERS[NAMES[0]], "b.png": bytes(4001)})
    found = memjax.open_shards(tmp_path / "a.tar")
    assert found.table.index.tolist() == ["a.png"]
    assert found.rejected[0].error == "b.png: 4001 bytes, more than the limit of 4000"


def cut(size: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * size)]


def at(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + new + data[offset + len(new) :]


def header(**fields: bytes) -> bytes:
    """The header of a member, with some of its fields forged and a checksum that fits."""
    info = tarfile.TarInfo("x.png")
    info.size = 100
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[:512])
    for name, value in fields.items():
        start = {"size": 124, "type": 156}[name]
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


EACH = 512 + -(-len(MEMBERS[NAMES[0]]) // 512) * 512
THIRD = 2 * EACH  # where the third member begins; all are of about one size

TARS: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "cut inside a member": (lambda data: data[: 2 * EACH + 700], 2, "ends inside"),
    "without its end": (lambda data: data[: 6 * EACH], 6, "has no end mark after byte"),
    "garbage for a header": (at(THIRD, b"\x07" * 512), 2, "damaged at byte"),
    "zeros for a header": (at(THIRD, bytes(512)), 2, "damaged at byte"),
    "put together with cat": (lambda data: data + data, 6, "damaged at byte"),
    "a size below zero": (at(THIRD, header(size=b"\xff" * 12)), 2, "damaged"),
    "a size beyond all": (at(THIRD, header(size=b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7)), 2, "ends inside x.png"),
    "a header of a gigabyte": (at(THIRD, header(type=b"x", size=b"10000000000\0")), 2, "more than the limit"),
    "a long name of a gigabyte": (at(THIRD, header(type=b"L", size=b"10000000000\0")), 2, "more than the limit"),
    "empty": (lambda data: b"", 0, "damaged after 0 members"),
    "a web page": (lambda data: b"<!DOCTYPE html>" * 100, 0, "damaged after 0 members"),
    "headers upon headers": (
        lambda data: header(type=b"L", size=b"00000000000\0") * 5000,
        0,
        "damaged after 0 members",
    ),
}


@pytest.mark.parametrize("case", TARS)
@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_damaged_archive_loses_what_follows_and_says_so(case, where, tmp_path):
    damage, left, said = TARS[case]
    assert {EACH} == {512 + -(-len(data) // 512) * 512 for data in MEMBERS.values()}
    whole = write_tar(tmp_path / "whole.tar", MEMBERS, tarfile.GNU_FORMAT).read_bytes()
    (tmp_path / "a.tar").write_bytes(damage(whole))
    write_tar(tmp_path / "b.tar", {"b.png": MEMBERS[NAMES[0]]})
    (tmp_path / "s.csv").write_text("image,memorability\n" + "".join(f"{name},0.5\n" for name in (*NAMES, "b.png")))
    url = str(tmp_path)
    if where == "memory":
        url = "memory://damaged"
        for name in ("a.tar", "b.tar"):
            fsspec.filesystem("memory").pipe_file(f"{url}/{name}", (tmp_path / name).read_bytes())
    found = memjax.open_shards(f"{url}/{{a,b}}.tar", tmp_path / "s.csv")
    kept = found.table.index.tolist()
    assert kept == [*NAMES[:left], "b.png"]
    assert [found.records[row].data for row in range(len(kept) - 1)] == list(MEMBERS.values())[:left]
    told = {failure.image: failure.error for failure in found.rejected}
    assert said in told.pop("a.tar")
    assert list(told) == NAMES[left:]
    assert all("\n" not in error for error in told.values())
    fsspec.filesystem("memory").store.clear()


def pickled(file: Path) -> None:
    class Touch:
        def __reduce__(self):
            return Path(file.parent / "touched").touch, ()

    import pickle

    write_tar(file, {"0.pkl": pickle.dumps(Touch()), "0.pyd": pickle.dumps(Touch()), **MEMBERS, "0.json": b'{"s": 1}'})


def test_nothing_is_unpickled(tmp_path):
    pickled(tmp_path / "a.tar")
    for column in (None, "s", "pkl", "pyd"):
        with suppress(memjax.InputError):  # a pickle is no number
            memjax.open_shards(tmp_path / "a.tar", score_column=column)
    assert not (tmp_path / "touched").exists()


def rows_forged(data: bytes) -> bytes:
    return data[:-8] + struct.pack("<i", 2**31 - 1) + data[-4:]


PARQUETS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (cut(0.6), "not a whole Parquet file"),
    "empty": (lambda data: b"", "not a whole Parquet file"),
    "a web page": (lambda data: b"<!DOCTYPE html>" * 100, "not a whole Parquet file"),
    "a forged length": (rows_forged, "not a whole Parquet file"),
    "a damaged footer": (lambda data: data[:-60] + bytes(40) + data[-20:], ""),
}


@pytest.mark.parametrize("case", PARQUETS)
def test_a_damaged_parquet_file_is_said(case, tmp_path):
    damage, said = PARQUETS[case]
    whole = write_parquet(tmp_path / "a.parquet", MEMBERS, 2).read_bytes()
    (tmp_path / "a.parquet").write_bytes(damage(whole))
    write_parquet(tmp_path / "b.parquet", {"b.png": MEMBERS[NAMES[0]]})
    found = memjax.open_shards(tmp_path / "*.parquet")
    assert found.table.index.tolist()[-1] == "b.png"
    if said:
        assert said in found.rejected[0].error
        assert found.table.index.tolist() == ["b.png"]


def test_a_damaged_row_group_is_a_failure_of_its_images(tmp_path):
    images = pa.array([{"bytes": data, "path": name} for name, data in MEMBERS.items()])
    pq.write_table(
        pa.table({"image": images}),
        tmp_path / "a.parquet",
        row_group_size=2,
        compression="gzip",
        use_dictionary=False,
        write_page_checksum=True,
    )
    whole = (tmp_path / "a.parquet").read_bytes()
    page = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0)
    end = page.data_page_offset + page.total_compressed_size
    (tmp_path / "a.parquet").write_bytes(whole[: end - 400] + bytes(300) + whole[end - 100 :])
    found = memjax.open_shards(tmp_path / "a.parquet")
    assert len(found) == 6
    for row in (0, 1):
        with pytest.raises(memjax.InputError, match=r"a.parquet: row group 0 is damaged") as caught:
            found.records[row]
        assert type(caught.value).__name__ == "ImageError"
        assert content_at(found, row).digest == ""
    assert found.records[2].data == MEMBERS[NAMES[2]]
