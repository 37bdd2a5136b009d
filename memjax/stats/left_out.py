"""Nested ridge regressions of the scores over many partitions of the same images, at the cost of few decompositions.

The same models and the same choice of the penalty as `memjax.stats.nested.nested`, whose penalty is counted an image that is
fitted on; here those are as many in every fold as they are on average.

Many columns are known by the products ``K`` of all pairs of images. With ``A`` the inverse of ``K + penalty`` from which the
intercept is taken out, the residuals of the images of some folds, from the model that is fitted on all others, are
``A[folds, folds]^-1 (A y)[folds]``. So there is one inverse a penalty, whatever the number of partitions.

Few columns are fitted on part by part, from their covariance (`memjax.stats.tridiagonal`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from scipy.linalg import lapack

from memjax.stats.ridge import PENALTIES
from memjax.stats.tridiagonal import Tridiagonal


@dataclass(frozen=True)
class LeftOut:
    """What the models of one partition into folds predict, for scores and permutations of them.

    Attributes:
        predicted, error, chosen: see `memjax.stats.nested.Nested`; partitions may have as many permutations each as they like.
    """

    predicted: Float[np.ndarray, "n _"]
    error: Float[np.ndarray, "f _"]
    chosen: Int[np.ndarray, "f _"]


def from_products(
    products: np.ndarray,
    scores: Sequence[Float[np.ndarray, "n _"]],
    partitions: Sequence[Int[np.ndarray, " n"]],
    penalties: Sequence[float] = PENALTIES,
) -> list[LeftOut]:
    """Nested cross-validation of every partition, from the products of all pairs of images.

    Args:
        products: ``[n, n]``, sums over columns.
        scores: of each partition: human scores and permutations of them.
        partitions: the fold of each image, 0 to f - 1, of as many folds each, three or more.
        penalties: to choose from, ascending.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> found = from_products(x @ x.T, [x[:, :1]], [np.arange(60) % 3])
        >>> float(np.corrcoef(found[0].predicted[:, 0], x[:, 0])[0, 1].round(2))
        1.0
    """
    count, n = int(partitions[0].max()) + 1, len(products)
    errors = [np.zeros((count, len(penalties), y.shape[1])) for y in scores]
    for place, penalty in enumerate(penalties):
        inverse = _without_intercept(products, penalty * n * (count - 2) / count)
        for error, y, folds in zip(errors, scores, partitions, strict=True):
            _add_errors(error[:, place], inverse, inverse @ y, folds)
    chosen = [error.argmin(axis=1) for error in errors]
    predicted = [np.empty(y.shape) for y in scores]
    for place in np.unique(np.concatenate([one.ravel() for one in chosen])):
        inverse = _without_intercept(products, penalties[place] * n * (count - 1) / count)
        for into, y, folds, one in zip(predicted, scores, partitions, chosen, strict=True):
            _add_predictions(into, inverse, y, folds, one == place)
    return [LeftOut(into, error.min(axis=1), one) for into, error, one in zip(predicted, errors, chosen, strict=True)]


def refitted(
    products: np.ndarray, y: Float[np.ndarray, " n"], partitions: Sequence[Int[np.ndarray, " n"]]
) -> tuple[Float[np.ndarray, " n"], float]:
    """One model of all images, at the penalty whose models did best on folds that they were not fitted on.

    Args:
        products: ``[n, n]``, sums over columns of mean 0.
        y: human scores.
        partitions: as in `from_products`.

    Returns:
        What the model makes of the images, ``[n]``: a column's weight is its products with this; and the penalty.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> x -= x.mean(axis=0)
        >>> combined, penalty = refitted(x @ x.T, x[:, 0], [np.arange(60) % 3])
        >>> (combined @ x).round(2).tolist(), penalty
        ([1.0, 0.0], 1e-05)
    """
    count, n = int(partitions[0].max()) + 1, len(products)
    errors = np.zeros(len(PENALTIES))
    for place, penalty in enumerate(PENALTIES):
        inverse = _without_intercept(products, penalty * n * (count - 1) / count)
        seen = inverse @ y[:, None]
        for folds in partitions:
            members = (np.flatnonzero(folds == f) for f in range(count))
            errors[place] += sum(float((_residuals(inverse, seen, rows) ** 2).sum()) for rows in members)
    penalty = PENALTIES[int(errors.argmin())]
    return _without_intercept(products, penalty * n) @ y, penalty


def _without_intercept(products: np.ndarray, penalty: float) -> np.ndarray:
    """The inverse of the products with a penalty, less the part that an intercept, which is not penalised, takes up."""
    shifted = np.array(products, np.float64, order="F")
    shifted[np.diag_indices(len(shifted))] += penalty
    factor, failed = lapack.dpotrf(shifted, lower=1, overwrite_a=1)  # and 0 above the diagonal
    lower, also = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or also:
        raise np.linalg.LinAlgError(f"products of images with a penalty of {penalty:g} are not positive definite")
    inverse = lower + lower.T
    inverse[np.diag_indices(len(inverse))] /= 2
    sums = inverse.sum(axis=1)
    return inverse - np.outer(sums, sums / sums.sum())


def _residuals(inverse: np.ndarray, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of some images, from the model that is fitted on the others; ``seen`` is the inverse times the scores."""
    factor = scipy.linalg.cho_factor(inverse[np.ix_(rows, rows)], lower=True, overwrite_a=True, check_finite=False)
    return scipy.linalg.cho_solve(factor, seen[rows], check_finite=False)


def _add_errors(error: Float[np.ndarray, "f r"], inverse: np.ndarray, seen: np.ndarray, folds: np.ndarray) -> None:
    """Squared errors on fold j of the models that are fitted without i and j, onto those of i, for all i and j."""
    members = [np.flatnonzero(folds == f) for f in range(len(error))]
    for i, j in itertools.combinations(range(len(error)), 2):
        residual = _residuals(inverse, seen, np.concatenate([members[i], members[j]]))
        error[j] += (residual[: len(members[i])] ** 2).sum(axis=0)
        error[i] += (residual[len(members[i]) :] ** 2).sum(axis=0)


def _add_predictions(
    into: Float[np.ndarray, "n r"],
    inverse: np.ndarray,
    y: Float[np.ndarray, "n r"],
    folds: Int[np.ndarray, " n"],
    wanted: np.ndarray,
) -> None:
    """What the models without each fold predict of it, less their training mean, of the scores ``wanted [f, r]``."""
    for f in np.flatnonzero(wanted.any(axis=1)):
        here, columns = folds == f, np.flatnonzero(wanted[f])
        rows, scores = np.flatnonzero(here), y[:, columns]
        residual = _residuals(inverse, inverse @ scores, rows)
        into[np.ix_(rows, columns)] = scores[rows] - residual - scores[~here].mean(axis=0)


def from_columns(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], folds: Int[np.ndarray, " n"]) -> LeftOut:
    """Nested cross-validation of one partition, of few columns and of the scores alone.

    Args:
        x: columns, of about equal variance and mean 0.
        y: human scores.
        folds: of each image, 0 to f - 1, each with images, f three or more.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> found = from_columns(x, x[:, 0], np.arange(60) % 3)
        >>> float(np.corrcoef(found.predicted[:, 0], x[:, 0])[0, 1].round(2))
        1.0
    """
    count = int(folds.max()) + 1
    members = [np.flatnonzero(folds == f) for f in range(count)]
    beside = np.column_stack([np.ones(len(x)), x, y])
    sums = np.stack([beside[rows].T @ beside[rows] for rows in members])  # of all pairs of columns, a fold each
    total, penalties = sums.sum(axis=0), np.array(PENALTIES)
    inner, outer = (len(x) * (count - out) / count * penalties for out in (2, 1))
    errors = np.zeros((count, len(penalties)))
    for i, j in itertools.combinations(range(count), 2):
        weights = _path(total - sums[i] - sums[j], inner)
        for out, held in ((i, j), (j, i)):
            errors[out] += (_residuals_of(beside[members[held]], weights) ** 2).sum(axis=0)
    chosen, predicted = errors.argmin(axis=1), np.empty(len(x))
    for f, rows in enumerate(members):
        left = total - sums[f]
        weights = _path(left, outer[chosen[f] : chosen[f] + 1])
        predicted[rows] = y[rows] - _residuals_of(beside[rows], weights)[:, 0] - left[0, -1] / left[0, 0]
    return LeftOut(predicted[:, None], errors.min(axis=1)[:, None], chosen[:, None])


def _residuals_of(beside: np.ndarray, weights: Float[np.ndarray, "k a"]) -> np.ndarray:
    """Of the scores, which stand last, from the columns before them; one column a penalty."""
    return beside[:, -1:] - beside[:, :-1] @ weights


def _path(sums: np.ndarray, penalties: Float[np.ndarray, " a"]) -> Float[np.ndarray, "k a"]:
    """Intercept and weights at each penalty, from sums over products of 1, the columns and the scores."""
    means = sums[0, 1:] / sums[0, 0]
    centred = sums[1:, 1:] - sums[0, 0] * np.outer(means, means)
    weights = _solved(centred[:-1, :-1], centred[:-1, -1], penalties)
    return np.vstack([means[-1] - means[:-1] @ weights, weights])


def _solved(
    matrix: Float[np.ndarray, "k k"], right: Float[np.ndarray, " k"], penalties: Float[np.ndarray, " a"]
) -> Float[np.ndarray, "k a"]:
    """``(matrix + penalty)^-1 right`` of a symmetric matrix at each penalty: made tridiagonal once."""
    k = len(matrix)
    if k == 1:
        return right[:, None] / (matrix + penalties)
    made = Tridiagonal(matrix)
    start = made.turned(right[:, None])[:, 0]
    return made.back(np.stack([made.inside(start, float(penalty)) for penalty in penalties], axis=1))
