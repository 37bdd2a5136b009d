"""Images read from shards when asked for: at random, by several threads, each part of a shard about once.

A local archive is read image by image. Of an object store a range of `WINDOW` bytes is read at once when the second image
inside it is asked for, and of a Parquet file a row group; the last few are kept, since images that are measured together stand
together.
"""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future

import numpy as np

from memjax.datasets.base import Record
from memjax.datasets.content import Stamp
from memjax.datasets.parquet_shards import read_group
from memjax.datasets.shard_files import Shard, read_range
from memjax.decoding import MAX_BYTES, ImageError

WINDOW = 2**23
"""Bytes of an archive in an object store that are read at once."""
HELD_BYTES = 2**28
"""Of what was read at once, so much is kept, and the last two at least."""

Block = Sequence[bytes | None]


class Blocks:
    """What several threads need at about the same time: each block is loaded once, by the first, and the last few are kept."""

    def __init__(self, most_bytes: int = HELD_BYTES):
        self.most_bytes = most_bytes
        self._held: OrderedDict[Hashable, Future[Block]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], Block]) -> Block:
        """A block; what loading it raises is raised to all that wait for it."""
        with self._lock:
            first = key not in self._held
            slot = self._held.setdefault(key, Future())
            self._held.move_to_end(key)
        if first:
            try:
                slot.set_result(load())
            except BaseException as error:
                with self._lock:
                    del self._held[key]
                slot.set_exception(error)
            else:
                self._forget_oldest()
        return slot.result()

    def _forget_oldest(self) -> None:
        with self._lock:
            done = [(key, _bytes_in(slot.result())) for key, slot in self._held.items() if slot.done()]
            total = sum(size for _, size in done)
            for key, size in done[:-2]:
                if total <= self.most_bytes:
                    break
                del self._held[key]
                total -= size


def _bytes_in(block: Block) -> int:
    return sum(len(one) for one in block if one is not None)


class ShardRecords:
    """Images of shards. Pickles without what it holds: each process reads for itself.

    Attributes:
        shards: all of them.
        ids: of the images, in order.
        places: int64 ``[n, 4]``: the shard's number, and its part, place and size (`memjax.datasets.shard_index`).
    """

    def __init__(self, shards: Sequence[Shard], ids: Sequence[str], places: np.ndarray):
        self.shards, self.ids, self.places = tuple(shards), tuple(ids), places
        self._blocks = Blocks()
        self._asked: set[tuple[int, int]] = set()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.shards, self.ids, self.places)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < len(self.ids):
            raise IndexError(index)
        number, part, at, size = self.places[index].tolist()
        image = self.ids[index]
        if size >= 0:
            return Record(image, self._member(number, at, size))
        group = self._blocks.get((number, part), functools.partial(read_group, self.shards[number], part))
        data = group[at] if at < len(group) else None
        if data is None:
            raise ImageError(f"{image}: no image bytes in this row of {self.shards[number].name}", "read")
        if len(data) > MAX_BYTES:
            raise ImageError(f"{image}: {len(data)} bytes, more than the limit of {MAX_BYTES}", "read")
        return Record(image, data)

    def _member(self, number: int, at: int, size: int) -> bytes:
        """A member of an archive."""
        shard = self.shards[number]
        first, last = at // WINDOW, (at + max(size, 1) - 1) // WINDOW
        if not shard.remote or last > first + 1 or not self._asked_before((number, first)):
            return read_range(shard, at, size)
        windows = [self._window(number, which) for which in range(first, last + 1)]
        data, start = windows[0] if len(windows) == 1 else b"".join(windows), at - first * WINDOW
        return data[start : start + size]

    def _asked_before(self, window: tuple[int, int]) -> bool:
        """Whether an image that begins there was asked for: a single one, such as a sample of all, is read alone."""
        before = window in self._asked
        self._asked.add(window)
        return before

    def _window(self, number: int, which: int) -> bytes:
        shard, start = self.shards[number], which * WINDOW

        def load() -> Block:
            return [read_range(shard, start, min(WINDOW, shard.size - start))]

        return self._blocks.get((number, which), load)[0] or b""

    def stamp(self, index: int) -> Stamp | None:
        """Of an image: its bytes (in Parquet, its shard's), which version of the shard, and where in it; see
        `memjax.datasets.content`. None where the shard's store does not say which version it is.
        """
        number, part, at, size = self.places[index].tolist()
        shard = self.shards[number]
        if not shard.version:
            return None
        return size if size >= 0 else shard.size, _number_of(shard), (part << 32) + at


@functools.lru_cache(maxsize=1024)
def _number_of(shard: Shard) -> int:
    """63 bits of a shard's name and version."""
    text = f"{shard.name}\xff{shard.size}\xff{shard.version}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 1
