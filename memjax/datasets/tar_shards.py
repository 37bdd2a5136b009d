"""Shards of WebDataset: uncompressed tar archives, an image a member, what belongs to it beside it (``KEY.json``, ``KEY.cls``).

Only headers are read, and the small members that hold scores; nothing is extracted to disk, and nothing is unpickled. An image's
id is its member's path in the archive, extension included, as in a folder. With scores inside, a *sample* is what has one key
(the path up to the first dot of its file name): its score is the member ``KEY.NAME``, else the field ``NAME`` of ``KEY.json``.
"""

import io
import json
import posixpath
import re
import tarfile
from collections import Counter

from memjax.checks import InputError
from memjax.datasets.listing import is_hidden, is_image_name
from memjax.datasets.shard_files import ReadFile, Shard, opened, reading
from memjax.datasets.shard_index import ShardIndex
from memjax.decoding import MAX_BYTES
from memjax.naming import as_utf8

MOST_MEMBERS = 2**22
"""Members of a shard, at most."""
MOST_TEXT = 2**20
"""Largest header, and largest member with a score, in bytes."""
_SAMPLE = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)", re.DOTALL)
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def look_through_tar(shard: Shard, score: str) -> ShardIndex:
    """The images of an archive; what follows a damaged place is not known, and that is said.

    Args:
        score: the extension of the members, or the field of ``KEY.json``, with the scores; "" without.

    Raises:
        InputError: it can't be read at all.
    """
    found = _Found(score)
    with opened(shard) as file:
        magic = reading(shard.url, lambda: file.read(8))
        file.seek(0)
        packed = next((name for start, name in _PACKED.items() if magic.startswith(start)), "")
        if packed:
            raise InputError(
                f"images {shard.url}: compressed ({packed}), so it can't be read at random; unpack it", "images"
            )
        damage = _walk(shard, _Bounded(shard.url, file), found)
    return found.index([f"{shard.name}: {damage}"] if damage else [])


class _Bounded(io.RawIOBase):
    """A file of which nobody reads much at once: sizes in headers are a stranger's word."""

    def __init__(self, url: str, file: ReadFile):
        self.url, self.file = url, file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= MOST_TEXT:
            raise tarfile.ReadError(f"a header of {size} bytes, more than the limit of {MOST_TEXT}")
        return reading(self.url, lambda: self.file.read(size))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


def _walk(shard: Shard, file: _Bounded, found: "_Found") -> str:
    """Note every member; what is wrong with the archive, or ""."""
    before, count = -1, 0
    try:
        with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # it would keep all of them
                count += 1
                if member.offset <= before or count > MOST_MEMBERS:
                    return f"its headers lead back, or are more than {MOST_MEMBERS}; pack it again"
                before = member.offset
                if member.size < 0:
                    return f"damaged: {as_utf8(member.name)} has {member.size} bytes; fetch or pack it again"
                if member.offset_data + member.size > shard.size:
                    return f"ends inside {as_utf8(member.name)}; fetch it again, what follows is lost"
                found.note(member, file)
            return _fault_of_end(shard, file, tar.offset)
    except InputError:  # it can't be reached, which is no damage
        raise
    except (tarfile.TarError, ValueError, RecursionError, OverflowError) as error:
        return f"damaged after {count} members ({' '.join(str(error).split())}); fetch or pack it again"


def _fault_of_end(shard: Shard, file: _Bounded, offset: int) -> str:
    """An archive ends in zeros; tarfile takes any header that it can't read for the end."""
    file.seek(offset)
    rest = file.read(MOST_TEXT)
    if not rest:
        return f"has no end mark after byte {offset}: cut off? Fetch it again"
    if rest.strip(b"\0") or offset + len(rest) < shard.size:
        return f"damaged at byte {offset}: no header there, so what follows is lost; fetch or pack it again"
    return ""


class _Found:
    """Images and scores, gathered member by member."""

    def __init__(self, score: str):
        self.score = score
        self.images: list[tuple[str, str, int, int]] = []  # name, problem, first byte, size
        self.scores: dict[str, str] = {}
        self.categories: dict[str, str] = {}
        self.fields: dict[str, None] = {}

    def note(self, member: tarfile.TarInfo, file: _Bounded) -> None:
        """Keep what a member says."""
        if member.isdir():
            return
        written = as_utf8(member.name)
        problem = "" if written == member.name else f"{written}: its name is no text in UTF-8"
        problem = problem or problem_of_name(written)
        name = written if problem else posixpath.normpath(written)
        if _is_image(name):
            self.images.append((name, problem or _problem_of(member, name), member.offset_data, member.size))
        elif self.score and not problem and not _problem_of(member, name) and member.size <= MOST_TEXT:
            self._note_text(name, member, file)

    def _note_text(self, name: str, member: tarfile.TarInfo, file: _Bounded) -> None:
        sample = _SAMPLE.fullmatch(name)
        if not sample:
            return
        key, ending = sample.groups()
        self.fields[ending] = None
        if ending not in (self.score, "json"):
            return
        file.seek(member.offset_data)
        text = file.read(member.size).decode("utf-8", "replace")
        if ending == self.score:
            self.scores[key] = text.strip()
            return
        said = _json_object(text)
        self.fields |= dict.fromkeys(as_utf8(str(field)) for field in list(said)[:50])
        if isinstance(said.get(self.score), (str, int, float)):
            self.scores.setdefault(key, as_utf8(str(said[self.score])))
        if isinstance(said.get("category"), (str, int)):
            self.categories[key] = as_utf8(str(said["category"]))

    def index(self, damage: list[str]) -> ShardIndex:
        """All that was found; of several images of a sample, with scores inside, those are meant whose extension has no dot."""
        images = self._of_samples() if self.score else self.images
        names = [name for name, *_ in images]
        keys = [_key(name) for name in names]
        return ShardIndex(
            names,
            [problem for _, problem, _, _ in images],
            [self.scores.get(key, "") for key in keys],
            [self.categories.get(key, "") for key in keys],
            [0] * len(names),
            [at for *_, at, _ in images],
            [size for *_, size in images],
            damage,
            list(self.fields)[:50],
        )

    def _of_samples(self) -> list[tuple[str, str, int, int]]:
        plain = Counter(_key(image[0]) for image in self.images if _is_plain(image[0]))
        meant = [image for image in self.images if _is_plain(image[0]) or not plain[_key(image[0])]]
        several = Counter(_key(image[0]) for image in meant)
        return [
            (name, problem or _problem_of_sample(name, several[_key(name)]), at, size)
            for name, problem, at, size in meant
        ]


def _problem_of_sample(name: str, images: int) -> str:
    return f"{name}: one of {images} images of a sample with one score; keep one" if images > 1 else ""


def _json_object(text: str) -> dict[str, object]:
    """A JSON object; empty where a text is none: its image is then without a score, which is told."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(name: str) -> str:
    sample = _SAMPLE.fullmatch(name)
    return sample[1] if sample else name


def _is_plain(name: str) -> bool:
    sample = _SAMPLE.fullmatch(name)
    return sample is not None and "." not in sample[2]


def _is_image(name: str) -> bool:
    """As `memjax.datasets.listing` tells: by its ending, not a companion of macOS, not in a hidden folder."""
    *folders, base = name.split("/")
    return is_image_name(base) and not any(is_hidden(part) for part in folders if part not in (".", ".."))


def problem_of_name(name: str) -> str:
    """Why a name can't be an image's id, or ""."""
    parts = re.split(r"[/\\]", name)
    if not name or "\0" in name or name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        return f"{name!r}: not a path inside the shard; absolute paths and '..' are refused"
    return ""


def _problem_of(member: tarfile.TarInfo, name: str) -> str:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        kind = "a link" if member.islnk() or member.issym() else "no plain file"
        return f"{name}: expected an image file, got {kind}"
    if member.size > MAX_BYTES:
        return f"{name}: {member.size} bytes, more than the limit of {MAX_BYTES}"
    return ""
