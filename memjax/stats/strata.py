"""Spearman's rho within folds, or within groups: how well out-of-fold predictions order images that share a model.

Predictions of different folds come from different models. Pooled, they are biased: a model's mean lies above the mean of all
scores just where its test fold lies below, so that predictions from noise correlate negatively with the scores. Within a fold
the model is the same for all, and given the model the scores of its test images are exchangeable if there is nothing to predict:
the expectation of each fold's rho is then exactly 0, and so is that of their mean. The mean is a plain one, weighted by the
images less one: Fisher's z would run away in folds of few images. It is of the order within about n / 5 images and, like every
rho of m images, by a factor of about m / (m + 1) smaller than that of a population.

The interval takes in two things: which images were drawn (the influence of each image on the mean of its fold's rho, images of
one cluster together), and what was fitted (the variance of rho between repeated partitions into K folds, (K - 1) / 2 times).
That factor is exact for noise, where it matters most: out of fold, images i and j contribute one product t_ij to the rho of
each other's fold. A mean over all partitions weighs each pair 1 - 1 / K, so with the variance 1 / n of n independent images as
unit it has the variance 2 (1 - 1 / K); a single partition has 2, which leaves 2 / K between partitions; and the influences'
squares add up to 1 - 1 / K, half of what there is. With a strong relation little varies between partitions, and the factor does
not matter. Simulations: docs/readouts.md, `benchmarks/readout_calibration.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Float, Int

from memjax.stats.influence import ranked, spearman_influence

FEWEST = 3
"""Images of a stratum that has a rho."""


@dataclass(frozen=True)
class WithinRho:
    """Spearman's rho within strata, repeated.

    Attributes:
        by_repeat: mean over the strata of each repeat, ``[q]``.
        influence: of each image on the mean of all repeats, ``[n]``: its sum of squares is a variance.
        folds: how many strata a repeat has.
        by_stratum: mean over repeats of each stratum, where the strata are the same in all, with their weights; else None.
        between: by what the variance between repeats counts more where the partitions are of few cells of images, see
            `memjax.stats.cells`.
    """

    by_repeat: Float[np.ndarray, " q"]
    influence: Float[np.ndarray, " n"]
    folds: int
    by_stratum: tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]] | None = None
    between: float = 1.0

    @property
    def rho(self) -> float:
        """The mean over repeats."""
        return float(self.by_repeat.mean())


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, its interval and the two-sided p that it is 0."""

    value: float
    error: float
    low: float
    high: float
    p: float = float("nan")


def rho_by_stratum(
    x: Float[np.ndarray, "n r"], y: Float[np.ndarray, "n #r"], strata: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "g r"], Float[np.ndarray, " g"]]:
    """Spearman's rho of each column with the scores in each stratum, and the strata's weights, whose sum is 1.

    A constant column orders nothing: its rho is 0. Strata of fewer than `FEWEST` images, or of one score, have no weight.

    Example:
        >>> x, y = np.array([[1.0], [2.0], [3.0], [6.0], [5.0], [4.0]]), np.array([[1.0], [2.0], [3.0], [1.0], [2.0], [3.0]])
        >>> rho, weights = rho_by_stratum(x, y, np.array([0, 0, 0, 1, 1, 1]))
        >>> rho[:, 0].round(6).tolist(), weights.tolist()
        ([1.0, -1.0], [0.5, 0.5])
    """
    names = np.unique(strata)
    rho, weights = np.zeros((len(names), x.shape[1])), np.zeros(len(names))
    for place, name in enumerate(names):
        here = np.flatnonzero(strata == name)
        u, v = (scipy.stats.rankdata(values[here], axis=0) - (len(here) + 1) / 2 for values in (x, y))
        scale = np.sqrt((u * u).sum(axis=0) * (v * v).sum(axis=0))
        rho[place] = np.where(scale > 0, (u * v).sum(axis=0) / np.where(scale > 0, scale, 1), 0)
        weights[place] = len(here) - 1 if len(here) >= FEWEST and np.ptp(y[here, 0]) > 0 else 0
    return rho, weights / max(weights.sum(), 1)


def within_rho(
    predictions: Sequence[Float[np.ndarray, " n"]], y: Float[np.ndarray, " n"], strata: Sequence[Int[np.ndarray, " n"]]
) -> WithinRho:
    """Rho within strata, of each repeat, and what each image has to do with it.

    Args:
        predictions: of each repeat.
        y: human scores.
        strata: of each repeat, the stratum of every image: the fold whose model predicts it, or its group.
    """
    same = all(np.array_equal(one, strata[0]) for one in strata[1:])
    by_repeat, every, weights = [], [], np.empty(0)
    influence = np.zeros(len(y))
    for x, labels in zip(predictions, strata, strict=True):
        rho, weights = rho_by_stratum(x[:, None], y[:, None], labels)
        by_repeat.append(weights @ rho[:, 0])
        every.append(rho[:, 0])
        for name, weight in zip(np.unique(labels), weights, strict=True):
            here = np.flatnonzero(labels == name)
            if weight and np.ptp(x[here]) > 0:
                own = spearman_influence(ranked(x[here]), ranked(y[here]))
                influence[here] += weight * own / len(here) / len(predictions)
    by_stratum = (np.mean(every, axis=0), weights) if same else None
    return WithinRho(np.array(by_repeat), influence, len(weights), by_stratum)


def rho_interval(of: WithinRho, clusters: Int[np.ndarray, " n"] | None = None, level: float = 0.95) -> Estimate:
    """The interval of rho within folds, on the scale of Fisher's z.

    Args:
        of: from `within_rho`.
        clusters: a label an image: images of one count as drawn together; None: each by itself.
        level: its coverage.
    """
    error, freedom = _error(of, of.influence, of.by_repeat, clusters)
    on_z = error / max(1 - of.rho**2, 1e-12)
    half = scipy.stats.t.ppf((1 + level) / 2, freedom) * on_z
    middle = np.arctanh(np.clip(of.rho, -1 + 1e-12, 1 - 1e-12))
    p = _two_sided(float(middle), on_z, freedom)
    return Estimate(of.rho, error, float(np.tanh(middle - half)), float(np.tanh(middle + half)), p)


def group_interval(of: WithinRho, level: float = 0.95, fitted: bool = True) -> Estimate:
    """The interval of rho within groups, where the groups are what was drawn: Student's t over their rho.

    A bootstrap over five groups has too few resamples to cover. Nor does the spread over groups show all that varies: the
    rho of groups g and h share the products t_ij of their images, since each group's model is fitted on the other. From noise
    the mean over G groups has twice the variance of independent groups, whose unit is the sum of the influences' squares, and
    the spread shows (G - 2) / (G - 1) of that unit. The rest, G / (G - 1), is added: exact for noise, and wide where the relation
    is strong, as models then hardly differ.

    Args:
        of: from `within_rho`, with the groups as strata.
        level: its coverage.
        fitted: whether each group's predictions are those of a model fitted on the others; of a measure nothing is added.
    """
    rho, weights = of.by_stratum if of.by_stratum is not None else (np.full(1, of.rho), np.ones(1))
    used = weights > 0
    count = int(used.sum())
    if count < 2:
        return Estimate(of.rho, float("nan"), float("nan"), float("nan"))
    spread = float((weights[used] ** 2 * (rho[used] - of.rho) ** 2).sum() * count / (count - 1))
    shared = count / (count - 1) * float((of.influence**2).sum()) if fitted else 0.0
    variance = spread + shared + _fits(of, of.by_repeat)
    freedom = (count - 1) * (variance / spread) ** 2 if spread > 0 else np.inf  # Satterthwaite
    error = float(np.sqrt(variance))
    half = scipy.stats.t.ppf((1 + level) / 2, freedom) * error
    p = _two_sided(of.rho, error, float(freedom))
    return Estimate(of.rho, error, max(of.rho - half, -1.0), min(of.rho + half, 1.0), p)


def rho_difference(
    one: WithinRho, other: WithinRho, clusters: Int[np.ndarray, " n"] | None = None, level: float = 0.95
) -> Estimate:
    """By how much one rho is larger than another of the same images in the same folds, with its interval and two-sided p.

    Within groups that were held out it is `group_interval` of the two, one `less` the other.

    Args:
        one, other: from `within_rho`, of as many repeats.
        clusters, level: as in `rho_interval`.
    """
    apart = one.by_repeat - other.by_repeat
    error, freedom = _error(one, one.influence - other.influence, apart, clusters)
    value, half = float(apart.mean()), float(scipy.stats.t.ppf((1 + level) / 2, freedom) * error)
    return Estimate(value, error, value - half, value + half, _two_sided(value, error, freedom))


def less(one: WithinRho, other: WithinRho) -> WithinRho:
    """The difference of two rho of the same images, each within its own strata: repeat by repeat, image by image."""
    strata = None
    if one.by_stratum is not None and other.by_stratum is not None:
        strata = (one.by_stratum[0] - other.by_stratum[0], one.by_stratum[1])
    by_repeat, influence = one.by_repeat - other.by_repeat, one.influence - other.influence
    return WithinRho(by_repeat, influence, one.folds, strata, one.between)


def _two_sided(value: float, error: float, freedom: float) -> float:
    """p of Student's t; without any error, of a value that is certain."""
    if error > 0:
        return float(2 * scipy.stats.t.sf(abs(value) / error, freedom))
    return 1.0 if value == 0 else 0.0


def _error(
    of: WithinRho, influence: np.ndarray, by_repeat: np.ndarray, clusters: Int[np.ndarray, " n"] | None
) -> tuple[float, float]:
    """Standard error, and its degrees of freedom (Satterthwaite): the part that comes from few repeats is itself uncertain."""
    fits = _fits(of, by_repeat)
    variance = _drawn(influence, clusters) + fits
    freedom = (len(by_repeat) - 1) * (variance / fits) ** 2 if fits > 0 else np.inf
    return float(np.sqrt(variance)), float(freedom)


def _drawn(influence: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"] | None) -> float:
    """Variance that comes from which images, or clusters of images, were drawn."""
    sums = influence if clusters is None else np.bincount(clusters, influence)
    return float((sums**2).sum())


def _fits(of: WithinRho, by_repeat: Float[np.ndarray, " q"]) -> float:
    """Variance that comes from what was fitted."""
    return of.between * (of.folds - 1) / 2 * float(by_repeat.var(ddof=1)) if len(by_repeat) > 1 else 0.0
