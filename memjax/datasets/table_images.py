"""The images of a table: read when asked for, in whatever form they are, and what they add to a fingerprint."""

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from PIL.ImageFile import ImageFile

from memjax.datasets.base import Record
from memjax.datasets.content import Stamp, stamp_of_file
from memjax.datasets.folder import size_of
from memjax.datasets.ids import Match, check_match
from memjax.datasets.paths import ImageFolder
from memjax.decoding import ImageError, check_form, decode, read_bytes


@runtime_checkable
class Images(Protocol):
    """An image for each row; ``images[i]`` should be an `ImageSource` and may raise `ImageError`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


class Rows(NamedTuple):
    """A table, read but for its images.

    Attributes:
        columns: what each row says; its images are not needed any more.
        names: the columns that the table has, those that were not read too.
        images: one image per row.
        contents: what each image adds to the fingerprint, or why it cannot be used.
    """

    columns: pd.DataFrame
    names: list[str]
    images: Images
    contents: list[str | ImageError]


@dataclasses.dataclass(frozen=True)
class FolderImages:
    """Paths of images below a folder, by the ids of a table."""

    folder: ImageFolder
    match: Match

    def __len__(self) -> int:
        return len(self.match.names)

    def __getitem__(self, index: int) -> Path:
        name = self.match.names[index]
        check_match(self.folder, {}, self.match, name, index)
        return self.folder.path / name


@dataclasses.dataclass(frozen=True)
class TableRecords:
    """The usable rows of a table.

    Attributes:
        ids: of the images.
        images: of all rows of the table.
        rows: which of them each id has.
        named: whether each id's image is named by a path.
    """

    ids: tuple[str, ...]
    images: Images
    rows: tuple[int, ...]
    named: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < len(self.ids):
            raise IndexError(index)
        image = unwrapped(self.images[self.rows[index]])
        check_form(image)
        return Record(self.ids[index], read_bytes(image) if isinstance(image, (str, os.PathLike)) else image)

    def stamp(self, index: int) -> Stamp | None:
        """See `memjax.datasets.content`; an image that is not named by a path is not looked at."""
        if not self.named[index]:
            return None
        try:
            image = unwrapped(self.images[self.rows[index]])
        except ImageError:  # it has gone since: reading it will tell
            return None
        return stamp_of_file(image) if isinstance(image, (str, os.PathLike)) else None


def unwrapped(image: object) -> object:
    """An image's bytes or path, where they are at hand.

    Hugging Face data sets keep them in a mapping of ``bytes`` and ``path``. A PIL image that was opened and not used yet
    has a path: reading it there leaves no pixels behind in the user's object.
    """
    if isinstance(image, Mapping) and image.keys() <= {"bytes", "path"}:
        return image.get("bytes") or image.get("path")
    if isinstance(image, ImageFile) and image.tile and image.filename and os.path.isfile(image.filename):
        return os.fsdecode(image.filename)
    return image


def look_at(images: Images, count: int) -> tuple[list[str | None], list[str | ImageError]]:
    """The first ``count`` images, one after another: those that are named by a path (or None), and `contents`."""
    paths: list[str | None] = [None] * count
    found: list[str | ImageError] = []
    for row in range(count):
        try:
            image = images[row]
            paths[row] = os.fspath(image) if isinstance(image, (str, os.PathLike)) else None
            found.append(contents(image))
        except ImageError as error:
            found.append(error)
    return paths, found


def contents(image: object) -> str:
    """What an image adds to the fingerprint, as text.

    A file named by its path adds its size, as in a folder, so that opening a table does not read every file. Any other
    image adds the SHA-256 of its bytes or of its RGB pixels.

    Raises:
        ImageError: it cannot be used.
    """
    image = unwrapped(image)
    if is_missing(image):
        raise ImageError("no image in this row", "read")
    check_form(image)
    if isinstance(image, (str, os.PathLike)):
        return str(size_of(Path(image)))
    if isinstance(image, bytes):
        return hashlib.sha256(image).hexdigest()
    pixels = np.asarray(decode(image))
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def is_named(content: str) -> bool:
    """Whether `contents` gave a file's size: then the image is named by a path, and its contents may change.

    Example:
        >>> is_named(contents("a.png")), is_named(contents(b"GIF89a"))
        (True, False)
    """
    return len(content) < hashlib.sha256().digest_size


def is_text(values: pd.Series | pd.Index) -> bool:
    """Whether a column holds text or paths: every value that there is, and there is one."""
    there = [value for value in values if isinstance(value, (str, os.PathLike)) or not is_missing(value)]
    return bool(there) and all(isinstance(value, (str, os.PathLike)) for value in there)


def is_missing(value: object) -> bool:
    """Whether a cell of a table holds nothing."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
