"""Out-of-fold predictions of ridge regressions, the penalty chosen inside each training part; by columns, or by images."""

import itertools
from dataclasses import dataclass

import jax
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
    if x.shape[1] > len(x) / 2:
        return _by_images(x, scores, folds)
    # A GPU takes a tenth of the time; on a CPU a program for every number of columns takes longer to compile than to run.
    return _by_sums(x, scores, folds) if jax.default_backend() == "gpu" else _by_columns(x, scores, folds)


def _by_sums(x: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Nested:
    """From sums over the images of each fold, in one compiled program."""
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
class _Fit:
    """Models of all penalties, in a basis in which what they are fitted on is uncorrelated.

    Attributes:
        rows: the images that they are fitted on.
        basis: of columns ``[k, b]``, or of these images ``[rows, b]``.
        variances, scores: in it, ``[b]`` and ``[b, r]``.
        means: of the columns, or of the products with these images.
        mean_y: of the scores.
    """

    rows: np.ndarray
    basis: np.ndarray
    variances: np.ndarray
    scores: np.ndarray
    means: np.ndarray
    mean_y: np.ndarray

    def combination(self, penalty: np.ndarray | float) -> np.ndarray:
        """Of the basis: what the model at a penalty (one, or one for each of the scores) makes of it."""
        return self.scores / (self.variances[:, None] + penalty)


class _Columns:
    """Columns in memory, as what models are fitted on."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def fit(self, scores: np.ndarray, rows: np.ndarray) -> _Fit:
        """The models of some images."""
        means, mean_y = self.x[rows].mean(axis=0), scores[rows].mean(axis=0)
        centred = self.x[rows] - means
        variances, basis = np.linalg.eigh(centred.T @ centred / len(rows))
        covariance = basis.T @ (centred.T @ (scores[rows] - mean_y)) / len(rows)
        return _Fit(rows, basis, np.maximum(variances, 0), covariance, means, mean_y)

    def seen(self, fit: _Fit, others: np.ndarray) -> np.ndarray:
        """Other images in the basis, ``[m, b]``."""
        return (self.x[others] - fit.means) @ fit.basis


class _Products:
    """Products of all pairs of images, as what models are fitted on."""

    def __init__(self, products: np.ndarray) -> None:
        self.products = products

    def fit(self, scores: np.ndarray, rows: np.ndarray) -> _Fit:
        """The models of some images."""
        own, mean_y = self.products[np.ix_(rows, rows)], scores[rows].mean(axis=0)
        means = own.mean(axis=0)
        variances, basis = np.linalg.eigh(own - means - means[:, None] + means.mean())
        covariance = basis.T @ (scores[rows] - mean_y) / len(rows)
        return _Fit(rows, basis, np.maximum(variances, 0) / len(rows), covariance, means, mean_y)

    def seen(self, fit: _Fit, others: np.ndarray) -> np.ndarray:
        """Other images in the basis, ``[m, b]``."""
        across = self.products[np.ix_(others, fit.rows)]
        return (across - across.mean(axis=1, keepdims=True) - fit.means + fit.means.mean()) @ fit.basis


@dataclass(frozen=True)
class NestedProducts:
    """As `Nested`, of columns that are known by the products of images alone.

    Attributes:
        predicted, error, chosen: see `Nested`.
        combined: of each fold's model of the first scores: of columns its weights; of products what it makes of the images
            that it was fitted on.
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
    return _nested(_Products(products), scores, folds)


def _by_columns(x: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Nested:
    found = _nested(_Columns(x), scores, folds)
    return Nested(found.predicted, found.error, found.chosen, np.stack(found.combined))


def _by_images(x: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Nested:
    found = nested_products(x @ x.T, scores, folds)
    weights = np.zeros((len(found.combined), x.shape[1]))
    for f, combined in enumerate(found.combined):
        rows = folds != f
        weights[f] = combined @ (x[rows] - x[rows].mean(axis=0))
    return Nested(found.predicted, found.error, found.chosen, weights)


def _nested(of: _Columns | _Products, scores: np.ndarray, folds: np.ndarray) -> NestedProducts:
    count, penalties = int(folds.max()) + 1, np.array(ridge.PENALTIES)
    errors = np.zeros((count, len(penalties), scores.shape[1]))
    for i, j in itertools.combinations(range(count), 2):
        fit = of.fit(scores, np.flatnonzero((folds != i) & (folds != j)))
        for out, held in ((i, j), (j, i)):
            others = np.flatnonzero(folds == held)
            errors[out] += _errors(fit, of.seen(fit, others), scores[others] - fit.mean_y)
    chosen = errors.argmin(axis=1)
    predicted, combined = np.empty(scores.shape), []
    for f in range(count):
        fit, others = of.fit(scores, np.flatnonzero(folds != f)), np.flatnonzero(folds == f)
        combination = fit.combination(penalties[chosen[f]])
        predicted[others] = of.seen(fit, others) @ combination
        combined.append(fit.basis @ combination[:, 0])
    return NestedProducts(predicted, errors.min(axis=1), chosen, combined)


def _errors(fit: _Fit, seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Sum of squared errors at each penalty, ``[a, r]``; of more images than the basis has, from sums over them."""
    if len(seen) <= seen.shape[1]:
        return np.stack([((seen @ fit.combination(p) - wanted) ** 2).sum(axis=0) for p in ridge.PENALTIES])
    own, across, squares = seen.T @ seen, seen.T @ wanted, (wanted**2).sum(axis=0)
    combinations = map(fit.combination, ridge.PENALTIES)
    return np.stack([squares - 2 * (a * across).sum(axis=0) + (a * (own @ a)).sum(axis=0) for a in combinations])
