"""The correlation table of a store of any size: block by block, here or on a dask cluster, with the same numbers.

The walk of a column: its chunks in the store -> ``[n, layers]`` of one metric -> order, ranks, coefficient, interval -> a row
of the table; and, for the readout, its values at some images. A block is what is in memory at once: every measure together
where that is small, else one metric, or as many of its layers as fit. A block is one task: with a `dask.distributed.Client`
about, its workers read the store and compute; without, blocks are computed here, one after another. How measures are cut
depends on their sizes alone, so where they are computed changes no digit.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.checks import expected
from memjax.stats.multiples import family_q
from memjax.stats.table import Columns, Measures, Values, correlation_table, side_by_side

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

Scores: TypeAlias = "np.ndarray | DaskArray"
"""``[n]``: in memory, or read when used."""

BLOCK_BYTES = 2**28
"""Bytes of float64 that a block has, unless a single column has more."""


@dataclass(frozen=True)
class Part:
    """Some layers of one metric: what is read together; the first is layer ``first``."""

    model: str
    metric: str
    first: int
    values: Values

    @property
    def bytes(self) -> int:
        return 8 * self.values.shape[0] * self.values.shape[1]

    def pieces(self) -> "list[Part]":
        """As many, and as equal, as keep each below `BLOCK_BYTES`."""
        layers = self.values.shape[1]
        count = min(layers, -(-self.bytes // BLOCK_BYTES))
        ends = [layers * i // count for i in range(count + 1)]
        return [
            Part(self.model, self.metric, self.first + start, self.values[:, start:stop])
            for start, stop in itertools.pairwise(ends)
        ]


@dataclass(frozen=True)
class How:
    """How columns are correlated, and for the readout the images that are kept of them.

    Attributes:
        method, bootstraps, seed: see `memjax.stats.table.correlation_table`.
        images: how many are kept, drawn at random from those with a score; all where there are no more.
    """

    method: str
    bootstraps: int
    seed: int
    images: int


@dataclass(frozen=True)
class BlockFound:
    """What is found of a block: its columns at the images that are kept, its rows of the table, and Spearman's rho."""

    columns: Columns
    table: pd.DataFrame
    ranked: np.ndarray


def blocks_of(measures: Measures) -> list[list[Part]]:
    """The measures, cut into blocks.

    Example:
        >>> blocks = blocks_of({"m": {"a": np.zeros((9, 3)), "b": np.zeros((9, 2))}})
        >>> [[(part.metric, part.values.shape) for part in block] for block in blocks]
        [[('a', (9, 3)), ('b', (9, 2))]]
    """
    parts = [
        Part(model, metric, 0, values) for model, metrics in measures.items() for metric, values in metrics.items()
    ]
    if sum(part.bytes for part in parts) <= BLOCK_BYTES:
        return [parts]
    return [[piece] for part in parts for piece in part.pieces()]


def correlated(measures: Measures, scores: Scores, how: How) -> BlockFound:
    """All blocks' findings, side by side.

    Args:
        measures: model -> metric -> ``[n, layers]``, in memory or dask arrays.
        scores: human scores.
        how: the coefficient, its intervals, the images that are kept.

    Raises:
        InputError: lengths that differ, an unknown method, no measure with a value.
    """
    import dask  # not at import: most of `memjax.stats` does without

    # What a task reads is no task of its own: a scheduler would have much of the store in memory before the first block is done.
    work = [functools.partial(block_found, block, scores, how) for block in blocks_of(measures)]
    tasks = [dask.delayed(one, pure=False)() for one in work]
    scheduler = dask.config.get("scheduler", None) or dask.get  # a client that is about has set its own
    found = [one for one in dask.compute(*tasks, scheduler=scheduler) if one is not None]
    if not found:
        raise expected("measures", "at least one with a value", "none")
    first, *others = [one.columns for one in found]
    table = pd.concat([one.table for one in found], ignore_index=True)
    columns = first.beside(*others)
    table = table.assign(q=family_q(table["p"].to_numpy(), columns.values, columns.keys))
    return BlockFound(columns, table, np.concatenate([one.ranked for one in found]))


def block_found(parts: Sequence[Part], scores: Scores, how: How) -> BlockFound | None:
    """What one task computes: see `BlockFound`; q is of the block alone. None where nothing in it has a value.

    Args:
        parts: what is read.
        scores: human scores ``[n]``.
        how: see `How`.
    """
    y = np.asarray(values_read(scores)[0], np.float64)
    read = values_read(*(part.values for part in parts))
    columns = side_by_side((part.model, part.metric, part.first, x) for part, x in zip(parts, read, strict=True))
    if columns is None:
        return None
    table = correlation_table(columns, y, how.method, how.bootstraps, how.seed)
    ranked = table if how.method == "spearman" else correlation_table(columns, y, n_boot=0)
    rows = rows_kept(y, how.images, how.seed)
    kept = columns if rows is None else Columns(columns.values[rows], columns.keys)
    return BlockFound(kept, table, ranked["rho"].to_numpy())


def values_read(*values: "np.ndarray | DaskArray") -> tuple[np.ndarray, ...]:
    """What is read when it is used, read by the thread that asks; what several have in common, once."""
    import dask

    return dask.compute(*values, scheduler=dask.get)  # the word "synchronous" would have dask import distributed


def rows_kept(scores: Float[np.ndarray, " n"], images: int, seed: int) -> np.ndarray | None:
    """Positions, ascending, of so many images with a score, drawn at random; None for all where there are no more.

    Example:
        >>> rows_kept(np.array([0.1, np.nan, 0.2, 0.3]), 4, 0), rows_kept(np.array([0.1, np.nan, 0.2, 0.3]), 3, 0).tolist()
        (None, [0, 2, 3])
    """
    if len(scores) <= images:
        return None
    known = np.flatnonzero(np.isfinite(scores))
    return np.sort(np.random.default_rng(seed).choice(known, min(images, len(known)), replace=False))
