"""Which file an id means: the path that it says, else the only file that it can mean.

Of an id that is no path below the folder, these are tried in turn, and the first that fits decides: the path written in
another way (``./a.png``, ``sub//a.png``, ``sub\\a.png``, an absolute path inside the folder, the folder's own name before it);
other accents (NFC, NFD) and then other letter case; no extension; the name of a file in a subfolder. The last two take no
file that another row names. What fits two files is no match, and two ids of one file are refused.
"""

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from memjax.checks import InputError
from memjax.datasets.listing import SUFFIXES
from memjax.datasets.paths import ImageFolder, NoSuchImageError, comparable
from memjax.datasets.scores import check_unique
from memjax.datasets.suggestions import Suggestions
from memjax.naming import printable


class Match(NamedTuple):
    """The files of some ids.

    Attributes:
        names: of each id the path below the folder; where no file fits, of the file that there should be.
        missing: rows with a path below the folder where no file is, and no other file fits.
        reasons: row -> what to say of an id that no file fits, beside that.
        meant: files that such reasons name.
        said: how ids were matched that are no paths; empty where all are.
    """

    names: list[str]
    missing: set[int]
    reasons: dict[int, str]
    meant: set[str]
    said: str


def match_ids(ids: Sequence[str], folder: ImageFolder | None, files: Mapping[str, bool], where: str) -> Match:
    """Find the file of each id.

    Args:
        ids: text; empty ones are left alone.
        folder: where the files are; None: in no folder, so that there is nothing beside ``files``.
        files: from `memjax.datasets.listing.find_images`.
        where: what messages call the column of ids.

    Raises:
        InputError: an id twice, or two ids of one file.
    """
    check_unique(pd.Series(ids, dtype=str), where)
    spellings = _Spellings(folder)
    names, ways = list(ids), {}
    missing: dict[int, str] = {}
    for row, image in enumerate(ids):
        found = image if image in files else spellings.there(image, files)
        if found is None:
            missing[row] = image
        elif found != image:
            names[row], ways[row] = found, "another way of writing the path"
    reasons, meant = _match_loosely(missing, names, ways, files, spellings) if missing else ({}, set())
    _check_one_id_a_file(ids, names, where)
    _check_links(
        ids, names, [row for row in range(len(ids)) if row not in missing or row in ways], folder, files, where
    )
    gone = {row for row, image in missing.items() if row not in ways and next(spellings.of(image), None) is not None}
    return Match(names, gone, reasons, meant, _said(ids, names, ways))


def _match_loosely(
    missing: Mapping[int, str],
    names: list[str],
    ways: dict[int, str],
    files: Mapping[str, bool],
    spellings: "_Spellings",
) -> tuple[dict[int, str], set[str]]:
    """Fill in ``names`` and ``ways`` of the ids that are no paths; `Match.reasons` and `Match.meant` of the rest."""
    reasons: dict[int, str] = {}
    meant: set[str] = set()
    taken = {name for row, name in enumerate(names) if row not in missing}
    index, suggestions = _Index(files, taken), Suggestions([name for name in files if name not in taken])
    for row, image in missing.items():
        way, candidates = index.look_up(list(spellings.of(image)))
        if len(candidates) == 1:
            names[row], ways[row] = candidates[0], way
        elif candidates:
            meant |= set(candidates)
            reasons[row] = f"{' or '.join(map(printable, candidates[:3]))} can be meant; write the path"
        elif near := suggestions.near(image):
            reasons[row] = f"did you mean {printable(near)}?"
    return reasons, meant


def check_match(folder: ImageFolder, files: Mapping[str, bool], match: Match, image: str, row: int) -> None:
    """Check that the file of a row can be read.

    Raises:
        ImageError: it cannot be; the message calls it ``image``.
    """
    if files.get(match.names[row]):
        return
    if row in match.missing:
        reason = f"; {match.reasons[row]}" if row in match.reasons else ""
        raise NoSuchImageError(f"{image}: no such image in {folder.path}{reason}", "read")
    folder.file(match.names[row])


class _Spellings:
    """The paths below a folder that an id may be a way of writing."""

    def __init__(self, folder: ImageFolder | None):
        self.folder = folder and folder.path
        roots = dict.fromkeys((os.path.abspath(folder.path), os.path.realpath(folder.path))) if folder else {}
        self.roots = [root.replace(os.sep, "/").strip("/").split("/") for root in roots]

    def of(self, image: str) -> Iterator[str]:
        """The likeliest first; none for an id that leaves the folder."""
        for text in dict.fromkeys((image, image.replace("\\", "/"))):
            if not text or "\0" in text or ".." in text.split("/"):
                continue
            path = posixpath.normpath(text)
            if os.path.isabs(path):
                yield from self._below_roots(path)
                continue
            yield path
            for parts in self.roots:
                for count in range(1, len(parts) + 1):
                    prefix = "/".join(parts[-count:]) + "/"
                    if path.startswith(prefix):
                        yield path.removeprefix(prefix)

    def _below_roots(self, path: str) -> Iterator[str]:
        below = path.replace(os.sep, "/").strip("/").split("/")
        for parts in self.roots:
            if below[: len(parts)] == parts and len(below) > len(parts):
                yield "/".join(below[len(parts) :])

    def there(self, image: str, files: Mapping[str, bool]) -> str | None:
        """The first of them that exists."""
        return next((path for path in self.of(image) if path in files or self._exists(path)), None)

    def _exists(self, path: str) -> bool:
        return self.folder is not None and os.path.lexists(self.folder / path)


def _folded(name: str) -> str:
    """A name without its letter case and the form of its accents."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _stem(name: str) -> str:
    return name[: name.rindex(".")]


class _Index:
    """Files by what is left of their names when less and less of it counts."""

    def __init__(self, files: Iterable[str], taken: set[str]):
        self.files, self.taken = list(files), taken
        self._by: dict[Callable[[str], str], dict[str, list[str]]] = {}

    def look_up(self, spellings: Sequence[str]) -> tuple[str, list[str]]:
        """How an id was matched, and the files that it can mean by that."""
        for path in spellings:
            if same := self._get(_folded, _folded(path)):
                accents = [f for f in same if unicodedata.normalize("NFC", f) == unicodedata.normalize("NFC", path)]
                return ("another form of accents" if accents else "letter case"), accents or same
        for path in spellings:
            bare = not path.lower().endswith(SUFFIXES)
            if bare and (found := self._free(_folded_stem, path)):
                return "no extension", found
            if found := self._free(_folded_base, path):
                return "the file name alone", found
            if bare and (found := self._free(_folded_base_stem, path)):
                return "the file name alone, without extension", found
        return "", []

    def _get(self, key: Callable[[str], str], value: str) -> list[str]:
        if key not in self._by:
            self._by[key] = defaultdict(list)
            for file in self.files:
                self._by[key][key(file)].append(file)
        return self._by[key].get(value, [])

    def _free(self, key: Callable[[str], str], path: str) -> list[str]:
        """The files without a row of their own that end with ``path``."""
        whole = _folded(path)
        found = self._get(key, whole if key is _folded_stem else posixpath.basename(whole))
        ends = [(_folded_stem if key is not _folded_base else _folded)(file) for file in found]
        return [
            file
            for file, end in zip(found, ends, strict=True)
            if file not in self.taken and (end == whole or end.endswith(f"/{whole}"))
        ]


def _folded_stem(name: str) -> str:
    return _folded(_stem(name))


def _folded_base(name: str) -> str:
    return _folded(posixpath.basename(name))


def _folded_base_stem(name: str) -> str:
    return _folded(_stem(posixpath.basename(name)))


def _check_one_id_a_file(ids: Sequence[str], names: Sequence[str], where: str) -> None:
    """Refuse one path in two spellings."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        if name and rows.setdefault(_path_key(name), row) != row:
            raise _doubled(ids[rows[_path_key(name)]], ids[row], where)


def _path_key(name: str) -> str:
    return comparable(name if ".." in name.split("/") else posixpath.normpath(name))


def _check_links(
    ids: Sequence[str],
    names: Sequence[str],
    there: Sequence[int],
    folder: ImageFolder | None,
    files: Mapping[str, bool],
    where: str,
) -> None:
    """Refuse, of the rows whose files are there, a file and a link to it in the same folder.

    Two links to a third file are let be: stores that keep equal files once make such links.
    """
    linked = [row for row in there if not files.get(names[row])]
    if not linked or folder is None:
        return
    rows, root = {_path_key(names[row]): row for row in there}, os.path.realpath(folder.path)
    for row in linked:
        target = os.path.relpath(os.path.realpath(folder.path / names[row]), root).replace(os.sep, "/")
        first = rows.get(comparable(target), row)
        if first != row:
            raise _doubled(ids[first], ids[row], where)


def _doubled(one: str, other: str, where: str) -> InputError:
    same = f"{printable(one)} and {printable(other)} are one file"
    return InputError(f"{where}: ids there more than once: {same}; keep one row per image")


def _said(ids: Sequence[str], names: Sequence[str], ways: Mapping[int, str]) -> str:
    """The ways in which ids were matched, each with its number and the first example."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, way in ways.items():
        rows[way].append(row)
    said = [
        f"{len(found)} of {len(ids)} ids matched by {way} ({printable(ids[found[0]])} is {printable(names[found[0]])})"
        for way, found in rows.items()
    ]
    return "; ".join(said)
