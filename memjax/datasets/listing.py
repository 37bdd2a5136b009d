"""The images in a folder and below, told by their names' endings.

Passed over, since nobody means them: macOS' companions (``._a.png``, ``__MACOSX``), hidden folders (``.git``,
``.ipynb_checkpoints``, caches of thumbnails), and what memjax itself wrote: a folder with ``features.zarr``, or with
``run.json`` and ``figures``. ``Thumbs.db`` and ``.DS_Store`` have no image's ending. A row of a score file may still name
any of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from memjax.datasets.base import Failure
from memjax.datasets.paths import ImageFolder
from memjax.naming import printable

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".jp2", ".avif", ".heic", ".heif",
)  # fmt: skip
"""Names that count as images when a folder is searched."""

STORE, RECORD, FIGURES = "features.zarr", "run.json", "figures"
"""By these a folder of results is known."""


def find_images(folder: ImageFolder, unreadable: list[Failure]) -> dict[str, bool]:
    """All images in a folder and below, sorted within each folder.

    Args:
        unreadable: what cannot be listed is added to it.

    Returns:
        Name, relative to the folder -> whether it is a regular file that no symbolic link leads to.
    """
    return dict(_walk(folder, unreadable))


def image_names(folder: Path, unreadable: list[Failure]) -> Iterator[str]:
    """The names alone of `find_images`; links to folders are not followed."""
    yield from find_images(ImageFolder(folder), unreadable)


def _walk(folder: ImageFolder, unreadable: list[Failure]) -> Iterator[tuple[str, bool]]:
    waiting, seen = [("", True)], set()  # names of folders, and whether no link leads there
    while waiting:
        name, plain = waiting.pop()
        try:
            with os.scandir(folder.path / name if name else folder.path) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            told = printable(name or ".")
            unreadable.append(Failure(told, "read", f"{told}: the folder cannot be listed: {error.strerror}"))
            continue
        there = {entry.name for entry in entries}
        results = {STORE, FIGURES} if STORE in there or {RECORD, FIGURES} <= there else set()
        if results and name:
            continue
        prefix, below = f"{name}/" if name else "", []
        for entry in entries:
            if not _is_folder(entry):
                if is_image_name(entry.name):
                    yield prefix + entry.name, plain and entry.is_file(follow_symlinks=False)
            elif entry.name not in results and not _is_passed_over(entry, folder.follow_links, seen):
                below.append((prefix + entry.name, plain and not entry.is_symlink()))
        waiting += reversed(below)


def is_image_name(name: str) -> bool:
    """Whether a file is taken for an image: by its ending, and it is no companion that macOS made of another.

    Example:
        >>> [is_image_name(name) for name in ("a.JPG", "._a.jpg", "a.txt")]
        [True, False, False]
    """
    return name.lower().endswith(SUFFIXES) and not name.startswith("._")


def is_hidden(folder: str) -> bool:
    """Whether a folder of this name is passed over: hidden ones and macOS' own."""
    return folder.startswith(".") or folder == "__MACOSX"


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_passed_over(entry: os.DirEntry, follow_links: bool, seen: set[str]) -> bool:
    """Hidden folders and macOS' own; links to folders, unless they are followed, and each folder once."""
    if is_hidden(entry.name):
        return True
    if not follow_links:
        return entry.is_symlink()
    real = os.path.realpath(entry.path)
    known = real in seen
    seen.add(real)
    return known
