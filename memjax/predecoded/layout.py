"""What a cache of decoded images looks like on the disk: whose it is, and the index of a part."""

import hashlib
import json
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import numpy as np

from memjax.datasets.base import Dataset, fingerprint
from memjax.datasets.content import Stamp
from memjax.decoding import VERSION
from memjax.fast_pixels import packages_of
from memjax.preprocessing import Preprocessing

FORMAT = "1"
"""Counts changes of what is written."""

RECORDS, INDEX = ".array_record", ".index"
"""Endings of a part's two files; a part without an index is not there."""

UNFINISHED, LOCK = ".part", ".lock"
"""Endings while a part is written."""

ENTRY = np.dtype(
    [("row", "<i8"), ("name", "V16"), ("digest", "V16"), ("stamp", "V16"), ("sum", "V16"), ("turned", "?")]
)
"""An image in an index: its row in the data set, digests of its id, of its file, of the file's stamp and of its pixels."""

MOST_ENTRIES = 2**20
"""Images in a part, at most."""

OVERHEAD = 2048
"""Bytes of an image beside its pixels, about, in both files."""


GEOMETRY = ("resize", "crop", "centre", "resample", "orientation", "decoder")
"""Fields of a `Preprocessing` that say which pixels are taken."""


def geometry(pre: Preprocessing) -> dict[str, object]:
    """What an image's pixels depend on before they are normalised.

    Example:
        >>> sorted(geometry(Preprocessing()))
        ['crop', 'decoder', 'decoding', 'orientation', 'resample', 'resize', 'versions']
    """
    fields = pre.to_json()
    packages = ("pillow", *packages_of(pre.decoder))
    kept = {name: fields[name] for name in GEOMETRY if name in fields}
    return kept | {"decoding": VERSION, "versions": [version(name) for name in packages]}


def cache_folder(root: Path, dataset: Dataset, pre: Preprocessing) -> Path:
    """Where the images of a data set lie, for all encoders of one geometry."""
    y, x = pre.image_size
    key = fingerprint(FORMAT, dataset.info["fingerprint"], json.dumps(geometry(pre), sort_keys=True))
    return root / f"{y}x{x}-{key[:32]}"


def image_bytes(pre: Preprocessing) -> int:
    """What one image takes on the disk."""
    y, x = pre.image_size
    return 3 * y * x + OVERHEAD


def short_digest(data: bytes) -> bytes:
    """The first half of a SHA-256."""
    return hashlib.sha256(data).digest()[:16]


def name_digest(image: str) -> bytes:
    """Of an image's id."""
    return short_digest(image.encode("utf-8", "surrogateescape"))


def stamp_digest(stamp: Stamp | None) -> bytes:
    """Of a file's stamp; zeros for an image without one."""
    return bytes(16) if stamp is None else short_digest(json.dumps(stamp).encode())


def index_bytes(entries: np.ndarray) -> bytes:
    """A part's index as a file: the SHA-256 of the rest, then an array as numpy writes it."""
    file = BytesIO()
    np.save(file, entries, allow_pickle=False)
    return hashlib.sha256(file.getvalue()).digest() + file.getvalue()


def read_index(file: Path) -> np.ndarray:
    """The entries of a part, one a record.

    Raises:
        ValueError: it is not as it was written.
        OSError: it cannot be read.
    """
    if file.stat().st_size > MOST_ENTRIES * ENTRY.itemsize + 4096:
        raise ValueError("too large for an index")
    data = file.read_bytes()
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError("its checksum does not fit")
    entries = np.load(BytesIO(data[32:]), allow_pickle=False)
    if entries.dtype != ENTRY or entries.ndim != 1:
        raise ValueError("no index")
    return entries
