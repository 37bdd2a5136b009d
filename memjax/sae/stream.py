"""Inputs that do not fit in memory (patch tokens of all images): blocks in a shuffled order, read one ahead.

The store stays outside: ``read(start, stop) -> float32 [l, rows, d]`` is a function that the caller makes, e.g. from a zarr
array whose chunks are as long as a block. Shuffling is by blocks here and by rows inside a block in training, so a block has
to be many batches long.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def block_starts(n: int, block_rows: int, seed: int, epoch: int) -> np.ndarray:
    """Where the blocks of an epoch start, in its order; the last, shorter block is among them."""
    starts = np.arange(0, n, block_rows)
    return np.random.default_rng((seed, epoch)).permutation(starts)


def blocks(
    read: Callable[[int, int], np.ndarray], n: int, block_rows: int, seed: int, epoch: int, skip: int = 0
) -> Iterator[np.ndarray]:
    """The blocks of one epoch; the next is read while the present one is in use, so at most two are held.

    Args:
        read: rows ``start`` to ``stop`` of all layers, ``[l, rows, d]``.
        n: rows in all.
        block_rows: rows a block.
        seed, epoch: give the order.
        skip: blocks already done (to resume inside an epoch).

    Example:
        >>> data = np.arange(10, dtype=np.float32).reshape(1, 10, 1)
        >>> sorted(len(b[0]) for b in blocks(lambda i, j: data[:, i:j], 10, 4, seed=0, epoch=0))
        [2, 4, 4]
    """
    starts = block_starts(n, block_rows, seed, epoch)[skip:].tolist()
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = None
        for start in starts:
            following = reader.submit(read, start, min(start + block_rows, n))
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()
