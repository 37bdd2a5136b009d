"""Every firing of every latent, on disk: written image by image, read latent by latent, a bounded number at a time."""

import bisect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from memjax.checks import unwritable

FIRING = np.dtype([("latent", np.uint32), ("image", np.uint32), ("value", np.float32)])
"""One value that is not 0, as it lies in the file: 12 bytes."""

BYTES = 64
"""Of one firing while a part is sorted: itself twice, and the keys and the order."""


class FiringPart(NamedTuple):
    """The firings of latents ``start`` to ``stop``, by latent and then by value; of equal values the later image first.

    Attributes:
        ends: where each latent's firings end.
        images, values: of each firing.
    """

    start: int
    stop: int
    ends: Int[np.ndarray, " g"]
    images: Int[np.ndarray, " q"]
    values: Float[np.ndarray, " q"]

    def of(self, latent: int) -> slice:
        """The firings of one latent, counted from ``start``."""
        return slice(int(self.ends[latent - 1]) if latent else 0, int(self.ends[latent]))


class Firings:
    """The firings of one autoencoder's latents; a file that is made anew."""

    def __init__(self, file: Path, latents: int) -> None:
        self.file = file
        self.counts = np.zeros(latents, np.int64)
        self._ends = [0]
        file.write_bytes(b"")

    def add(self, first: int, latents: Float[np.ndarray, "b f"]) -> None:
        """Write the latents of some images, of which the first has the number ``first``.

        Raises:
            InputError: the disk is full, or cannot be written.
        """
        latent, image = np.nonzero(latents.T)
        found = np.empty(len(latent), FIRING)
        found["latent"], found["image"] = latent, image + first
        found["value"] = latents[image, latent]
        self.counts += np.bincount(latent, minlength=len(self.counts))
        self._ends.append(self._ends[-1] + len(found))
        try:
            with self.file.open("ab") as file:
                file.write(found.tobytes())
        except OSError as error:
            raise unwritable("out", self.file, error, "out") from error

    def parts(self, memory: int) -> Iterator[FiringPart]:
        """All latents, in parts whose firings are sorted in about so many bytes; at least one latent in each."""
        most, start = max(1, memory // BYTES), 0
        totals = np.concatenate([[0], np.cumsum(self.counts)])
        while start < len(self.counts):
            stop = int(np.searchsorted(totals, totals[start] + most, side="right")) - 1
            stop = min(max(stop, start + 1), len(self.counts))
            yield self._part(start, stop)
            start = stop

    def _part(self, start: int, stop: int) -> FiringPart:
        found = self._read(start, stop)
        order = np.lexsort((-found["image"].astype(np.int64), found["value"], found["latent"]))
        ends = np.cumsum(self.counts[start:stop])
        return FiringPart(start, stop, ends, found["image"][order].astype(np.int64), found["value"][order])

    def _read(self, start: int, stop: int) -> np.ndarray:
        """The firings of some latents; each batch of images lies in order of its latents."""
        if not self._ends[-1]:
            return np.empty(0, FIRING)
        every = np.memmap(self.file, FIRING, "r")
        pieces = []
        for low, high in itertools.pairwise(self._ends):
            latents = every["latent"][low:high]
            pieces.append(every[low + bisect.bisect_left(latents, start) : low + bisect.bisect_left(latents, stop)])
        return np.concatenate(pieces)
