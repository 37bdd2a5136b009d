"""How far people agree with themselves: split-half reliability, and the ceiling it sets for any model.

Three numbers, from the same halves:

* consistency: the correlation of the scores of two random halves of the observers, mean over splits. This is what the
  literature publishes as human consistency.
* reliability of the scores of all observers: the consistency stepped up by Spearman-Brown.
* ceiling: its square root. A measure of the picture is correlated with the scores of ALL observers, not of half of them,
  so the largest correlation that it can be expected to reach is sqrt(reliability) (classical test theory; for
  Spearman's rho an approximation). It is larger than the consistency. ``rho / ceiling`` divides by this one.

Policy: images whose score is missing in a half are dropped from that split; ties get mid-ranks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from memjax.checks import expected
from memjax.stats.correlation import coefficients


@dataclass(frozen=True)
class Reliability:
    """Agreement of two halves of the observers.

    Attributes:
        half: mean over splits of the halves' correlation; what the literature calls split-half consistency.
        half_low, half_high: 2.5 % and 97.5 % quantile over splits (not a confidence interval over images).
        full: ``half`` stepped up to all observers by Spearman-Brown.
        ceiling: sqrt(full), the largest correlation that a perfect predictor of the true score is expected to reach
            with the observed score.
        n_splits, n_images: what it rests on.
    """

    half: float
    half_low: float
    half_high: float
    full: float
    ceiling: float
    n_splits: int
    n_images: int

    def to_json(self, source: str) -> dict[str, Any]:
        """For run.json: the halves' consistency (``rho``) and what follows from it; ``source``: where the halves come from."""
        names = {"rho": self.half, "ci_low": self.half_low, "ci_high": self.half_high, "full": self.full}
        return names | {"ceiling": self.ceiling, "splits": self.n_splits, "images": self.n_images, "source": source}

    # The names that figures and pages know it by: the halves' consistency. They step it up themselves (`ceiling_of`).
    @property
    def rho(self) -> float:
        return self.half

    @property
    def ci_low(self) -> float:
        return self.half_low

    @property
    def ci_high(self) -> float:
        return self.half_high


def spearman_brown(r: float | np.ndarray, factor: float = 2.0) -> float | np.ndarray:
    """Reliability with ``factor`` times as many observers: factor r / (1 + (factor - 1) r).

    Example:
        >>> spearman_brown(0.6)
        0.7499999999999999
    """
    return factor * r / (1 + (factor - 1) * r)


def ceiling_of(half: float) -> float:
    """The ceiling that a split-half consistency implies: sqrt(2 half / (1 + half)); 0 for one below 0.

    Example:
        >>> round(ceiling_of(0.6), 3)
        0.866
    """
    return float(np.sqrt(spearman_brown(max(half, 0.0))))


def split_half(halves: np.ndarray, method: str = "spearman") -> Reliability:
    """Reliability from scores of two halves of the observers, ``halves [2, splits, n]``.

    Raises:
        InputError: another shape, or fewer than three images scored in both halves.

    Example:
        >>> split_half(np.array([[[0.1, 0.5, 0.9, 0.7]], [[0.2, 0.4, 0.8, 0.9]]])).half
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
    half = float(np.nanmean(rho))
    low, high = np.nanquantile(rho, [0.025, 0.975])
    full = float(spearman_brown(half))
    n_images = int(kept.any(axis=0).sum())
    return Reliability(half, float(low), float(high), full, ceiling_of(half), len(rho), n_images)


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
