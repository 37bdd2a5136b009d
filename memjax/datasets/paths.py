"""Paths named by a data set's own files: they stay inside its folder, whatever the table says."""

import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from memjax.datasets.base import Failure
from memjax.decoding import ImageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".jp2", ".avif")
"""Names that count as images when a folder is searched for images without a score."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def inside(folder: Path, name: str) -> Path:
    """The file ``name`` below ``folder``.

    Raises:
        ImageError: stage "read": no such file, no regular file, or outside of the folder (absolute, ``..``, symlink).
    """
    if not name or "\0" in name or Path(name).anchor or ".." in Path(name).parts:  # on Windows, C:x has an anchor too
        raise ImageError(f"{name!r}: not a path inside {folder}; absolute paths and '..' are refused", "read")
    path = folder / name
    root = os.path.realpath(folder)
    try:
        real = os.path.realpath(path, strict=True)
        mode = os.stat(real).st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "no such image" if missing else getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{name}: {reason} in {folder}", "read") from None
    if not Path(real).is_relative_to(root):
        raise ImageError(f"{name}: a symbolic link that leads out of {folder}; copy the file into it", "read")
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "neither a file nor a folder"
        raise ImageError(f"{name}: expected an image file, got {kind}", "read")
    return path


def printable(name: str) -> str:
    """A name as one line of text that can be written as UTF-8: control characters and bytes that are no text escaped.

    Example:
        >>> printable("a\\n.png")
        'a\\\\n.png'
    """
    text = name.encode("utf-8", "backslashreplace").decode()
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def comparable(name: str) -> str:
    """A path as the system's file systems compare it: outside of Linux, case and the form of accents do not count."""
    return name if sys.platform == "linux" else unicodedata.normalize("NFC", name).casefold()


def image_names(folder: Path, unreadable: list[Failure]) -> Iterator[str]:
    """Names, relative to ``folder``, of all images in it and below, sorted within each folder; links not followed.

    Args:
        unreadable: what cannot be listed is added to it.
    """

    def note(error: OSError) -> None:
        name = printable(os.path.relpath(error.filename, folder))
        unreadable.append(Failure(name, "read", f"{name}: the folder cannot be listed: {error.strerror}"))

    for root, folders, files in os.walk(folder, onerror=note):
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith(SUFFIXES):
                yield (Path(root) / file).relative_to(folder).as_posix()


def first_there(folder: Path, names: Sequence[str]) -> Path:
    """The first of ``names`` below ``folder`` that exists; the first of all where none does."""
    paths = [folder / name for name in names]
    return next((path for path in paths if path.exists()), paths[0])


def matching(folder: Path, *patterns: str) -> list[Path]:
    """What matches any of the glob patterns, sorted; `Spec.inputs` of most data sets."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})
