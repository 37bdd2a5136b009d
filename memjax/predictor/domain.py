"""How far an image is from those that a predictor was fitted on, in the encoders' own features."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from memjax.baselines.linear import shrunk_covariance
from memjax.checks import expected

SHARE = 0.99
"""Of images like those of the fit, about how many are within the bound."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Mahalanobis' distance to the images of the fit, and the bound beyond which an image is out of their domain.

    Attributes:
        mean: of the columns.
        white: ``[k, k]``: columns less their mean, times this, are uncorrelated and of variance 1.
        bound: distance that `SHARE` of the images keep within, each measured from the images of the other folds.

    Reference: Mahalanobis 1936; the covariance is shrunk as by Ledoit & Wolf 2004, J. Multivar. Anal. 88.
    """

    mean: Float[np.ndarray, " k"]
    white: Float[np.ndarray, "k k"]
    bound: float

    def distances(self, x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        """Of other images."""
        return np.sqrt((((x.astype(np.float64) - self.mean) @ self.white) ** 2).sum(axis=1))

    def outside(self, x: Float[np.ndarray, "n k"]) -> np.ndarray:
        """Which images are out of the domain, bool ``[n]``; NaN is."""
        return ~(self.distances(x) <= self.bound)


def fit_domain(x: Float[np.ndarray, "n k"], folds: Int[np.ndarray, " n"]) -> Domain:
    """The domain of some images.

    Args:
        x: columns that vary.
        folds: of each image; an image's own distance, for the bound, is from the images of the other folds.

    Raises:
        InputError: the images coincide.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(400, 3))
        >>> fit_domain(x, np.arange(400) % 5).outside(np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]])).tolist()
        [False, True]
    """
    held_out = np.empty(len(x))
    for fold in np.unique(folds):
        held_out[folds == fold] = _whitened(x[folds != fold], np.inf).distances(x[folds == fold])
    return _whitened(x, float(np.quantile(held_out, SHARE)))


def _whitened(x: Float[np.ndarray, "n k"], bound: float) -> Domain:
    x = x.astype(np.float64)
    scale = x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    mean, covariance = shrunk_covariance(x / scale)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise expected("domain of the predictor", "images apart from each other", "images that coincide") from error
    inverse = scipy.linalg.solve_triangular(root, np.eye(len(root)), lower=True)
    return Domain(mean * scale, inverse.T / scale[:, None], bound)
