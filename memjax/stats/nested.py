"""Out-of-fold predictions of ridge regressions, the penalty chosen inside each training part; by columns, or by images."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.stats import ridge


@dataclass(frozen=True)
class Nested:
    """What the models of one partition into folds predict, for scores and permutations of them.

    Attributes:
        predicted: of each image by the model that was not fitted on its fold, ``[n, r]``, less the mean score that the model was
            fitted on.
        error: of each fold's model, ``[f, r]``: sum of squares over its inner folds, at the penalty chosen.
        chosen: which of the penalties, ``[f, r]``.
        weights: of each fold's model of the first scores, ``[f, k]``, score per unit of the column.
    """

    predicted: Float[np.ndarray, "n r"]
    error: Float[np.ndarray, "f r"]
    chosen: Int[np.ndarray, "f r"]
    weights: Float[np.ndarray, "f k"]


def nested(x: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n r"], folds: Int[np.ndarray, " n"]) -> Nested:
    """Nested cross-validation of one partition.

    Args:
        x: columns, of about equal variance and mean 0.
        scores: human scores and permutations of them.
        folds: of each image, 0 to f - 1, each with images, f three or more.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> found = nested(x, x[:, :1], np.arange(60) % 3)
        >>> float(np.corrcoef(found.predicted[:, 0], x[:, 0])[0, 1].round(2))
        1.0
    """
    return _by_columns(x, scores, folds) if x.shape[1] <= len(x) / 2 else _by_images(x, scores, folds)


def _by_columns(x: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Nested:
    """From sums over the images of each fold."""
    count = int(folds.max()) + 1
    with ridge.in_float64():
        parts = ridge.stacked([ridge.sums_of(x[folds == f], scores[folds == f]) for f in range(count)])
        fits = ridge.cross_validated(parts)
        weights, intercept, mean_y = (np.asarray(a) for a in (fits.weights, fits.intercept, fits.mean_y))
    predicted = np.empty(scores.shape)
    for f in range(count):
        here = folds == f
        predicted[here] = x[here] @ weights[f] + (intercept[f] - mean_y[f])
    return Nested(predicted, np.asarray(fits.error), np.asarray(fits.chosen), weights[:, :, 0])


@dataclass(frozen=True)
class _Dual:
    """Models of all penalties from the products of the images that they are fitted on.

    Attributes:
        rows: the images; ``vectors``, ``variances``: of their centred products; ``scores``: centred, in that basis.
        mean_x: of the products over the images, by image, and their mean; ``mean_y``: of the scores.
    """

    rows: np.ndarray
    vectors: np.ndarray
    variances: np.ndarray
    scores: np.ndarray
    means: np.ndarray
    mean_y: np.ndarray

    @classmethod
    def of(cls, products: np.ndarray, scores: np.ndarray, rows: np.ndarray) -> "_Dual":
        own = products[np.ix_(rows, rows)]
        means = own.mean(axis=0)
        variances, vectors = np.linalg.eigh(own - means - means[:, None] + means.mean())
        mean_y = scores[rows].mean(axis=0)
        variances = np.maximum(variances, 0) / len(rows)
        return cls(rows, vectors, variances, vectors.T @ (scores[rows] - mean_y) / len(rows), means, mean_y)

    def seen(self, products: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Other images in the basis, ``[m, rows]``."""
        across = products[np.ix_(others, self.rows)]
        return (across - across.mean(axis=1, keepdims=True) - self.means + self.means.mean()) @ self.vectors

    def combination(self, penalty: np.ndarray | float) -> np.ndarray:
        """Of the basis: what a model at a penalty (one, or one for each of the scores) makes of it."""
        return self.scores / (self.variances[:, None] + penalty)


def _by_images(x: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Nested:
    found = nested_products(x @ x.T, scores, folds)
    weights = np.zeros((len(found.combined), x.shape[1]))
    for f, combined in enumerate(found.combined):
        rows = folds != f
        weights[f] = combined @ (x[rows] - x[rows].mean(axis=0))
    return Nested(found.predicted, found.error, found.chosen, weights)


@dataclass(frozen=True)
class NestedProducts:
    """As `Nested`, of columns that are known by the products of images alone.

    Attributes:
        predicted, error, chosen: see `Nested`.
        combined: of each fold's model of the first scores, what it makes of the images that it was fitted on: its weights are
            that combination of their columns.
    """

    predicted: Float[np.ndarray, "n r"]
    error: Float[np.ndarray, "f r"]
    chosen: Int[np.ndarray, "f r"]
    combined: list[np.ndarray]


def nested_products(
    products: np.ndarray, scores: Float[np.ndarray, "n r"], folds: Int[np.ndarray, " n"]
) -> NestedProducts:
    """Nested cross-validation of one partition, from the products of all pairs of images.

    Args:
        products: ``[n, n]``, sums over columns.
        scores, folds: see `nested`.
    """
    count, penalties = int(folds.max()) + 1, np.array(ridge.PENALTIES)
    errors = np.zeros((count, len(penalties), scores.shape[1]))
    for i, j in itertools.combinations(range(count), 2):
        model = _Dual.of(products, scores, np.flatnonzero((folds != i) & (folds != j)))
        for out, held in ((i, j), (j, i)):
            others = np.flatnonzero(folds == held)
            seen, wanted = model.seen(products, others), scores[others] - model.mean_y
            for place, penalty in enumerate(penalties):
                errors[out, place] += ((seen @ model.combination(penalty) - wanted) ** 2).sum(axis=0)
    chosen = errors.argmin(axis=1)
    predicted, combined = np.empty(scores.shape), []
    for f in range(count):
        model, others = _Dual.of(products, scores, np.flatnonzero(folds != f)), np.flatnonzero(folds == f)
        combination = model.combination(penalties[chosen[f]])
        predicted[others] = model.seen(products, others) @ combination
        combined.append(model.vectors @ combination[:, 0])
    return NestedProducts(predicted, errors.min(axis=1), chosen, combined)
