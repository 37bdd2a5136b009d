"""A handful of images: every order of the scores is tried, since approximations promise too much there.

Student's t gives p = 0 for rho = 1 of four images, although one order of the scores in twelve has |rho| = 1; and every resample
of images in perfect order is in perfect order, so that the bootstrap's interval has no width.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.stats

from memjax.stats.correlation import Correlations, check_columns, complete_groups

MOST_IMAGES = 9
"""Largest number of images whose every order is tried: 9! = 362,880."""

_ORDERS_AT_ONCE = 40_320
_SLACK = 1e-9
"""Orders that tied images make equal must count as reaching the observed value."""


NO_WIDTH = 1e-5
"""Of an interval: float32's rounding, and no more."""


def of_few_images(found: Correlations, x: np.ndarray, y: np.ndarray, method: str = "spearman") -> Correlations:
    """Correlations with an `exact_p`, and no interval without width, in columns of at most `MOST_IMAGES` images.

    Args:
        found: from `memjax.stats.correlation.correlate`, of the same x, y and method.
        x: ``[n, k]`` measures.
        y: ``[n]`` scores.
        method: the coefficient.
    """
    x, y = check_columns(x, y, method)
    few = found.n_images <= MOST_IMAGES
    if not few.any():
        return found
    p = found.p.copy()
    for columns, rows in complete_groups(x, y):
        columns = columns[np.isfinite(found.rho[columns])]
        if len(columns) and len(rows) <= MOST_IMAGES:
            p[columns] = exact_p(x[np.ix_(rows, columns)], y[rows], method)
    empty = few & (found.ci_high - found.ci_low < NO_WIDTH)
    low, high = (np.where(empty, np.nan, end) for end in (found.ci_low, found.ci_high))
    return replace(found, p=p, ci_low=low, ci_high=high)


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
    if method == "kendall":
        features, of_score = _signs(x), _signs
    else:
        x, y = (scipy.stats.rankdata(a, axis=0) for a in (x, y)) if method == "spearman" else (x, y)
        features, of_score = x - x.mean(axis=0), _centred
    scale = np.sqrt((features**2).sum(axis=0) * (of_score(y[:, None]) ** 2).sum())
    observed = np.abs(of_score(y[:, None])[:, 0] @ features) / scale
    reached = np.zeros(x.shape[1])
    for orders in _orders(len(y)):
        rho = np.abs(of_score(y[orders].T).T @ features) / scale
        reached += (rho >= observed - _SLACK).sum(axis=0)
    return reached / np.prod(np.arange(1.0, len(y) + 1))


def _orders(n: int) -> Iterator[np.ndarray]:
    """All orders of ``n`` things, int64 ``[r, n]``, some at a time."""
    every = itertools.permutations(range(n))
    while rows := list(itertools.islice(every, _ORDERS_AT_ONCE)):
        yield np.array(rows)


def _centred(y: np.ndarray) -> np.ndarray:
    return y - y.mean(axis=0)


def _signs(x: np.ndarray) -> np.ndarray:
    """Signs of the differences of all pairs, ``[pairs, k]``: tau-b is their correlation about 0."""
    first, second = np.triu_indices(len(x), 1)
    return np.sign(x[first] - x[second])
