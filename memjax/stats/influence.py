"""Intervals for very many images: the bootstrap of the coefficient's linear part, which needs no resamples.

A resample changes a coefficient by the mean of its images' influences, to first order in their counts. Over all resamples
that mean has the standard deviation ``sqrt(sum influence^2) / n`` (the infinitesimal jackknife), and with many images its
distribution is normal: the interval follows in the time that ranking takes. Influences are those of mid-ranks (ties
included), so that they are what `memjax.stats.resampling` resamples, and not those of an untied population.

Coverage, and how far the ends lie from those of the exact bootstrap: ``benchmarks/interval_coverage.py``.

Reference: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6; Croux & Dehon 2010, Influence
functions of the Spearman and Kendall correlation measures, Stat. Methods Appl. 19.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Bool, Float, Int

from memjax.stats.ordering import order_of


@dataclass(frozen=True)
class Ranked:
    """One complete column in order.

    Attributes:
        order: positions of the images, ascending.
        ends: in that order, whether a run of equal values ends.
        ranks: mid-ranks less their mean, by image.
        ties: how many images have the same value, by image.
    """

    order: Int[np.ndarray, " n"]
    ends: Bool[np.ndarray, " n"]
    ranks: Float[np.ndarray, " n"]
    ties: Int[np.ndarray, " n"]

    def by_image(self, of_runs: np.ndarray) -> np.ndarray:
        """One value a run of equal values -> one an image."""
        found = np.empty(len(self.order), of_runs.dtype)
        found[self.order] = np.repeat(of_runs, run_lengths(self.ends))
        return found

    def above(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """For each image the sum of ``values`` over the images above it, and of half of those level with it."""
        totals = np.cumsum(values[self.order])
        upto = totals[self.ends]
        before = np.concatenate([[0.0], upto[:-1]])
        return self.by_image(totals[-1] - (upto + before) / 2)


def ranked(x: Float[np.ndarray, " n"]) -> Ranked:
    """A complete column in order.

    Example:
        >>> ranked(np.array([3.0, 1.0, 3.0])).ranks.tolist()
        [0.5, -1.0, 0.5]
    """
    order = order_of(x)
    values = x[order]
    return _in_order(order, np.append(values[1:] != values[:-1], True))


def ranked_sparse(images: Int[np.ndarray, " k"], values: Float[np.ndarray, " k"], n: int) -> Ranked:
    """A column that is 0 but for some images, in order, without sorting its zeros.

    Args:
        images: those that are not 0, in order of their values.
        values: of these, above 0, ascending.
        n: images in all.

    Example:
        >>> ranked_sparse(np.array([2]), np.array([0.5]), 3).ranks.tolist()
        [-0.5, -0.5, 1.0]
    """
    zero = np.ones(n, bool)
    zero[images] = False
    ends = np.zeros(n, bool)
    zeros = n - len(images)
    if zeros:
        ends[zeros - 1] = True
    if len(images):
        ends[zeros:] = np.append(values[1:] != values[:-1], True)
    return _in_order(np.concatenate([np.flatnonzero(zero), images]), ends)


def _in_order(order: Int[np.ndarray, " n"], ends: Bool[np.ndarray, " n"]) -> Ranked:
    """A column from its images in order and the ends of its runs."""
    lengths, n = run_lengths(ends), len(order)
    found = np.empty(n), np.empty(n, np.int64)
    for by_image, of_runs in zip(found, (np.flatnonzero(ends) + 1 - (lengths - 1) / 2 - (n + 1) / 2, lengths)):
        by_image[order] = np.repeat(of_runs, lengths)
    return Ranked(order, ends, *found)


def run_lengths(ends: Bool[np.ndarray, " n"]) -> np.ndarray:
    """Of the runs of equal values, from where each ends.

    Example:
        >>> run_lengths(np.array([True, False, True])).tolist()
        [1, 2]
    """
    return np.diff(np.flatnonzero(ends), prepend=-1)


def spearman_influence(x: Ranked, y: Ranked) -> Float[np.ndarray, " n"]:
    """Of each image on Spearman's rho: their sum is 0, and rho of a resample is about ``rho + influence @ counts / n``."""
    n = len(x.ranks)
    u, v = x.ranks / n, y.ranks / n
    var_x, var_y = (u * u).mean(), (v * v).mean()
    rho = (u * v).mean() / np.sqrt(var_x * var_y)
    covariance = u * v + (x.above(v) + y.above(u)) / n
    # The variance of mid-ranks is (1 - sum of the cubes of the shares of tied images) / 12.
    of_variances = (x.ties / n) ** 2 / var_x + (y.ties / n) ** 2 / var_y
    return _centred(covariance / np.sqrt(var_x * var_y) + rho / 8 * of_variances)


def pearson_influence(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Of each image on Pearson's r; as `spearman_influence`."""
    zx, zy = ((values - values.mean()) / values.std() for values in (x, y))
    return _centred(zx * zy - (zx * zy).mean() / 2 * (zx**2 + zy**2))


def kendall_influence(x: Ranked, y: Ranked) -> Float[np.ndarray, " n"]:
    """Of each image on Kendall's tau-b; as `spearman_influence`."""
    n = len(x.ranks)
    concordance, untied_x, untied_y = concordances(x, y), n - x.ties, n - y.ties
    tau = concordance.sum() / np.sqrt(float(untied_x.sum()) * float(untied_y.sum()))
    of_pairs = concordance / concordance.mean() if tau else np.zeros(n)
    both = untied_x / untied_x.mean() + untied_y / untied_y.mean()
    return _centred(2 * tau * (of_pairs - both / 2))


def concordances(x: Ranked, y: Ranked) -> Float[np.ndarray, " n"]:
    """For each image: with how many others it is concordant, less with how many it is discordant.

    In O(n log n): of the images with a smaller x, `lower_before` counts those with a smaller y. What is neither concordant nor
    tied is discordant.
    """
    up, down = _code(x), _code(y)
    concordant = _lower(up, down) + _lower(-up, -down)
    _, pair, same = np.unique(up * len(up) + down, return_inverse=True, return_counts=True)
    discordant = len(up) - x.ties - y.ties + same[pair] - concordant
    return (concordant - discordant).astype(np.float64)


def _code(x: Ranked) -> Int[np.ndarray, " n"]:
    """The number of each image's run of equal values."""
    return x.by_image(np.arange(x.ends.sum()))


def _lower(x: Int[np.ndarray, " n"], y: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each image, how many have both a smaller x and a smaller y."""
    order = np.lexsort((-y, x))  # of images level in x, those with a larger y come first and are not counted
    found = np.empty(len(x), np.int64)
    found[order] = lower_before(y[order] - y.min())
    return found


def lower_before(codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each place in a sequence, how many of those before it are smaller.

    Bit by bit from the highest: among codes that agree in all higher bits, one that has the bit is larger than each before it
    that has it not.

    Args:
        codes: whole numbers, none negative.

    Example:
        >>> lower_before(np.array([2, 0, 1, 2])).tolist()
        [0, 0, 1, 2]
    """
    place, found = np.arange(len(codes)), np.zeros(len(codes), np.int64)
    for bit in reversed(range(int(codes.max()).bit_length())):
        here = codes[place]  # stably in order of the higher bits
        one, higher = (here >> bit) & 1 == 1, here >> (bit + 1)
        starts = np.append(True, higher[1:] != higher[:-1])
        zeros = np.cumsum(~one)
        before = np.repeat((zeros - ~one)[starts], np.diff(np.append(np.flatnonzero(starts), len(here))))
        found[place[one]] += (zeros - before)[one]
        place = place[np.argsort(here >> bit, kind="stable")]
    return found


def _centred(influence: np.ndarray) -> np.ndarray:
    return influence - influence.mean()


def half_width(influence: Float[np.ndarray, " n"], level: float) -> float:
    """Of the interval: the normal quantile times the standard deviation over resamples."""
    return float(scipy.stats.norm.ppf((1 + level) / 2) * np.sqrt((influence**2).sum()) / len(influence))


INFLUENCES: dict[str, Callable[[np.ndarray, np.ndarray, Ranked, Ranked], np.ndarray]] = {
    "spearman": lambda x, y, rx, ry: spearman_influence(rx, ry),
    "pearson": lambda x, y, rx, ry: pearson_influence(x, y),
    "kendall": lambda x, y, rx, ry: kendall_influence(rx, ry),
}
"""Method name -> influence of each image, from the values of column and score and from their ranks."""
