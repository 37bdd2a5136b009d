"""Linear models of a layer's vectors, and how badly an image fits them: the residual of PCA, Mahalanobis' distance.

Moments are summed in float64, some rows at a time, so that beside the vectors no more is held than a few ``d x d`` matrices.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float

from memjax.checks import expected

ROWS = 4096
"""Rows that are turned into float64 at once."""


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal axes of vectors.

    Attributes:
        mean: of the vectors.
        directions: orthonormal columns, the largest variance first.
        variance: along each (ddof 1).
    """

    mean: Float[np.ndarray, " d"]
    directions: Float[np.ndarray, "d d"]
    variance: Float[np.ndarray, " d"]


def parts(x: Float[np.ndarray, "m d"]) -> list[Float[np.ndarray, "_ d"]]:
    """The rows, some at a time; views."""
    return [x[start : start + ROWS] for start in range(0, len(x), ROWS)]


def mean_and_covariance(x: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Mean and covariance (ddof 1), float64."""
    mean = np.sum([part.sum(axis=0, dtype=np.float64) for part in parts(x)], axis=0) / len(x)
    covariance = np.zeros((x.shape[1], x.shape[1]))
    for part in parts(x):
        centred = part - mean
        covariance += centred.T @ centred
    return mean, covariance / max(1, len(x) - 1)


def principal_axes(x: Float[np.ndarray, "m d"]) -> Axes:
    """Mean and principal axes, from the covariance.

    Example:
        >>> found = principal_axes(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]))
        >>> found.mean.tolist(), found.variance.tolist()
        ([2.0, 1.0], [4.0, 0.0])
    """
    mean, covariance = mean_and_covariance(x)
    variance, directions = np.linalg.eigh(covariance)
    return Axes(mean, np.ascontiguousarray(directions[:, ::-1]), np.maximum(variance[::-1], 0.0))


def variance_of(x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " d"]:
    """The variance along each principal axis, the largest first.

    Example:
        >>> variance_of(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])).tolist()
        [4.0, 0.0]
    """
    return np.maximum(np.linalg.eigvalsh(mean_and_covariance(x)[1])[::-1], 0.0)


def count_components(variance: Float[np.ndarray, " d"], share: float) -> int:
    """The fewest axes that together have at least ``share`` of the variance.

    Example:
        >>> count_components(np.array([6.0, 3.0, 1.0]), 0.9), count_components(np.array([6.0, 3.0, 1.0]), 0.91)
        (2, 3)
    """
    told = np.cumsum(variance) / max(variance.sum(), np.finfo(np.float64).tiny)
    return int(np.searchsorted(told, share * (1 - 1e-12)) + 1)


def pca_error(
    fitted: Float[np.ndarray, "m d"], scored: Float[np.ndarray, "v d"], components: int | None, share: float
) -> Float[np.ndarray, " v"]:
    """Squared length of what the first principal axes of ``fitted`` leave of ``scored``.

    Args:
        fitted: the vectors that the axes are of.
        scored: the vectors to describe with them.
        components: how many axes; None: as many as have ``share`` of the variance of ``fitted``.
        share: see there.

    Raises:
        InputError: as many axes as the vectors are wide, which leave nothing.

    Example:
        >>> line = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
        >>> pca_error(line, np.array([[9.0, 4.0]]), 1, 0.9).tolist()
        [9.0]
    """
    axes = principal_axes(fitted)
    count = count_components(axes.variance, share) if components is None else components
    if components is not None and count >= fitted.shape[1]:
        raise expected("components", f"fewer than the {fitted.shape[1]} units", count, argument="components")
    left = axes.directions[:, count:]  # the axes that are left out: no difference of large numbers
    return np.concatenate([((part - axes.mean) @ left) ** 2 @ np.ones(left.shape[1]) for part in parts(scored)])


def shrunk_covariance(x: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Mean and covariance, shrunk towards a multiple of the identity as Ledoit and Wolf do.

    As in scikit-learn's ``LedoitWolf``, but with the sum of the fourth powers taken row by row, ten times as fast.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(40, 30))
        >>> bool(np.linalg.eigvalsh(shrunk_covariance(x)[1])[0] > 0.1)
        True
    """
    mean, covariance = mean_and_covariance(x)
    n, d = x.shape
    covariance = covariance * (max(1, n - 1) / n)
    mu, squares = np.trace(covariance) / d, (covariance**2).sum()
    fourth = sum((((part - mean) ** 2).sum(axis=1) ** 2).sum() for part in parts(x))
    noise, spread = (fourth / n - squares) / (d * n), squares / d - mu**2
    shrinkage = min(noise, spread) / spread if spread > 0 else 0.0
    return mean, (1 - shrinkage) * covariance + shrinkage * mu * np.eye(d)


def mahalanobis_distance(fitted: Float[np.ndarray, "m d"], scored: Float[np.ndarray, "v d"]) -> Float[np.ndarray, " v"]:
    """Mahalanobis' distance to the mean of ``fitted``, in its covariance, see `shrunk_covariance`.

    Raises:
        InputError: the covariance is singular though it is shrunk: the vectors coincide.

    Reference: Ledoit & Wolf 2004, J. Multivar. Anal. 88.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(500, 3))
        >>> bool(abs(mahalanobis_distance(x, np.array([[3.0, 0.0, 0.0]]))[0] - 3) < 0.3)
        True
    """
    mean, covariance = shrunk_covariance(fitted)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise expected("mahalanobis, covariance", "images apart from each other", "a singular one") from error
    white = [scipy.linalg.solve_triangular(root, (part - mean).T, lower=True) for part in parts(scored)]
    return np.concatenate([np.sqrt((part**2).sum(axis=0)) for part in white])
