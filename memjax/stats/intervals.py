"""Confidence intervals of correlations: percentile, BCa, and Fisher's z. NaN, ties, constants: see `correlation`."""

import numpy as np
import scipy  # its parts are loaded when first used

from memjax.checks import expected
from memjax.stats import resampling
from memjax.stats.bounds import held
from memjax.stats.correlation import bootstrap, check_columns, coefficients, complete_groups

KINDS = ("percentile", "bca", "fisher")

PERFECT = 1 - 1e-9
"""A correlation from which on it is perfect, to rounding."""


def interval(
    x: np.ndarray,
    y: np.ndarray,
    method: str = "spearman",
    kind: str = "bca",
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end, float64 ``[k]`` each, for every column of ``x [n, k]`` with ``y [n]``.

    ``"bca"`` corrects the percentile interval for bias and skewness; its acceleration comes from the jackknife, ``n``
    more resamples. ``"fisher"`` needs no resampling, see `fisher_z`.

    Raises:
        InputError: unknown kind or method, shapes that do not fit.

    Reference: Efron 1987, J. Am. Stat. Assoc. 82.
    """
    if kind not in KINDS:
        raise expected("kind", f"one of {', '.join(KINDS)}", repr(kind))
    x, y = check_columns(x, y, method)
    low, high = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    for columns, rows in complete_groups(x, y):
        rho, _ = coefficients(x[np.ix_(rows, columns)], y[rows], method)
        defined = columns[np.isfinite(rho)]
        rho = rho[np.isfinite(rho)]
        if not len(defined):
            continue
        if kind == "fisher":
            low[defined], high[defined] = fisher_z(rho, len(rows), method, level)
            continue
        values, score = x[np.ix_(rows, defined)], y[rows]
        boot = bootstrap(values, score, method, n_boot, seed)
        tails = np.broadcast_to(np.array([(1 - level) / 2, (1 + level) / 2])[:, None], (2, len(defined)))
        if kind == "bca":
            tails = bca_tails(rho, boot, jackknife(values, score, method), level)
        low[defined], high[defined] = held(rho, *quantiles(boot, tails))
    return low, high


def quantiles(boot: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Each column's own quantiles: ``boot [r, k]``, ``tails [2, k]`` -> ``[2, k]``; undefined resamples are left
    out."""
    pairs = zip(boot.T.astype(np.float64), tails.T, strict=True)
    return np.array([np.nanquantile(column, tail) for column, tail in pairs]).T


def bca_tails(rho: np.ndarray, boot: np.ndarray, jack: np.ndarray, level: float) -> np.ndarray:
    """The BCa interval's quantile levels ``[2, k]``, from the estimate ``[k]``, the bootstrap ``[r, k]`` and the
    jackknife.

    Ties with the estimate count half, as in ``scipy.stats.bootstrap``.
    """
    below = ((boot < rho).mean(axis=0) + (boot <= rho).mean(axis=0)) / 2
    bias = scipy.stats.norm.ppf(np.clip(below, 1 / (2 * len(boot)), 1 - 1 / (2 * len(boot))))
    deviation = np.nanmean(jack, axis=0) - jack
    spread = np.nansum(deviation**2, axis=0)
    acceleration = np.nansum(deviation**3, axis=0) / (6 * np.where(spread > 0, spread, 1) ** 1.5)
    z = bias + scipy.stats.norm.ppf([[(1 - level) / 2], [(1 + level) / 2]])
    return scipy.stats.norm.cdf(bias + z / (1 - acceleration * z))


def jackknife(x: np.ndarray, y: np.ndarray, method: str) -> np.ndarray:
    """The coefficient with each image left out in turn, complete columns: float64 ``[n, k]``."""
    n = len(y)
    step = 4 * resampling.THREADS * resampling.RESAMPLES_PER_CHUNK
    kernel = resampling.KERNELS[method]
    out = []
    for start in range(0, n, step):
        left_out = np.arange(start, min(start + step, n))
        weights = np.ones((n, len(left_out)), np.float32)
        weights[left_out, np.arange(len(left_out))] = 0
        out.append(kernel(x, y, weights))
    return np.concatenate(out).astype(np.float64)


def fisher_z(rho: np.ndarray, n: int, method: str = "pearson", level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval from Fisher's z = arctanh(rho), whose standard error is taken as

    pearson 1 / sqrt(n - 3); spearman sqrt((1 + rho^2 / 2) / (n - 3)); kendall sqrt(0.437 / (n - 4)).

    NaN for fewer than five images, and for a perfect correlation, whose z is infinite.

    Reference: Bonett & Wright 2000, Psychometrika 65; Fieller, Hartley & Pearson 1957.

    Example:
        >>> low, high = fisher_z(np.array([0.5]), 50)
        >>> low.round(3), high.round(3)
        (array([0.257]), array([0.683]))
    """
    rho = np.asarray(rho, np.float64)
    if n < 5:
        return np.full(rho.shape, np.nan), np.full(rho.shape, np.nan)
    rho = np.where(np.abs(rho) < PERFECT, rho, np.nan)
    variance = {
        "pearson": np.full(rho.shape, 1 / (n - 3)),
        "spearman": (1 + rho**2 / 2) / (n - 3),
        "kendall": np.full(rho.shape, 0.437 / (n - 4)),
    }[method]
    half = scipy.stats.norm.ppf((1 + level) / 2) * np.sqrt(variance)
    z = np.arctanh(rho)
    return held(rho, np.tanh(z - half), np.tanh(z + half))
