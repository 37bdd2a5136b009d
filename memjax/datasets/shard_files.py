"""Shards: large files that hold many images each, on this machine or in an object store. Which there are, and bytes of them.

Named by one path or URL, a glob pattern (``train-*.tar``), numbers or words in braces (``train-{000000..000127}.tar``), a folder
that holds ``*.tar`` or ``*.parquet``, or several of these. Object stores are read through fsspec.
"""

import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, TypeVar, cast, get_args, runtime_checkable

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from memjax.checks import InputError, check_kind, expected, unreadable
from memjax.datasets.listing import SUFFIXES
from memjax.remote import remote_fault, retried
from memjax.storage import Place, place

KINDS = (".tar", ".parquet")
"""Endings of shards: WebDataset's, and those that Hugging Face ``datasets`` writes."""
COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")
MOST_SHARDS = 100_000
"""Shards of a data set, at most."""
THREADS = 8
"""Shards that are asked for at the same time."""
READ_AHEAD = 2**22
"""Bytes that are asked of an object store at once while a shard is looked through."""

VERSIONS = (
    "generation", "etag", "ETag", "blob_id", "md5Hash", "Content-MD5", "Digest", "LastModified", "last_modified",
    "Last-Modified", "mtime", "updated", "created",
)  # fmt: skip
"""What object stores call that which changes when an object is replaced; the first that is there is taken."""

NamedShards: TypeAlias = str | Place | Sequence[str | Place]
Value = TypeVar("Value")


@runtime_checkable
class ReadFile(Protocol):
    """A file open for reading, as far as it is needed; fsspec's are of no one type."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Shard(NamedTuple):
    """A file of images.

    Attributes:
        url: its path, or its address in an object store.
        size: bytes.
        version: what changes when it is replaced; "" where its store says nothing of the kind.
    """

    url: str
    size: int
    version: str

    @property
    def name(self) -> str:
        """Without its folders."""
        return re.split(r"[/\\]", self.url)[-1]

    @property
    def remote(self) -> bool:
        """Whether it lies in an object store."""
        return "://" in self.url


def is_shards(images: str | Place) -> bool:
    """Whether something names shards, not a folder of images: a URL, a pattern, a shard, or a folder of shards and no image.

    Example:
        >>> is_shards("gs://bucket/train-{000..127}.tar"), is_shards("photos/")
        (True, False)
    """
    text = os.path.expanduser(str(images))
    if "://" in text:
        return True
    if not os.path.isdir(text):
        return (not os.path.exists(text) and bool(re.search(r"[*?{]", text))) or text.endswith((*KINDS, *COMPRESSED))
    with os.scandir(text) as scan:
        names = [entry.name.lower() for entry in scan if not entry.name.startswith(".") and entry.is_file()]
    return any(name.endswith(KINDS) for name in names) and not any(name.endswith(SUFFIXES) for name in names)


def find_shards(shards: NamedShards) -> list[Shard]:
    """The shards that are meant, in the order in which they are named; those of a pattern or folder sorted by name.

    Raises:
        InputError: there is none, one is missing, or not all are of one kind.
    """
    kinds = (str, *get_args(Place), Iterable)
    check_kind(shards, kinds, "shards", "a folder, a pattern, or a list of files", argument="images")
    several = [shards] if isinstance(shards, (str, Path, Place)) else list(shards)
    urls = list(dict.fromkeys(url for one in several for url in _named(str(one))))
    told = ", ".join(str(one) for one in several[:3])
    if not urls:
        raise expected(f"images {told}", "files *.tar or *.parquet", "none", "check the pattern", "images")
    if packed := [url for url in urls if url.endswith(COMPRESSED)]:
        fix = "a compressed archive can't be read at random: unpack it to .tar"
        raise expected(f"images {packed[0]}", "a shard *.tar or *.parquet", "a compressed archive", fix, "images")
    kinds = {os.path.splitext(url)[1] for url in urls}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        came = " and ".join(sorted(kind or "no ending" for kind in kinds))
        raise expected(f"images {told}", "shards of one kind, *.tar or *.parquet", came, argument="images")
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_described, urls))


def _named(text: str) -> list[str]:
    """The files that a path, URL, pattern or folder stands for."""
    text = text if "://" in text else os.path.expanduser(text)
    if "://" not in text and os.path.exists(text):  # whatever its name looks like
        return _of_folder(text) if os.path.isdir(text) else [text]
    return [url for name in expand_braces(text) for url in _of_pattern(name)]


def _of_pattern(name: str) -> list[str]:
    if re.search(r"[*?\[]", name):
        return _matching(name)
    ending = name.endswith((*KINDS, *COMPRESSED))
    return [name] if ending or not ("://" in name or os.path.isdir(name)) else _of_folder(name)


def _of_folder(folder: str) -> list[str]:
    root = folder.rstrip("/") if "://" in folder else glob.escape(folder)
    return [url for kind in KINDS for url in _matching(f"{root}/*{kind}")]


def _matching(pattern: str) -> list[str]:
    """The files that match a pattern, sorted; hidden ones only if it says so."""
    if "://" not in pattern:
        return sorted(name for name in glob.glob(pattern, recursive=True) if os.path.isfile(name))
    system, path = filesystem(pattern)
    system.invalidate_cache()
    found = reading(pattern, lambda: cast(list[str], system.glob(path)))
    return sorted(system.unstrip_protocol(one) for one in found)


def expand_braces(pattern: str) -> list[str]:
    """A pattern with braces written out, as a shell does.

    Raises:
        InputError: more than `MOST_SHARDS`.

    Example:
        >>> expand_braces("a-{008..010}.tar"), expand_braces("{train,test}.tar")
        (['a-008.tar', 'a-009.tar', 'a-010.tar'], ['train.tar', 'test.tar'])
    """
    names = [pattern]
    while found := re.search(r"\{([^{}]*)\}", names[0]):
        options = _options(found[1])
        if len(names) * len(options) > MOST_SHARDS:
            raise expected(f"images {pattern}", f"at most {MOST_SHARDS} shards", "more", argument="images")
        names = [name.replace(found[0], option, 1) for name in names for option in options]
    return names


def _options(inside: str) -> Sequence[str]:
    numbers = re.fullmatch(r"(\d{1,12})\.\.(\d{1,12})", inside)
    if not numbers:
        return inside.split(",")
    first, last = int(numbers[1]), int(numbers[2])
    if not 0 <= last - first < MOST_SHARDS:
        wanted = f"numbers that rise, at most {MOST_SHARDS} of them"
        raise expected(f"images {{{inside}}}", wanted, f"{first} to {last}", argument="images")
    padded = any(text.startswith("0") and len(text) > 1 for text in numbers.groups())
    width = max(map(len, numbers.groups())) if padded else 0
    return [f"{number:0{width}d}" for number in range(first, last + 1)]


def filesystem(url: str) -> tuple[AbstractFileSystem, str]:
    """fsspec's file system of a URL, and the path there.

    Raises:
        InputError: its driver is not installed.
    """
    place(url)
    system, path = url_to_fs(url)
    return system, path


def reading(url: str, call: Callable[[], Value]) -> Value:
    """``call()``, which reads a shard; in an object store, what fails in passing is tried again.

    Raises:
        InputError: the file can't be read, told in one line.
    """
    try:
        return retried(call) if "://" in url else call()
    except InputError:
        raise
    except FileNotFoundError as error:
        raise expected(f"images {url}", "a shard", "nothing there", argument="images") from error
    except Exception as error:
        found = remote_fault(error, url, "images") if "://" in url else None
        if found is None and isinstance(error, OSError):
            found = unreadable(f"images {url}", error, "images")
        if found is None:
            raise
        raise found from error


def _described(url: str) -> Shard:
    if "://" not in url:
        status = reading(url, lambda: os.stat(url))
        if not stat.S_ISREG(status.st_mode):
            raise expected(f"images {url}", "a shard", "no regular file", argument="images")
        return Shard(url, status.st_size, _version_of_file(status))
    system, path = filesystem(url)
    system.invalidate_cache(path)
    info: Mapping[str, object] = reading(url, lambda: system.info(path))
    size = info.get("size")
    if not isinstance(size, int):
        raise expected(f"images {url}", "an object whose size its store tells", "none", argument="images")
    return Shard(url, size, next((str(info[key]) for key in VERSIONS if info.get(key)), ""))


def _version_of_file(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns} {status.st_ctime_ns}"


@contextmanager
def opened(shard: Shard) -> Iterator[ReadFile]:
    """A shard, open for reading; on this machine, if it is still the file that was found (an object store is not asked again).

    Raises:
        InputError: it has gone, or is another by now.
    """
    if shard.remote:
        system, path = filesystem(shard.url)
        file = reading(shard.url, partial(system.open, path, "rb", block_size=READ_AHEAD, cache_type="readahead"))
    else:
        file = reading(shard.url, partial(open, shard.url, "rb"))
        status = os.fstat(file.fileno())
        if (status.st_size, _version_of_file(status)) != shard[1:]:
            file.close()
            raise InputError(f"images {shard.url}: changed while it was in use; run again", "images")
    with file:
        yield cast(ReadFile, file)


def read_range(shard: Shard, start: int, size: int) -> bytes:
    """``size`` bytes of a shard from ``start`` on.

    Raises:
        InputError: it has gone, gives fewer or more bytes, or, on this machine, is another by now.
    """
    if shard.remote:
        system, path = filesystem(shard.url)
        data = cast(bytes, reading(shard.url, lambda: system.cat_file(path, start, start + size)))
    else:
        with opened(shard) as file:
            file.seek(start)
            data = reading(shard.url, lambda: file.read(size))
    if len(data) != size:
        raise expected(f"images {shard.url}", f"{size} bytes at {start}", f"{len(data)}", "run again", "images")
    return data
