"""Sums over cells of images, of which folds are made: all partitions of very many images from one reading of their columns.

Images are dealt into C cells at random (images that belong together into one), and each partition deals the cells into K folds.
Sums of products over the images of each cell are then all that any training part of any partition needs, so that ten partitions
cost as much reading and as many products as one.

Two images of one cell are in one fold in every partition. The mean over all partitions of given cells weighs pairs of different
cells (1 - 1/K) / (1 - 1/C) as much as one partition does, where it is 1 - 1/K without cells. By the derivation of
`memjax.stats.strata`, for noise, with the variance 1/n as unit: the mean has the variance 2 (1 - 1/K) / (1 - 1/C), the squares of
the influences add up to half of it, and between partitions there is the rest of 2, which is 2 (1/K - 1/C) / (1 - 1/C). So the
variance between partitions counts (K - 1) / 2 times C / (C - K): with 20 cells in five folds by a third more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import blas

from memjax.stats.partitions import folds_of
from memjax.stats.repeats import ReadoutSettings, Study

CELLS = (20, 10)
"""Cells of images: the first that fit into `MOST_BYTES`."""

MOST_BYTES = 2**33
"""Of the sums of all cells: of 20 cells 10,362 columns, of 10 cells 14,654."""


def cells_that_fit(columns: int) -> int:
    """How many cells there can be of so many columns; 0: sums over images take too much memory.

    Example:
        >>> cells_that_fit(9_216), cells_that_fit(14_400), cells_that_fit(20_000)
        (20, 10, 0)
    """
    return next((count for count in CELLS if 4 * count * columns**2 <= MOST_BYTES), 0)


@dataclass(frozen=True)
class Cells:
    """Which cell each image is in, and which fold each cell.

    Attributes:
        of_images: from 0; -1: in none.
        partitions: of each partition, the fold of each cell.
        between: see `memjax.stats.strata.WithinRho`.
    """

    of_images: Int[np.ndarray, " n"]
    partitions: list[np.ndarray]
    between: float

    @property
    def count(self) -> int:
        """Of the cells."""
        return len(self.partitions[0])

    def folds(self) -> list[Int[np.ndarray, " n"]]:
        """Of each partition, the fold of each image."""
        return [folds[self.of_images] for folds in self.partitions]


def cells_of(study: Study, count: int, settings: ReadoutSettings) -> Cells:
    """Cells and folds drawn at random; clusters, or groups, stay whole.

    Args:
        study: which images belong together.
        count: of cells; where there are fewer clusters, each is a cell.
        settings: folds, repeats, seed.

    Example:
        >>> found = cells_of(Study(np.zeros(40), np.arange(40), None), 10, ReadoutSettings(repeats=2))
        >>> np.bincount(found.of_images).tolist(), np.bincount(found.partitions[0]).tolist(), found.between
        ([4, 4, 4, 4, 4, 4, 4, 4, 4, 4], [2, 2, 2, 2, 2], 2.0)
    """
    rng = np.random.default_rng(settings.seed)
    count = min(count, len(np.unique(study.clusters)))
    cells, folds = folds_of(study.clusters, count, rng), min(settings.folds, count)
    first = np.unique(cells, return_index=True)[1]
    partitions = [folds_of(cells, folds, rng)[first] for _ in range(settings.repeats)]
    few = study.groups is None and count > folds
    return Cells(cells, partitions, count / (count - folds) if few else 1.0)


@dataclass(frozen=True)
class UnionSums:
    """Sums over some images, of columns ``x`` and scores ``y`` (the scores, and permutations of them).

    Attributes:
        count: of the images.
        x, y: sums.
        xx: sums of products of columns, of which the lower triangle is filled, in Fortran's order.
        xy, yy: sums of products with the scores, and of their squares.
    """

    count: int
    x: Float[np.ndarray, " k"]
    y: Float[np.ndarray, " r"]
    xx: Float[np.ndarray, "k k"]
    xy: Float[np.ndarray, "k r"]
    yy: Float[np.ndarray, " r"]

    def covariance(self) -> np.ndarray:
        """Of the columns, times the images, in the memory of ``xx``: its lower triangle."""
        return blas.dsyr(-1 / self.count, self.x, lower=1, a=self.xx, overwrite_a=1)


class CellSums:
    """Sums over the images of each cell, of bands of columns; of a pair of bands they are kept once.

    Args:
        widths: columns of each band.
        cells: how many.
        scores: the scores and permutations of them, how many.
    """

    def __init__(self, widths: Sequence[int], cells: int, scores: int) -> None:
        ends = np.cumsum(widths).tolist()
        self.bands = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.counts = np.zeros(cells, np.int64)
        self.x, self.y = np.zeros((cells, ends[-1])), np.zeros((cells, scores))
        self.xx = [np.zeros((cells, band.stop - band.start, band.stop)) for band in self.bands]
        self.xy, self.yy = np.zeros((cells, ends[-1], scores)), np.zeros((cells, scores))

    def add(self, cell: int, x: Float[np.ndarray, "b k"], y: Float[np.ndarray, "b r"]) -> None:
        """Images of one cell."""
        self.counts[cell] += len(x)
        self.x[cell] += x.sum(axis=0)
        self.y[cell] += y.sum(axis=0)
        self.xy[cell] += x.T @ y
        self.yy[cell] += (y * y).sum(axis=0)
        for band, products in zip(self.bands, self.xx, strict=True):
            products[cell] += x[:, band].T @ x[:, : band.stop]

    def deviations(self, cells: Int[np.ndarray, " _"]) -> Float[np.ndarray, " k"]:
        """Standard deviation of each column over the images of some cells."""
        count, mean = self.counts[cells].sum(), self.x[cells].sum(axis=0) / self.counts[cells].sum()
        squares = [
            products[cells][:, :, band].diagonal(axis1=1, axis2=2).sum(axis=0)
            for band, products in zip(self.bands, self.xx, strict=True)
        ]
        return np.sqrt(np.maximum(np.concatenate(squares) / count - mean * mean, 0))

    def over(self, cells: Int[np.ndarray, " _"], source: "ChosenBands", scores: int) -> UnionSums:
        """The sums over some cells, of a source's columns and the first so many scores."""
        at = np.concatenate([np.arange(self.bands[i].start, self.bands[i].stop) for i in source.bands])
        scale, ends = source.scale, np.cumsum([0, *(self.bands[i].stop - self.bands[i].start for i in source.bands)])
        xx = np.zeros((len(at), len(at)), order="F")
        for row, i in enumerate(source.bands):
            into, rows = xx[ends[row] : ends[row + 1]], scale[ends[row] : ends[row + 1], None]
            for column, j in enumerate(source.bands[: row + 1]):
                own = self.xx[i][:, :, self.bands[j]]
                made = own[cells[0]] + own[cells[1]] if len(cells) > 1 else own[cells[0]].copy()
                for cell in cells[2:]:
                    made += own[cell]
                here = slice(ends[column], ends[column + 1])
                into[:, here] = made * rows * scale[here]
        x, y = self.x[cells].sum(axis=0)[at] * scale, self.y[cells, :scores].sum(axis=0)
        xy = self.xy[cells[:, None], at, :scores].sum(axis=0) * scale[:, None]
        return UnionSums(int(self.counts[cells].sum()), x, y, xx, xy, self.yy[cells, :scores].sum(axis=0))


@dataclass(frozen=True)
class ChosenBands:
    """Bands of columns that are read from together, in ascending order, and what their columns are multiplied by."""

    bands: tuple[int, ...]
    scale: Float[np.ndarray, " k"]


def summed(
    widths: Sequence[int],
    cells: Cells,
    scores: Float[np.ndarray, "n r"],
    read: Callable[[int, int], Float[np.ndarray, "b k"]],
    block: int,
) -> CellSums:
    """The sums over every cell, from one reading of the columns.

    Args:
        widths: columns of each band.
        cells: from `cells_of`.
        scores: human scores, of mean 0, and permutations of them.
        read: standardised columns of the images from one position up to another.
        block: images that are read at once.
    """
    sums = CellSums(widths, cells.count, scores.shape[1])
    for start in range(0, len(scores), block):
        x, here = read(start, start + block), cells.of_images[start : start + block]
        for cell in np.unique(here[here >= 0]).tolist():
            members = np.flatnonzero(here == cell)
            sums.add(cell, x[members], scores[start + members])
    return sums
