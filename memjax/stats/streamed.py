"""Nested ridge regressions of very many images, from sums over cells of them (`memjax.stats.cells`).

The same models and the same choice of the penalty as `memjax.stats.left_out`: of each training part the covariance is made
tridiagonal once. Errors on other folds follow from sums alone; the images' predictions take a second reading of the columns.

In float64 throughout. Products in float32 would be four times as fast on a CPU, but they are wrong by about as much as the smallest
penalty, beside the largest variance of ten thousand columns.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import blas

from memjax.stats.cells import CellSums, Source, Sums
from memjax.stats.ridge import PENALTIES
from memjax.stats.tridiagonal import Tridiagonal


@dataclass(frozen=True)
class CellModels:
    """Models of one partition into folds, each fitted on the other folds with the penalty chosen inside them.

    Attributes:
        weights: of the standardised columns, ``[f, k, r]``.
        offset: minus what a model makes of the means of its training part: predictions are less the training part's mean.
        error, chosen: see `memjax.stats.nested.Nested`.
    """

    weights: Float[np.ndarray, "f k r"]
    offset: Float[np.ndarray, "f r"]
    error: Float[np.ndarray, "f r"]
    chosen: Int[np.ndarray, "f r"]

    def predict(
        self, x: Float[np.ndarray, "b k"], folds: Int[np.ndarray, " b"], into: Float[np.ndarray, "b r"]
    ) -> None:
        """Each image by the model that was not fitted on its fold, less the training part's mean."""
        for f in np.unique(folds):
            rows = np.flatnonzero(folds == f)
            into[rows] = x[rows] @ self.weights[f] + self.offset[f]


def models_of_cells(sums: CellSums, source: Source, folds: Int[np.ndarray, " c"], scores: int) -> CellModels:
    """Nested cross-validation of one partition, from sums over cells.

    Args:
        sums: of all columns and scores.
        source: the columns that are read from.
        folds: of each cell, 0 to f - 1, three or more.
        scores: how many of the scores and permutations are predicted, from the first.

    Example:
        >>> x, cells = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 6
        >>> sums = CellSums([2], 6, 1)
        >>> for cell in range(6):
        ...     sums.add(cell, x[cells == cell], x[cells == cell, :1])
        >>> found = models_of_cells(sums, Source((0,), np.ones(2)), np.arange(6) % 3, 1)
        >>> found.weights.round(2).tolist()[0]
        [[1.0], [0.0]]
    """
    count, n = int(folds.max()) + 1, int(sums.counts.sum())
    inner, outer = (n * (count - out) / count * np.array(PENALTIES) for out in (2, 1))
    errors = np.zeros((count, len(PENALTIES), scores))
    for i, j in itertools.combinations(range(count), 2):
        fit = _Fit(sums.over(np.flatnonzero((folds != i) & (folds != j)), source, scores))
        weights = [fit.weights(penalty) for penalty in inner]
        for out, held in ((i, j), (j, i)):
            own = sums.over(np.flatnonzero(folds == held), source, scores)
            errors[out] += [fit.error(one, own) for one in weights]
    chosen = errors.argmin(axis=1)
    weights, offset = np.empty((count, len(source.scale), scores)), np.empty((count, scores))
    for f in range(count):
        fit = _Fit(sums.over(np.flatnonzero(folds != f), source, scores))
        for place in np.unique(chosen[f]):
            here = np.flatnonzero(chosen[f] == place)
            weights[f][:, here] = fit.weights(outer[place], here)
        offset[f] = -fit.mean_x @ weights[f]
    return CellModels(weights * source.scale[:, None], offset, errors.min(axis=1), chosen)


class _Fit:
    """The models of all penalties that are fitted on some images, known by sums; uses up the memory of these."""

    def __init__(self, of: Sums) -> None:
        self.mean_x, self.mean_y = of.x / of.count, of.y / of.count
        right = of.xy - np.outer(of.x, self.mean_y)
        covariance = of.covariance()
        self.one = covariance.item() if len(covariance) == 1 else None
        if self.one is None:
            self.made = Tridiagonal(covariance, overwrite=True)
            right = self.made.turned(right)
        self.right = right

    def weights(self, penalty: float, scores: Int[np.ndarray, " _"] | slice = slice(None)) -> np.ndarray:
        """At one penalty, of some of the scores."""
        right = self.right[:, scores]
        if self.one is not None:
            return right / (self.one + penalty)
        return self.made.back(self.made.inside(right, penalty))

    def error(self, w: Float[np.ndarray, "k r"], held: Sums) -> Float[np.ndarray, " r"]:
        """Sum of squares of the models of some weights on images that were not fitted on."""
        own = blas.dsymm(1.0, held.xx, np.asfortranarray(w), lower=1)
        constant, across = self.mean_y - self.mean_x @ w, held.x @ w
        squares = held.yy - 2 * (held.xy * w).sum(axis=0) + (w * own).sum(axis=0)
        return squares + constant * (held.count * constant + 2 * across - 2 * held.y)
