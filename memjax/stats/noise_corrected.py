"""Rho corrected for the observers' noise, rho / sqrt(reliability), with an interval that has the reliability's uncertainty too.

The reliability is estimated from the same images: images whose halves happen to agree are ranked better by anything. So the
interval comes from each image's influence on the quotient, by the chain rule from those on rho and on the consistency of the
halves (mean over splits): an image's luck counts once, in both. The variance of what was fitted is a readout's own.

Exact for Pearson's r; for ranks an approximation, as the ceiling is. The quotient may exceed 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when first used
from jaxtyping import Float, Int

from memjax.stats.influence import ranked, spearman_influence
from memjax.stats.out_of_fold import OutOfFold
from memjax.stats.reliability import overlapping_halves, split_half
from memjax.stats.strata import Estimate, WithinRho, rho_difference, within_rho

COLUMNS = (
    "what", "model", "rho", "ceiling", "ceiling_low", "ceiling_high", "corrected", "corrected_low", "corrected_high", "n",
)  # fmt: skip

FEWEST_IMAGES = 30
"""Images scored in both halves, below which a split has no consistency here."""


@dataclass(frozen=True)
class Agreement:
    """How far two halves of the observers agree, with the influence of each image on it.

    Attributes:
        ceiling: sqrt(reliability), of the scores that are correlated.
        influence: of each image on the ceiling, ``[n]``: its sum of squares is a variance.
    """

    ceiling: float
    influence: Float[np.ndarray, " n"]

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Of the ceiling, over images."""
        half = scipy.stats.norm.ppf((1 + level) / 2) * np.sqrt((self.influence**2).sum())
        return self.ceiling - half, min(self.ceiling + half, 1.0)


def agreement(halves: np.ndarray) -> Agreement | None:
    """Spearman's ceiling and the images' influences on it; None where the halves do not agree above
    chance, or have too few images in common.

    Args:
        halves: scores of two halves ``[2, splits, n]``, or of halves that overlap ``[k, n]`` (`overlapping_halves`).

    Raises:
        InputError: another shape, or fewer than three images scored in both halves.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> true = rng.normal(size=500)
        >>> found = agreement(true + rng.normal(size=(2, 1, 500)))
        >>> round(found.ceiling, 1), bool(found.influence.sum() < 1e-9)
        (0.8, True)
    """
    halves = np.asarray(halves, np.float64)
    overlapping = halves.ndim == 2
    known = overlapping_halves(halves) if overlapping else split_half(halves)
    if not known.consistency > 0:
        return None
    places = [(i, j) for i in range(len(halves)) for j in range(i + 1, len(halves))]
    pairs = [(halves[i], halves[j]) for i, j in places] if overlapping else list(zip(*halves, strict=True))
    found = [one for first, second in pairs if (one := _influence(first, second)) is not None]
    if not found:
        return None
    by_consistency = np.mean(found, axis=0) * (2 if overlapping else 1)
    slope = known.factor / (1 + (known.factor - 1) * known.consistency) ** 2 / (2 * known.ceiling)
    return Agreement(known.ceiling, slope * by_consistency)


def _influence(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> np.ndarray | None:
    """Of each image on the halves' rho; 0 for an image that is not scored in both."""
    here = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if len(here) < FEWEST_IMAGES or np.ptp(first[here]) == 0 or np.ptp(second[here]) == 0:
        return None
    out = np.zeros(len(first))
    out[here] = spearman_influence(ranked(first[here]), ranked(second[here])) / len(here)
    return out


def corrected_rho(
    of: WithinRho,
    people: Agreement,
    images: Int[np.ndarray, " m"],
    clusters: Int[np.ndarray, " m"] | None = None,
) -> Estimate:
    """rho / ceiling with its 95 % interval, over images and fits.

    Args:
        of: rho of a readout or of a measure (`memjax.stats.strata.within_rho`).
        people: how far the observers agree.
        images: positions of its images among those of ``people``.
        clusters: images of one label count as drawn together; None: each by itself.
    """
    top, n = people.ceiling, len(people.influence)
    own = -of.rho / top**2 * people.influence
    own[images] += of.influence / top
    labels = np.arange(n) + n
    labels[images] = labels[images] if clusters is None else clusters
    quotient = WithinRho(of.by_repeat / top, own, of.folds, between=of.between)
    nothing = WithinRho(np.zeros_like(of.by_repeat), np.zeros(n), of.folds)
    return rho_difference(quotient, nothing, np.unique(labels, return_inverse=True)[1])


def corrected_table(
    people: Agreement,
    strongest: tuple[str, str, Float[np.ndarray, " n"]] | None,
    scores: Float[np.ndarray, " n"],
    readouts: Sequence[OutOfFold],
) -> pd.DataFrame:
    """The headline's rho, corrected: of the strongest measure, and of every readout that is not within groups.

    Args:
        people: how far the observers of all images agree.
        strongest: its name, its encoder and its values for all images; None: none.
        scores: of all images.
        readouts: from `memjax.stats.out_of_fold`.

    Returns:
        Columns `COLUMNS`.
    """
    rows, low_high = [], people.interval()
    if strongest is not None:
        name, model, values = strongest
        known = np.flatnonzero(np.isfinite(values) & np.isfinite(scores))
        alone = within_rho([values[known]], scores[known], [np.zeros(len(known), np.int64)])
        rows.append((name, model, alone.rho, corrected_rho(alone, people, known), len(known)))
    for one in readouts:
        if not one.grouped:
            parts = one.parts()
            ends = corrected_rho(parts, people, one.images, one.clusters)
            rows.append((f"readout of {one.reads}", one.model, parts.rho, ends, len(one.images)))
    found = [
        (what, model, rho, people.ceiling, *low_high, e.value, e.low, e.high, n) for what, model, rho, e, n in rows
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))
