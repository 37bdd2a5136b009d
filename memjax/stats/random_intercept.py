"""A linear model with an intercept for each group of images, drawn at random: by restricted maximum likelihood (REML).

y = X b + u_g + e, with u_g of variance s_u^2 for each group, e of variance s^2 for each image. With r = s_u^2 / s^2 the inverse
of a group's covariance is (I - r / (1 + r m) 11') / s^2, m its images: everything follows from sums over groups, and the
likelihood has one unknown, r, which is found by a bounded search and is 0 where that is as likely.

Reference: Patterson & Thompson 1971, Biometrika 58. `statsmodels` (MixedLM) gives the same numbers, but none for r = 0.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Float, Int

from memjax.checks import expected

LOG_RATIO = (-14.0, 10.0)
"""Bounds of the logarithm of r."""


@dataclass(frozen=True)
class RandomIntercept:
    """A fitted model.

    Attributes:
        coef, se, p: of the columns; p from Student's t, degrees of freedom: images less groups and columns.
        between, within: variances of the groups' intercepts and of the images about them.
    """

    coef: Float[np.ndarray, " c"]
    se: Float[np.ndarray, " c"]
    p: Float[np.ndarray, " c"]
    between: float
    within: float

    @property
    def icc(self) -> float:
        """The groups' share of the variance that the columns leave (intraclass correlation)."""
        return self.between / (self.between + self.within)


def fit_random_intercept(
    x: Float[np.ndarray, "n c"], y: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]
) -> RandomIntercept:
    """Fit the scores on complete columns, with an intercept of its own for each group.

    Args:
        x: the columns, an intercept among them.
        y: the scores.
        labels: the group of each image.

    Raises:
        InputError: fewer than two groups, or no more images than groups and columns.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> groups = np.repeat(np.arange(40), 25)
        >>> y = rng.normal(size=40)[groups] + rng.normal(size=1000)  # half of the variance, in the long run, is between groups
        >>> round(fit_random_intercept(np.ones((1000, 1)), y, groups).icc, 1)
        0.4
    """
    codes = np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(np.float64)
    n, columns, count = len(y), x.shape[1], len(sizes)
    if count < 2 or n <= count + columns:
        raise expected("random intercept", "two groups or more, and more images than these", f"{count} and {n}")
    whole = np.column_stack([x, y])
    sums = np.stack([np.bincount(codes, column) for column in whole.T], axis=1)
    plain = whole.T @ whole

    def solved(ratio: float) -> tuple[np.ndarray, np.ndarray, float]:
        weighted = plain - sums.T @ (sums * (ratio / (1 + ratio * sizes))[:, None])
        inverse = np.linalg.pinv(weighted[:columns, :columns], hermitian=True)
        coef = inverse @ weighted[:columns, columns]
        return coef, inverse, max(float(weighted[columns, columns] - weighted[:columns, columns] @ coef), 1e-300)

    def deviance(ratio: float) -> float:
        _, inverse, left = solved(ratio)
        _, information = np.linalg.slogdet(inverse)
        return (n - columns) * np.log(left) + np.log1p(ratio * sizes).sum() - information

    best = scipy.optimize.minimize_scalar(lambda log: deviance(np.exp(log)), bounds=LOG_RATIO, method="bounded")
    ratio = float(np.exp(best.x)) if best.fun < deviance(0.0) else 0.0
    coef, inverse, left = solved(ratio)
    within = left / (n - columns)
    se = np.sqrt(within * np.diag(inverse))
    p = 2 * scipy.stats.t.sf(np.abs(coef / se), n - count - columns)
    return RandomIntercept(coef, se, p, ratio * within, within)
