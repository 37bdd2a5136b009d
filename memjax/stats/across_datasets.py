"""Correlations of several data sets in one number: a random-effects mean on the scale of Fisher's z.

Data sets are the units: what is estimated is the mean over data sets of their kind, of which a few were drawn. The variance
between them is Paule and Mandel's, and the interval that of Hartung, Knapp, Sidik and Jonkman, Student's t with one degree of
freedom less than data sets, at least as wide as the one that takes the variance between them for known. Of two data sets it is
wide, as it has to be: two numbers say little of a mean.

Reference: Paule & Mandel 1982, Consensus values and weighting factors, J. Res. Natl. Bur. Stand. 87; Hartung & Knapp 2001, A
refined method for the meta-analysis of controlled clinical trials with binary outcome, Stat. Med. 20; Roever, Knapp & Friede
2015, Hartung-Knapp-Sidik-Jonkman approach and its modification for random-effects meta-analysis with few studies, BMC Med. Res.
Methodol. 15.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Float

FEWEST_SETS = 2
"""Data sets that have a mean."""


@dataclass(frozen=True)
class MeanRho:
    """A mean over data sets.

    Attributes:
        sets: data sets with a value.
        rho, low, high: the mean, and its interval.
        p: two-sided, that it is 0.
        tau: standard deviation between data sets, on the scale of Fisher's z.
        i2: share of the variance of the data sets' values that is between them, 0 to 1.
        p_same: of Cochran's Q, that they do not differ.
    """

    sets: int
    rho: float
    low: float
    high: float
    p: float
    tau: float
    i2: float
    p_same: float


def errors_of(
    low: Float[np.ndarray, " q"], high: Float[np.ndarray, " q"], level: float = 0.95
) -> Float[np.ndarray, " q"]:
    """Standard errors on the scale of Fisher's z, from the ends of intervals.

    Example:
        >>> errors_of(np.array([-0.2]), np.array([0.2])).round(3).tolist()
        [0.103]
    """
    ends = np.arctanh(np.clip([low, high], -1 + 1e-12, 1 - 1e-12))
    return (ends[1] - ends[0]) / 2 / scipy.stats.norm.ppf((1 + level) / 2)


def mean_over_sets(rho: Float[np.ndarray, " q"], error: Float[np.ndarray, " q"], level: float = 0.95) -> MeanRho | None:
    """The mean of some correlations, each of another data set; None of fewer than two with a value and an error.

    Args:
        rho: of each data set.
        error: on the scale of Fisher's z, from `errors_of`.
        level: of the interval.

    Example:
        >>> found = mean_over_sets(np.array([0.1, 0.3, 0.2]), np.array([0.02, 0.03, 0.05]))
        >>> round(found.rho, 3), round(found.i2, 2), found.low < 0 < found.high
        (0.2, 0.94, True)
    """
    from statsmodels.stats.meta_analysis import combine_effects  # heavy; not at import

    known = np.isfinite(rho) & np.isfinite(error) & (error > 0)
    count = int(known.sum())
    if count < FEWEST_SETS:
        return None
    z, variance = np.arctanh(np.clip(rho[known], -1 + 1e-12, 1 - 1e-12)), error[known] ** 2
    found = combine_effects(z, variance, method_re="iterated", use_t=True)
    mean = float(found.mean_effect_re)
    spread = max(float(found.sd_eff_w_re), float(found.sd_eff_w_re_hksj))
    half = float(scipy.stats.t.ppf((1 + level) / 2, count - 1)) * spread
    return MeanRho(
        sets=count,
        rho=float(np.tanh(mean)),
        low=float(np.tanh(mean - half)),
        high=float(np.tanh(mean + half)),
        p=float(2 * scipy.stats.t.sf(abs(mean) / spread, count - 1)),
        tau=float(np.sqrt(max(float(found.tau2), 0))),
        i2=max(float(found.i2), 0.0),
        p_same=float(scipy.stats.chi2.sf(float(found.q), count - 1)),
    )
