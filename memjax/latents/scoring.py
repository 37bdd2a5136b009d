"""Latents against human scores: how often each fires, Spearman's rho with its interval, and the images of its largest values.

Most values of a latent are 0, and those are ties: rho is that of mid-ranks, to the last digits that of `scipy.stats.spearmanr`.
p is that of Student's t with n - 2 degrees of freedom, as there: under no association the distribution of rho has the variance
1 / (n - 1) whatever the ties. The interval is not: it hangs on the few images that the latent fires for. It is that of rho's
linear part (`memjax.stats.influence`) on the scale of Fisher's z, with the quantile of Student's t for as many degrees of freedom
as there are firings, less one. Coverage and false discoveries, simulated: ``benchmarks/latent_intervals.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Float, Int

from memjax.latents.firings import FiringPart
from memjax.stats.influence import Ranked, ranked, ranked_sparse, spearman_influence
from memjax.stats.intervals import PERFECT

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class LatentScores:
    """Of each latent of an autoencoder; NaN where it does not fire, or not for enough images.

    Attributes:
        firings: images that it fires for.
        mean: of its values where it fires.
        rho, ci_low, ci_high, p: with the human scores.
        top_images, top_values: the images of its largest values, -1 and NaN where there are fewer; of equal values the
            earlier image first.
        by_category: images of each category that it fires for.
    """

    firings: Int[np.ndarray, " f"]
    mean: Float[np.ndarray, " f"]
    rho: Float[np.ndarray, " f"]
    ci_low: Float[np.ndarray, " f"]
    ci_high: Float[np.ndarray, " f"]
    p: Float[np.ndarray, " f"]
    top_images: Int[np.ndarray, "f k"]
    top_values: Float[np.ndarray, "f k"]
    by_category: Int[np.ndarray, "f c"]


@dataclass(frozen=True, eq=False)
class LatentStudy:
    """What latents are held against.

    Attributes:
        y: human scores of the images.
        category: the number of each image's category; all 0 where there are none.
        least_firings, top: of `memjax.latents.AtlasSettings`.
    """

    y: Float[np.ndarray, " n"]
    category: Int[np.ndarray, " n"]
    least_firings: int
    top: int


def score_latents(parts: Iterable[FiringPart], latents: int, study: LatentStudy) -> LatentScores:
    """Score every latent, part by part.

    Args:
        parts: of `memjax.latents.firings.Firings`; their images are counted as those of ``study``.
        latents: in all.
        study: the scores.
    """
    found = _empty(latents, study)
    y, n = ranked(study.y), len(study.y)
    for part in parts:
        for place in range(part.stop - part.start):
            own, latent = part.of(place), part.start + place
            images, values = part.images[own], part.values[own]
            _describe(found, latent, images, values, study)
            if len(images) >= study.least_firings:
                ends = rho_of(ranked_sparse(images, values, n), y, len(images))
                found.rho[latent], found.ci_low[latent], found.ci_high[latent] = ends
    with np.errstate(divide="ignore", invalid="ignore"):
        t = found.rho * np.sqrt((n - 2) / (1 - found.rho**2))
    found.p[:] = 2 * scipy.stats.t.sf(np.abs(t), n - 2)
    return found


def rho_of(x: Ranked, y: Ranked, firings: int) -> tuple[float, float, float]:
    """Spearman's rho and the ends of its 95 % interval; NaN where one of the two does not vary.

    Example:
        >>> x, y = (np.random.default_rng(seed).normal(size=400) for seed in (0, 1))
        >>> x = np.maximum(x + 0.3 * y - 1, 0)
        >>> fires = np.flatnonzero(x)[np.argsort(x[x > 0])]
        >>> [round(value, 3) for value in rho_of(ranked_sparse(fires, x[fires], 400), ranked(y), len(fires))]
        [0.142, 0.048, 0.233]
    """
    squares = float(x.ranks @ x.ranks), float(y.ranks @ y.ranks)
    if not all(squares):
        return np.nan, np.nan, np.nan
    rho = float(np.clip((x.ranks @ y.ranks) / np.sqrt(squares[0] * squares[1]), -1, 1))
    if abs(rho) >= PERFECT:
        return rho, np.nan, np.nan
    influence = spearman_influence(x, y)
    error = np.sqrt((influence**2).sum()) / len(influence)
    half = scipy.stats.t.ppf((1 + LEVEL) / 2, max(firings - 1, 1)) * error / (1 - rho**2)
    return rho, float(np.tanh(np.arctanh(rho) - half)), float(np.tanh(np.arctanh(rho) + half))


def _empty(latents: int, study: LatentStudy) -> LatentScores:
    nothing = [np.full(latents, np.nan) for _ in range(5)]
    categories = int(study.category.max(initial=0)) + 1
    return LatentScores(
        np.zeros(latents, np.int64),
        *nothing,
        np.full((latents, study.top), -1, np.int64),
        np.full((latents, study.top), np.nan, np.float32),
        np.zeros((latents, categories), np.int32),
    )


def _describe(found: LatentScores, latent: int, images: np.ndarray, values: np.ndarray, study: LatentStudy) -> None:
    """Fill in what needs no correlation; images in order of their values."""
    found.firings[latent] = len(images)
    if not len(images):
        return
    found.mean[latent] = values.mean(dtype=np.float64)
    best = slice(None, -study.top - 1, -1)
    count = min(study.top, len(images))
    found.top_images[latent, :count], found.top_values[latent, :count] = images[best], values[best]
    found.by_category[latent] = np.bincount(study.category[images], minlength=found.by_category.shape[1])
