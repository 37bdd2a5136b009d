"""Images from the parts that are there, each verified as it is read."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import UInt8

from memjax.datasets.base import Dataset
from memjax.datasets.content import Content
from memjax.predecoded.layout import ENTRY, INDEX, RECORDS, name_digest, read_index, short_digest, stamp_digest

if TYPE_CHECKING:
    from array_record.python.array_record_module import ArrayRecordReader


class KeptImage(NamedTuple):
    """An image as it was kept: its pixels, uint8 ``[y, x, 3]`` (None where they are not as they were written), the digest of
    the file that they were made from, and whether it was turned."""

    pixels: UInt8[np.ndarray, "y x c"] | None
    digest: str
    turned: bool


class KeptImages:
    """What a cache holds of a data set; pickles without its open files, which each process opens itself.

    Attributes:
        rows: of the data set that are here, int64 ``[n]``, ascending.
    """

    def __init__(
        self, folder: Path, parts: Sequence[str], entries: np.ndarray, places: np.ndarray, size: tuple[int, int]
    ):
        self.folder, self.parts, self.size = folder, parts, size
        self._entries, self._places = entries, places
        self.rows = np.ascontiguousarray(entries["row"])  # a search in a column of the entries would copy it each time
        self._open: dict[int, ArrayRecordReader] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.folder, self.parts, self._entries, self._places, self.size)

    def get(self, row: int, content: Content) -> KeptImage | None:
        """An image by its row; None where it is not here, or was made from other contents.

        Args:
            row: of the data set.
            content: of now. A file of the same stamp is the same, whatever the digest; otherwise the digest decides.
        """
        at = int(np.searchsorted(self.rows, row))
        if at == len(self.rows) or self.rows[at] != row:
            return None
        entry, (part, place) = self._entries[at], self._places[at].tolist()
        digest = entry["digest"].tobytes().hex()
        same_file = content.stamp is not None and entry["stamp"].tobytes() == stamp_digest(content.stamp)
        if not same_file and content.digest != digest:
            return None
        return KeptImage(self._pixels(part, place, entry["sum"].tobytes()), digest, bool(entry["turned"]))

    def _pixels(self, part: int, place: int, wanted: bytes) -> UInt8[np.ndarray, "y x c"] | None:
        try:
            (data,) = self._reader(part).read([place])
        except (RuntimeError, ValueError, IndexError, OSError):  # what array_record raises on a damaged file
            return None
        if len(data) != 3 * self.size[0] * self.size[1] or short_digest(data) != wanted:
            return None
        return np.frombuffer(data, np.uint8).reshape(*self.size, 3)

    def _reader(self, part: int) -> "ArrayRecordReader":
        with self._lock:
            if part not in self._open:
                from array_record.python.array_record_module import ArrayRecordReader

                file = str(self.folder / f"{self.parts[part]}{RECORDS}")
                self._open[part] = ArrayRecordReader(file, "readahead_buffer_size:0,max_parallelism:0")
            return self._open[part]


def kept_images(folder: Path, dataset: Dataset, size: tuple[int, int]) -> tuple[KeptImages, list[str]]:
    """The images of a data set in a cache's folder; of several of one image the last, by the names of their parts.

    Returns:
        The images, and a line for every part that is damaged.
    """
    parts, tables, places, said = [], [], [], []
    for file in sorted(folder.glob(f"*{INDEX}")):
        try:
            entries = read_index(file)
        except FileNotFoundError:  # another run has just removed it
            continue
        except (OSError, ValueError) as error:
            said.append(f"{file}: not a whole index ({error}); its images are decoded again")
            continue
        here = np.stack([np.full(len(entries), len(parts)), np.arange(len(entries))], axis=1)
        ours = _of(dataset, entries)
        parts.append(file.name.removesuffix(INDEX))
        tables.append(entries[ours])
        places.append(here[ours])
    table = np.concatenate([np.zeros(0, ENTRY), *tables])
    where = np.concatenate([np.zeros((0, 2), np.int64), *places])
    rows, last = np.unique(table["row"][::-1], return_index=True)
    chosen = len(table) - 1 - last if len(rows) else np.zeros(0, np.int64)
    return KeptImages(folder, tuple(parts), table[chosen], where[chosen], size), said


def _of(dataset: Dataset, entries: np.ndarray) -> np.ndarray:
    """Which entries are of the image that stands in their row now."""
    there = (entries["row"] >= 0) & (entries["row"] < len(dataset))
    ids = dataset.table.index[entries["row"][there]].tolist()
    there[there] = entries["name"][there] == np.array([name_digest(str(image)) for image in ids], ENTRY["name"])
    return there
