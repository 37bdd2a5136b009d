"""Nested ridge regressions of very many images, from sums over cells of them (`memjax.stats.cells`).

The same models and the same choice of the penalty as `memjax.stats.left_out`: of each training part the covariance is made
tridiagonal once. Errors on other folds follow from sums alone; the images' predictions take a second reading of the columns.

In float64 throughout, by the BLAS of the CPU. Products in float32 would take a quarter of the time and changed predictions by
5e-8 of their standard deviation (1,316 images of LNSIM, 1,920 columns; these here by 2e-14), but decompositions take longer.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import blas

from memjax.stats.cells import CellSums, ChosenBands, UnionSums
from memjax.stats.ridge import PENALTIES
from memjax.stats.tridiagonal import Tridiagonal

_COLUMNS = 256
"""Models whose weights are computed at once, about."""


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


@dataclass(frozen=True)
class OneModel:
    """A model of standardised columns: weights ``[k]``, what is added, and the penalty that was chosen."""

    weights: Float[np.ndarray, " k"]
    intercept: float
    penalty: float


def one_model(
    sums: CellSums,
    source: ChosenBands,
    train: Int[np.ndarray, " _"],
    pairs: Sequence[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]],
) -> OneModel:
    """The model of the images of some cells, of the first scores.

    Args:
        sums: of all columns and scores.
        source: the columns that are read from.
        train: the cells.
        pairs: cells that are fitted on, and cells that these models are held against: the penalty is the one whose squared error
            there is smallest.

    Example:
        >>> x, cells = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
        >>> sums = CellSums([2], 2, 1)
        >>> for cell in range(2):
        ...     sums.add(cell, x[cells == cell], x[cells == cell, :1])
        >>> one, other = np.array([0]), np.array([1])
        >>> found = one_model(sums, ChosenBands((0,), np.ones(2)), one, [(one, other)])
        >>> np.abs(found.weights).round(2).tolist(), found.penalty
        ([1.0, 0.0], 1e-05)
    """
    errors = np.zeros(len(PENALTIES))
    for fitted, held in pairs:
        fit = _Fit(sums.over(fitted, source, 1))
        weights = fit.weights(int(sums.counts[fitted].sum()) * np.array(PENALTIES))
        errors += fit.errors(weights, sums.over(held, source, 1))[:, 0]
    penalty = PENALTIES[int(errors.argmin())]
    fit = _Fit(sums.over(train, source, 1))
    weights = fit.weights(np.array([int(sums.counts[train].sum()) * penalty]))[:, 0, 0]
    return OneModel(weights * source.scale, float(fit.mean_y[0] - fit.mean_x @ weights), penalty)


def models_of_cells(sums: CellSums, source: ChosenBands, folds: Int[np.ndarray, " c"], scores: int) -> CellModels:
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
        >>> found = models_of_cells(sums, ChosenBands((0,), np.ones(2)), np.arange(6) % 3, 1)
        >>> found.weights.round(2).tolist()[0]
        [[1.0], [0.0]]
    """
    count, n = int(folds.max()) + 1, int(sums.counts.sum())
    inner, outer = (n * (count - out) / count * np.array(PENALTIES) for out in (2, 1))
    errors, at_once = np.zeros((count, len(PENALTIES), scores)), max(_COLUMNS // scores, 1)
    parts = [slice(start, start + at_once) for start in range(0, len(PENALTIES), at_once)]
    for i, j in itertools.combinations(range(count), 2):
        fit = _Fit(sums.over(np.flatnonzero((folds != i) & (folds != j)), source, scores))
        weights = [fit.weights(inner[part]) for part in parts]
        for out, held in ((i, j), (j, i)):
            own = sums.over(np.flatnonzero(folds == held), source, scores)
            errors[out] += np.concatenate([fit.errors(one, own) for one in weights])
    chosen = errors.argmin(axis=1)
    weights, offset = np.empty((count, len(source.scale), scores)), np.empty((count, scores))
    for f in range(count):
        fit = _Fit(sums.over(np.flatnonzero(folds != f), source, scores))
        for place in np.unique(chosen[f]):
            here = np.flatnonzero(chosen[f] == place)
            weights[f][:, here] = fit.weights(outer[place : place + 1], here)[:, 0]
        offset[f] = -fit.mean_x @ weights[f]
    return CellModels(weights * source.scale[:, None], offset, errors.min(axis=1), chosen)


class _Fit:
    """The models of all penalties that are fitted on some images, known by sums; uses up the memory of these."""

    def __init__(self, of: UnionSums) -> None:
        self.mean_x, self.mean_y = of.x / of.count, of.y / of.count
        right = of.xy - np.outer(of.x, self.mean_y)
        covariance = of.covariance()
        self.one = covariance.item() if len(covariance) == 1 else None
        if self.one is None:
            self.made = Tridiagonal(covariance, overwrite=True)
            right = self.made.turned(right)
        self.right = right

    def weights(
        self, penalties: Float[np.ndarray, " a"], scores: Int[np.ndarray, " _"] | slice = slice(None)
    ) -> Float[np.ndarray, "k a r"]:
        """At each penalty, of some of the scores."""
        right = self.right[:, scores]
        if self.one is not None:
            return right[:, None] / (self.one + penalties[:, None])
        inside = np.concatenate([self.made.inside(right, float(penalty)) for penalty in penalties], axis=1)
        return self.made.back(inside).reshape(len(right), len(penalties), -1)

    def errors(self, w: Float[np.ndarray, "k a r"], held: UnionSums) -> Float[np.ndarray, "a r"]:
        """Sum of squares of the models of some weights on images that were not fitted on."""
        columns = w.reshape(len(w), -1)
        own = blas.dsymm(1.0, held.xx, np.asfortranarray(columns), lower=1)
        squares = np.einsum("kc,kc->c", columns, own).reshape(w.shape[1:])
        squares += held.yy - 2 * np.einsum("kr,kar->ar", held.xy, w)
        constant, across = self.mean_y - np.tensordot(self.mean_x, w, 1), np.tensordot(held.x, w, 1)
        return squares + constant * (held.count * constant + 2 * across - 2 * held.y)
