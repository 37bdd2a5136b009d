"""What an image's file holds, and whether it is still the same: a checksum, and a stamp that is cheap to compare.

The stamp (size and times of change) of a file tells at the cost of one system call that nothing has changed; where it has,
the checksum tells whether the contents have. Images without a file of their own (in memory, in a prepared copy) have no
stamp: the data set's fingerprint is over their contents already.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from PIL import Image as PILImage

from memjax.datasets.base import Dataset, FirstRecords, Records, fingerprint
from memjax.decoding import FORMATS, ImageError, ImageSource, is_deep

Stamp: TypeAlias = tuple[int, int, int]
"""Of a file: bytes, and the times of its last change and of its last change of status, in nanoseconds."""

SAMPLE = 64
"""Images whose contents go into `content_digest`."""


class Content(NamedTuple):
    """What was measured: the image's checksum ("" where it could not be read, or is in memory) and its file's stamp."""

    digest: str
    stamp: Stamp | None = None


@runtime_checkable
class Stamped(Protocol):
    """Records whose images are files; None for one that is not, or has gone."""

    def stamp(self, index: int) -> Stamp | None: ...


def stamp_of_file(path: str | os.PathLike[str]) -> Stamp | None:
    """A file's stamp; None where it has gone."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def stamp_at(records: Records, index: int) -> Stamp | None:
    """The stamp of an image's file; None where it has none."""
    if isinstance(records, FirstRecords):
        return stamp_at(records.records, index)
    return records.stamp(index) if isinstance(records, Stamped) else None


def digest_of_image(data: ImageSource) -> str:
    """The first half of the SHA-256, in hex, of a file's bytes or an array; "" for an opened image.

    Example:
        >>> len(digest_of_image(b"GIF89a")), digest_of_image(PILImage.new("L", (2, 2)))
        (32, '')
    """
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()[:32]
    if isinstance(data, np.ndarray):
        return hashlib.sha256(f"{data.dtype.str}{data.shape}".encode() + data.tobytes()).hexdigest()[:32]
    return ""


def content_at(dataset: Dataset, row: int) -> Content:
    """An image as it is now; the stamp is taken first, so that a later change is never missed."""
    stamp = stamp_at(dataset.records, row)
    try:
        return Content(digest_of_image(dataset.records[row].data), stamp)
    except (ImageError, OSError):
        return Content("", stamp)


def changed_images(
    dataset: Dataset, seen: Mapping[int, Content], other_data: bool
) -> tuple[list[int], dict[int, Content]]:
    """Which images are no longer those that were measured.

    Args:
        dataset: as it is now.
        seen: row -> what was measured.
        other_data: the data set's fingerprint has changed: images without a stamp are compared too.

    Returns:
        The rows that changed, and of those whose file has a new stamp and the same contents what to remember instead.
    """
    changed, touched = [], {}
    for row, old in seen.items():
        stamp = stamp_at(dataset.records, row)
        if stamp == old.stamp and not (other_data and stamp is None):
            continue
        now = content_at(dataset, row)
        if now.digest != old.digest or (not now.digest and stamp is None):
            changed.append(row)
        else:
            touched[row] = now
    return changed, touched


def content_digest(dataset: Dataset) -> str:
    """SHA-256 that tells whether two processes see the same data set: ids, scores, sizes of all files, contents of a sample.

    Times of change are left out: they differ between copies. `SAMPLE` images, evenly spread, are read.

    Example:
        >>> from memjax.datasets import open_dataset
        >>> content_digest(open_dataset("demo", limit=8)) == content_digest(open_dataset("demo", limit=9))
        False
    """
    stamps = (stamp_at(dataset.records, row) for row in range(len(dataset)))
    sizes = [stamp[0] if stamp else "" for stamp in stamps]
    rows = sorted({int(row) for row in np.linspace(0, len(dataset) - 1, SAMPLE)})
    contents = [content_at(dataset, row).digest for row in rows]
    scores = dataset.table["memorability"].tolist()
    return fingerprint(dataset.info["fingerprint"], *dataset.table.index, *scores, *sizes, *contents)


def deep_images(dataset: Dataset) -> list[str]:
    """The images whose file is grey of more than 8 bits, told by their headers: ids, in order."""
    return [str(image) for row, image in enumerate(dataset.table.index) if _is_deep(dataset, row)]


def _is_deep(dataset: Dataset, row: int) -> bool:
    try:
        data = dataset.records[row].data
        if isinstance(data, PILImage.Image):
            return is_deep(data)
        if not isinstance(data, bytes):
            return False
        with PILImage.open(io.BytesIO(data), formats=FORMATS) as image:
            return is_deep(image)
    except Exception:  # Pillow raises nearly every type on damaged data: such an image was a failure, and is one
        return False
