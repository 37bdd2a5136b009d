"""Where training rows come from: token vectors of images, held in memory or read from a store block by block.

One token per image (its cls or mean token) fits in memory and is one block. Patch tokens do not: `ImageTokens.read` then fetches
a block of images, from a zarr array say, while the block before it is in use, so that at most two are held. Blocks are
shuffled, and rows are shuffled inside a block, so a block has to be many batches long.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.sae.folds import training_rows


@dataclass(frozen=True)
class ImageTokens:
    """Token vectors of images.

    Attributes:
        read: images ``start`` to ``stop``, float32 ``[l, (stop - start) * tokens, d]``, an image's tokens one after another.
        n: how many images.
        tokens: rows per image.
        size: images per block; the last block may be shorter.
    """

    read: Callable[[int, int], np.ndarray]
    n: int
    tokens: int
    size: int

    @property
    def blocks(self) -> int:
        return -(-self.n // self.size)

    def span(self, block: int) -> slice:
        """The images of a block."""
        return slice(block * self.size, min((block + 1) * self.size, self.n))

    def block(self, block: int) -> np.ndarray:
        """The rows of a block."""
        return self.read(self.span(block).start, self.span(block).stop)


def in_memory(data: Float[np.ndarray, "l n d"]) -> ImageTokens:
    """Images of one token each, ``[l, n, d]``, as one block."""
    return ImageTokens(lambda start, stop: data[:, start:stop], data.shape[1], 1, data.shape[1])


@dataclass(frozen=True)
class Stream:
    """Images, and which rows of each block each member of an ensemble is trained on.

    Attributes:
        images: the source.
        rows: block -> row numbers inside that block, int32 ``[m, r]``: equally many for all members.
    """

    images: ImageTokens
    rows: Callable[[int], np.ndarray]

    def order(self, epoch: int, seed: int = 0) -> list[int]:
        """The blocks of an epoch, shuffled; it depends on nothing but these numbers, so a resumed run sees the same."""
        return np.random.default_rng((seed, epoch)).permutation(self.images.blocks).tolist()

    def steps(self, batch_size: int) -> list[int]:
        """Updates that each block gives in an epoch; rows that do not fill a batch are left out."""
        return [self.rows(block).shape[1] // batch_size for block in range(self.images.blocks)]


def whole(data: Float[np.ndarray, "l n d"], rows: Int[np.ndarray, "m r"]) -> Stream:
    """A stream of one block in memory: ``data [l, n, d]``, training rows of each member ``[m, r]``."""
    return Stream(in_memory(data), lambda block: rows)


def leaving_out(images: ImageTokens, fold: Int[np.ndarray, " n"], folds: int, held: Int[np.ndarray, " m"]) -> Stream:
    """Each member trains on all tokens of the images outside the fold that it holds out.

    Args:
        images: the source.
        fold: the fold of each image (`memjax.sae.folds.k_folds`); with one fold, nothing is held out.
        folds: how many.
        held: the fold that each member holds out, ``[m]``.

    Example:
        >>> data = np.zeros((1, 6, 2), np.float32)
        >>> leaving_out(in_memory(data), np.array([0, 1, 0, 1, 0, 1]), 2, np.array([0, 1])).rows(0).tolist()
        [[1, 3, 5], [0, 2, 4]]
    """

    def rows(block: int) -> np.ndarray:
        mine = fold[images.span(block)]
        kept = training_rows(mine, folds) if folds > 1 else np.arange(len(mine), dtype=np.int32)[None]
        each = kept[:, :, None] * images.tokens + np.arange(images.tokens, dtype=np.int32)
        return each.reshape(len(kept), -1)[held]

    return Stream(images, rows)


def ahead(read: Callable[[int], np.ndarray], blocks: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks with their rows, in the order given; the next is read while the present one is in use.

    Example:
        >>> [(block, rows.shape) for block, rows in ahead(lambda block: np.zeros(block), [2, 1])]
        [(2, (2,)), (1, (1,))]
    """
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = None
        for block in blocks:
            following = block, reader.submit(read, block)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1].result()
