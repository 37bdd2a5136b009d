"""How far people agree with themselves: split-half reliability, and the ceiling it sets for any model.

Three numbers, from the same halves:

* consistency: the correlation of the scores of two random halves of the observers, mean over splits. This is what the
  literature publishes as human consistency.
* reliability of the scores of all observers: the consistency stepped up by Spearman-Brown.
* ceiling: its square root. A measure of the image is correlated with the scores of ALL observers, not of half of them,
  so the largest correlation that it can be expected to reach is sqrt(reliability) (classical test theory; for
  Spearman's rho an approximation). It is larger than the consistency. ``rho / ceiling`` divides by this one.

Policy: images whose score is missing in a half are dropped from that split; ties get mid-ranks.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from memjax.checks import expected
from memjax.stats.correlation import coefficients


@dataclass(frozen=True)
class Reliability:
    """Agreement of two random halves of the observers, and what follows from it. Passed whole, never as a bare number.

    Attributes:
        consistency: mean over splits of the halves' correlation: split-half consistency.
        consistency_low, consistency_high: 2.5 % and 97.5 % quantile over splits (not a confidence interval over images).
        n_splits, n_images: what it rests on; 0 where that is not known.
        source: where the halves come from, in words.
        factor: how many halves' worth of observers are in the scores that are correlated: 2 where they are of all observers.
    """

    consistency: float
    consistency_low: float = math.nan
    consistency_high: float = math.nan
    n_splits: int = 0
    n_images: int = 0
    source: str = ""
    factor: float = 2.0

    @property
    def reliability(self) -> float:
        """Of the scores that are correlated: the consistency stepped up by Spearman-Brown; 0 where it is below 0."""
        return float(spearman_brown(max(self.consistency, 0.0), self.factor))

    @property
    def ceiling(self) -> float:
        """sqrt(reliability): the largest correlation with the observed scores that a perfect predictor is expected to reach."""
        return ceiling_of(self.consistency, self.factor)

    @property
    def ceiling_interval(self) -> tuple[float, float]:
        """The ceilings that the consistency's two quantiles imply; NaN where they are not known."""
        ends = (self.consistency_low, self.consistency_high)
        low, high = (x if math.isnan(x) else ceiling_of(x, self.factor) for x in ends)
        return low, high

    def to_json(self) -> dict[str, float | int | str]:
        """For run.json: the fields, and beside them what follows from the consistency; the factor where it is not 2."""
        fields = dataclasses.asdict(self) | {"reliability": self.reliability, "ceiling": self.ceiling}
        return {name: value for name, value in fields.items() if (name, value) != ("factor", 2.0)}

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> "Reliability":
        """What `to_json` wrote; reliability and ceiling are made again from the consistency.

        Raises:
            InputError: it lacks the consistency, or a field is of another type.

        Example:
            >>> Reliability.from_json(Reliability(0.6).to_json()).ceiling == Reliability(0.6).ceiling
            True
        """
        kinds = {field.name: type(field.default) for field in dataclasses.fields(cls) if field.name != "consistency"}
        try:
            rest = {name: kind(found[name]) for name, kind in kinds.items() if found.get(name) is not None}
            return cls(float(found["consistency"]), **rest)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise expected("ceiling", "an object with a consistency", dict(found), "run the analysis again") from error


def spearman_brown(r: float | np.ndarray, factor: float = 2.0) -> float | np.ndarray:
    """Reliability with ``factor`` times as many observers: factor r / (1 + (factor - 1) r).

    Example:
        >>> spearman_brown(0.6)
        0.7499999999999999
    """
    return factor * r / (1 + (factor - 1) * r)


def ceiling_of(consistency: float, factor: float = 2.0) -> float:
    """The ceiling that a split-half consistency c implies: sqrt(2 c / (1 + c)); 0 for one below 0.

    ``factor``: as in `Reliability`.

    Example:
        >>> round(ceiling_of(0.6), 3)
        0.866
    """
    return float(np.sqrt(spearman_brown(max(consistency, 0.0), factor)))


def split_half(halves: np.ndarray, method: str = "spearman", source: str = "") -> Reliability:
    """Reliability from scores of two halves of the observers, ``halves [2, splits, n]``.

    Args:
        halves: scores, NaN where an image was not scored in that half.
        method: the coefficient.
        source: where the halves come from, in words.

    Raises:
        InputError: another shape, or fewer than three images scored in both halves.

    Example:
        >>> split_half(np.array([[[0.1, 0.5, 0.9, 0.7]], [[0.2, 0.4, 0.8, 0.9]]])).consistency
        0.8
    """
    halves = np.asarray(halves, np.float64)
    if halves.ndim != 3 or halves.shape[0] != 2:
        raise expected("halves", "an array [2, splits, n]", halves.shape)
    kept = np.isfinite(halves).all(axis=0)
    pairs = zip(*halves, kept, strict=True)
    rho = np.array([coefficients(a[ok, None], b[ok], method)[0][0] for a, b, ok in pairs])
    if not np.isfinite(rho).any():
        raise expected("halves", "at least three images scored in both halves", f"{kept.sum(axis=1).max(initial=0)}")
    low, high = np.nanquantile(rho, [0.025, 0.975])
    n_images = int(kept.any(axis=0).sum())
    return Reliability(float(np.nanmean(rho)), float(low), float(high), len(rho), n_images, source)


def overlapping_halves(scores: np.ndarray, method: str = "spearman", source: str = "") -> Reliability:
    """Reliability from the scores of k random halves of the observers that overlap, ``scores [k, n]``, k at least 2.

    Of the observers of an image, each half is drawn anew, so that two halves share half of their observers on average. With
    T the variance of the images' true scores and E that of the error of a half, disjoint halves correlate at r = T / (T + E).
    Halves that share half of their observers share half of the error: rho = (T + E / 2) / (T + E) = (1 + r) / 2. So r = 2 rho
    - 1, rho being the mean over the k (k - 1) / 2 pairs. The mean of the k scores, which is what is correlated, has an error
    of E / k + (1 - 1 / k) E / 2 = E (k + 1) / (2 k): as much as 2 k / (k + 1) halves (`Reliability.factor`). Exact for
    Pearson's r, an approximation for ranks.

    Args:
        scores: NaN where an image has no score.
        method: the coefficient.
        source: where the scores come from, in words.

    Raises:
        InputError: another shape, or fewer than three images scored in every half.

    Example:
        >>> found = overlapping_halves(np.array([[0.1, 0.5, 0.9, 0.7], [0.2, 0.4, 0.8, 0.9]]))
        >>> round(found.consistency, 3), round(found.factor, 3)  # the two correlate at 0.8
        (0.6, 1.333)
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or len(scores) < 2:
        raise expected("scores of halves", "an array [k, n] with k of 2 or more", scores.shape)
    pairs = list(itertools.combinations(scores, 2))
    found = split_half(np.stack([np.stack(half) for half in zip(*pairs, strict=True)]), method)
    ends = (2 * value - 1 for value in (found.consistency, found.consistency_low, found.consistency_high))
    factor = 2 * len(scores) / (len(scores) + 1)
    return Reliability(*ends, found.n_splits, found.n_images, source, factor)


def halves_from_counts(
    hits: np.ndarray,
    responses: np.ndarray,
    false_alarms: np.ndarray | None = None,
    n_splits: int = 100,
    seed: int = 0,
) -> np.ndarray:
    """Split-half scores ``[2, splits, n]`` from published counts, by dealing each image's responses to two halves.

    The ``responses`` of an image are dealt at random to two halves of the observers; the hits that fall into the first
    are hypergeometric, i.e. what a random split of the real responses gives if an observer's answers to different
    images are independent (who answered what is not published). False alarms likewise, on the same number of
    responses; the score of a half is (hits - false alarms) / responses.

    Raises:
        InputError: counts that cannot be: negative, not whole, more hits than responses.
    """
    responses = _counts(responses, "responses", None)
    n = len(responses)
    rng = np.random.default_rng(seed)
    # Odd numbers of responses: the spare one goes to either half.
    first = responses // 2 + (responses % 2) * rng.integers(0, 2, size=(n_splits, n))
    score = _deal(_counts(hits, "hits", responses), responses, first, rng)
    if false_alarms is not None:
        score = score - _deal(_counts(false_alarms, "false_alarms", responses), responses, first, rng)
    sizes = np.stack([first, responses - first]).astype(np.float64)
    return np.where(sizes > 0, score / np.where(sizes > 0, sizes, 1), np.nan)


def _counts(values: np.ndarray, name: str, most: np.ndarray | None) -> np.ndarray:
    values = np.asarray(values)
    whole = np.isfinite(values).all() and (values >= 0).all() and (values == np.round(values)).all()
    if values.ndim != 1 or not whole:
        raise expected(name, "whole numbers, 0 or more, one for each image", f"an array {values.shape} that is not")
    if most is not None and (values.shape != most.shape or (values > most).any()):
        raise expected(name, "at most the number of responses of each image", "more")
    return values.astype(np.int64)


def _deal(events: np.ndarray, responses: np.ndarray, first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Events that fall into the first half and the second: ``[2, splits, n]``."""
    in_first = rng.hypergeometric(
        np.broadcast_to(events, first.shape), np.broadcast_to(responses - events, first.shape), first
    )
    return np.stack([in_first, events - in_first])


def simulate_halves(rate: np.ndarray, responses: np.ndarray, n_splits: int = 100, seed: int = 0) -> np.ndarray:
    """Split-half scores ``[2, splits, n]`` of simulated observers, where only a rate and a count are published.

    Each half is binomial with the published hit rate. The published rates already hold sampling noise, so images
    differ more than they truly do: an upper estimate of reliability. Where hits are published, prefer
    `halves_from_counts`.
    """
    rate, responses = np.asarray(rate, np.float64), _counts(responses, "responses", None)
    if not ((rate >= 0) & (rate <= 1)).all() or rate.shape != responses.shape or (responses < 2).any():
        raise expected("rate and responses", "rates within [0, 1] and at least 2 responses an image", "others")
    sizes = np.stack([responses // 2, responses - responses // 2])
    shape = (2, n_splits, len(rate))
    drawn = np.random.default_rng(seed).binomial(np.broadcast_to(sizes[:, None], shape), np.broadcast_to(rate, shape))
    return drawn / sizes[:, None]
