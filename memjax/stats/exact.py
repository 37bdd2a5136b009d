"""Few images: p by counting orders of the scores, and intervals that do not rest on resamples alone.

Approximations promise too much there. Student's t gives p = 0 for rho = 1 of four images, although one order of the scores in
twelve has |rho| = 1; every resample of images in perfect order is in perfect order, so that the bootstrap's interval has no
width.

Of up to `MOST_ORDERS` images every order is tried. Of up to `MOST_IMAGES`, `ORDERS` random ones are, and
p = (1 + orders that reach the observed |rho|) / (1 + orders), a valid p however many are drawn (Phipson & Smyth 2010, Stat.
Appl. Genet. Mol. Biol. 9); Kendall's tau without ties has an exact p there, scipy's. An end of an interval is that of Fisher's
z (Bonett & Wright's for Spearman), or the bootstrap's where that reaches further.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import scipy  # its parts are loaded when first used

from memjax.stats.bounds import held
from memjax.stats.correlation import Correlations, check_columns, complete_groups, correlate
from memjax.stats.intervals import fisher_z

MOST_IMAGES = 29
"""Largest number of images whose p is counted; above it Student's t is close (`benchmarks/small_samples.py`)."""

MOST_ORDERS = 9
"""Largest number of images whose every order is tried: 9! = 362,880."""

ORDERS = 99_999
"""Random orders of more images: the smallest p is 0.00001."""

_ORDERS_AT_ONCE = 40_320
_VALUES_AT_ONCE = 2**24
_SLACK = 1e-9
"""Orders that tied images make equal must count as reaching the observed value."""


def reported(
    x: np.ndarray, y: np.ndarray, method: str = "spearman", n_boot: int = 2000, seed: int = 0, level: float = 0.95
) -> Correlations:
    """Correlations as every table of memjax reports them: `correlate`, and `of_few_images` where there are few.

    Args:
        x: ``[n, k]`` measures.
        y: ``[n]`` scores.
        method, n_boot, seed, level: see `memjax.stats.correlation.correlate`.

    Example:
        >>> found = reported(np.arange(4.0)[:, None], np.arange(4.0), n_boot=0)
        >>> found.rho.round(2), found.p.round(4)
        (array([1.]), array([0.0833]))
    """
    return of_few_images(correlate(x, y, method, n_boot, seed, level), x, y, method, seed, level)


def of_few_images(
    found: Correlations,
    x: np.ndarray,
    y: np.ndarray,
    method: str = "spearman",
    seed: int = 0,
    level: float = 0.95,
) -> Correlations:
    """Correlations with the p and the interval of few images in columns of at most `MOST_IMAGES` images; see the module.

    A perfect correlation of few images, and any of fewer than five, has no interval.

    Args:
        found: from `memjax.stats.correlation.correlate`, of the same x, y, method and level.
        x: ``[n, k]`` measures.
        y: ``[n]`` scores.
        method: the coefficient.
        seed: of the random orders.
        level: of the intervals.
    """
    x, y = check_columns(x, y, method)
    if not (found.n_images <= MOST_IMAGES).any():
        return found
    p, low, high = found.p.copy(), found.ci_low.copy(), found.ci_high.copy()
    for columns, rows in complete_groups(x, y):
        columns = columns[np.isfinite(found.rho[columns])]
        if not len(columns) or len(rows) > MOST_IMAGES:
            continue
        p[columns] = counted_p(x[np.ix_(rows, columns)], y[rows], method, seed, found.p[columns])
        rho = found.rho[columns]
        ends = fisher_z(rho, len(rows), method, level)
        low[columns] = np.where(np.isfinite(ends[0]), np.minimum(low[columns], ends[0]), np.nan)
        high[columns] = np.where(np.isfinite(ends[1]), np.maximum(high[columns], ends[1]), np.nan)
        low[columns], high[columns] = held(rho, low[columns], high[columns])
    return replace(found, p=p, ci_low=low, ci_high=high)


def counted_p(x: np.ndarray, y: np.ndarray, method: str, seed: int, known: np.ndarray) -> np.ndarray:
    """Two-sided p of each column from orders of the scores, float64 ``[k]``.

    Args:
        x: ``[n, k]`` complete columns, none constant.
        y: ``[n]`` complete scores, not constant.
        method: the coefficient.
        seed: of the random orders.
        known: scipy's p, which is exact for Kendall's tau where there are no ties.
    """
    if len(y) <= MOST_ORDERS:
        return exact_p(x, y, method)
    counted = np.array([method != "kendall" or _tied(y) or _tied(column) for column in x.T])
    p = known.copy()
    if counted.any():
        p[counted] = random_p(x[:, counted], y, method, seed)
    return p


def exact_p(x: np.ndarray, y: np.ndarray, method: str = "spearman") -> np.ndarray:
    """Two-sided p of each column: the share of all orders of the scores whose ``|rho|`` is at least the observed one.

    Args:
        x: ``[n, k]`` complete columns, none constant.
        y: ``[n]`` complete scores.
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"``.

    Returns:
        float64 ``[k]``, at least ``1 / n!``.

    Example:
        >>> exact_p(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0.1, 0.2, 0.3, 0.4])).round(4)
        array([0.0833])
    """
    return _reaching(x, y, method, _orders(len(y))) / math.factorial(len(y))


def random_p(x: np.ndarray, y: np.ndarray, method: str = "spearman", seed: int = 0) -> np.ndarray:
    """Two-sided p of each column from `ORDERS` random orders of the scores; see the module. Arguments as `exact_p`'s.

    Example:
        >>> bool(random_p(np.arange(12.0)[:, None], np.arange(12.0))[0] < 0.0001)
        True
    """
    at_once = max(1, min(_ORDERS_AT_ONCE, _VALUES_AT_ONCE // max(x.shape[1], len(y) ** 2 // 2)))
    return (1 + _reaching(x, y, method, _random_orders(len(y), seed, at_once))) / (1 + ORDERS)


def _reaching(x: np.ndarray, y: np.ndarray, method: str, several: Iterable[np.ndarray]) -> np.ndarray:
    """How many of the orders reach each column's ``|rho|``: float64 ``[k]``."""
    if method == "kendall":
        features, of_score = _signs(x), _signs
    else:
        x, y = (scipy.stats.rankdata(a, axis=0) for a in (x, y)) if method == "spearman" else (x, y)
        features, of_score = x - x.mean(axis=0), _centred
    scale = np.sqrt((features**2).sum(axis=0) * (of_score(y[:, None]) ** 2).sum())
    observed = np.abs(of_score(y[:, None])[:, 0] @ features) / scale
    reached = np.zeros(x.shape[1])
    for orders in several:
        rho = np.abs(of_score(y[orders].T).T @ features) / scale
        reached += (rho >= observed - _SLACK).sum(axis=0)
    return reached


def _orders(n: int) -> Iterator[np.ndarray]:
    """All orders of ``n`` things, int64 ``[r, n]``, some at a time."""
    every = itertools.permutations(range(n))
    while rows := list(itertools.islice(every, _ORDERS_AT_ONCE)):
        yield np.array(rows)


def _random_orders(n: int, seed: int, at_once: int) -> Iterator[np.ndarray]:
    """`ORDERS` random orders of ``n`` things, the same however many are drawn at once."""
    rng = np.random.default_rng(seed)
    for start in range(0, ORDERS, at_once):
        yield np.argsort(rng.random((min(at_once, ORDERS - start), n)), axis=1)


def _tied(x: np.ndarray) -> bool:
    return len(np.unique(x)) < len(x)


def _centred(y: np.ndarray) -> np.ndarray:
    return y - y.mean(axis=0)


def _signs(x: np.ndarray) -> np.ndarray:
    """Signs of the differences of all pairs, ``[pairs, k]``: tau-b is their correlation about 0."""
    first, second = np.triu_indices(len(x), 1)
    return np.sign(x[first] - x[second])
