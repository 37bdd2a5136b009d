"""Do two measures of the same images correlate differently with the same score? Tests for dependent correlations.

Correlations are Pearson's; for Spearman's the tests are used as an approximation, as is common. ``n`` is the number of
images.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used

from memjax.checks import expected


@dataclass(frozen=True)
class Difference:
    """A test statistic, its two-sided p, and (Meng's) interval of the difference of Fisher's z; NaN where not given."""

    statistic: float
    p: float
    ci_low: float = np.nan
    ci_high: float = np.nan


ROUNDING = 1e-12
"""Of the determinant of a correlation matrix, which is 0 where two measures give the score exactly."""


def determinant_of(r_1y: float, r_2y: float, r_12: float) -> float:
    """The determinant of the correlation matrix of two measures and the score."""
    return 1 - r_1y**2 - r_2y**2 - r_12**2 + 2 * r_1y * r_2y * r_12


def _check(r_1y: float, r_2y: float, r_12: float, n: int) -> None:
    if n < 4 or not all(-1 < r < 1 for r in (r_1y, r_2y, r_12)):
        raise expected("dependent correlations", "n >= 4 and correlations inside (-1, 1)", (r_1y, r_2y, r_12, n))
    if determinant_of(r_1y, r_2y, r_12) < -ROUNDING:
        raise expected("dependent correlations", "a possible correlation matrix", (r_1y, r_2y, r_12))


def williams(r_1y: float, r_2y: float, r_12: float, n: int) -> Difference:
    """Williams' t (n - 3 degrees of freedom) for ``r_1y = r_2y``, given the correlation ``r_12`` of the two measures.

    t = (r_1y - r_2y) sqrt((n-1)(1+r_12) / (2 |R| (n-1)/(n-3) + m^2 (1-r_12)^3)), m the mean of the two.

    Raises:
        InputError: correlations that cannot occur together.

    Example:
        >>> found = williams(0.4, 0.5, 0.1, 103)
        >>> round(found.statistic, 2), round(found.p, 2)
        (-0.89, 0.37)

    Reference: Williams 1959; Steiger 1980, Psychol. Bull. 87, equation 7.
    """
    _check(r_1y, r_2y, r_12, n)
    determinant = max(0.0, determinant_of(r_1y, r_2y, r_12))
    mean = (r_1y + r_2y) / 2
    scale = 2 * determinant * (n - 1) / (n - 3) + mean**2 * (1 - r_12) ** 3
    t = (r_1y - r_2y) * np.sqrt((n - 1) * (1 + r_12) / scale)
    return Difference(float(t), float(2 * scipy.stats.t.sf(abs(t), n - 3)))


def meng(r_1y: float, r_2y: float, r_12: float, n: int, level: float = 0.95) -> Difference:
    """Meng's Z for ``r_1y = r_2y``, with the interval of the difference of Fisher's z.

    Raises:
        InputError: correlations that cannot occur together.

    Example:
        >>> found = meng(0.63, -0.03, -0.19, 15)    # the published example
        >>> round(found.statistic, 2)
        1.68

    Reference: Meng, Rosenthal & Rubin 1992, Psychol. Bull. 111.
    """
    _check(r_1y, r_2y, r_12, n)
    mean_square = (r_1y**2 + r_2y**2) / 2
    f = min(1.0, (1 - r_12) / (2 * (1 - mean_square)))
    h = (1 - f * mean_square) / (1 - mean_square)
    difference = np.arctanh(r_1y) - np.arctanh(r_2y)
    error = np.sqrt(2 * (1 - r_12) * h / (n - 3))
    z = difference / error
    half = scipy.stats.norm.ppf((1 + level) / 2) * error
    return Difference(
        float(z), float(2 * scipy.stats.norm.sf(abs(z))), float(difference - half), float(difference + half)
    )
