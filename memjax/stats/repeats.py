"""Repeated nested cross-validation of one set of columns, of the scores and of permutations of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.stats.nested import nested
from memjax.stats.partitions import folds_of, shuffled_scores
from memjax.stats.ridge import PENALTIES
from memjax.stats.strata import Estimate, WithinRho, group_interval, rho_by_stratum, rho_interval, within_rho

FOLDS, REPEATS = 5, 10
"""Of a readout, by default."""

PERMUTATIONS, PERMUTED_REPEATS = 400, 2
"""Permutations of the scores behind p, and the repeats whose mean rho is compared: p is of their statistic."""

PERMUTED_VALUES, FEWEST_PERMUTATIONS = 2**25, 99
"""Permuted scores that are held at once, at most, but for so few permutations."""


@dataclass(frozen=True)
class ReadoutSettings:
    """How a readout is cross-validated.

    Attributes:
        folds: outer folds, three or more, at most as many as there are clusters or groups; the inner ones are the others.
        repeats: partitions into folds.
        permutations: of the scores, behind p; 0 leaves it NaN.
        shuffles: of each column, behind its importance; 0 leaves that NaN.
        seed: of folds, permutations and shuffles.
        level: coverage of the interval.
    """

    folds: int = FOLDS
    repeats: int = REPEATS
    permutations: int = PERMUTATIONS
    shuffles: int = 5
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True)
class Study:
    """Scores of images, and which images belong together: what readouts of any columns of the same images have in common.

    Attributes:
        y: human scores.
        clusters: images of one cluster are in one fold.
        groups: where whole groups are held out: each image's; then they are the clusters.
    """

    y: Float[np.ndarray, " n"]
    clusters: Int[np.ndarray, " n"]
    groups: Int[np.ndarray, " n"] | None

    def partitions(self, settings: ReadoutSettings) -> list[Int[np.ndarray, " n"]]:
        """The fold of every image, of each repeat."""
        count = min(settings.folds, len(np.unique(self.clusters)))
        rng = np.random.default_rng(settings.seed)
        return [folds_of(self.clusters, count, rng) for _ in range(settings.repeats)]

    def strata(self, folds: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Within what rho is taken."""
        return folds if self.groups is None else self.groups

    def permuted(self, settings: ReadoutSettings) -> Float[np.ndarray, "n r"]:
        """Permutations of the scores: of very many images fewer, so that they have `PERMUTED_VALUES` values at most."""
        count = min(settings.permutations, max(FEWEST_PERMUTATIONS, PERMUTED_VALUES // len(self.y)))
        rng = np.random.default_rng([settings.seed, 1])
        # With groups the images change places within their group, each by itself.
        clusters = self.clusters if self.groups is None else np.arange(len(self.y))
        return shuffled_scores(self.y, clusters, self.groups, count if settings.permutations else 0, rng)

    def rho(
        self, predicted: Float[np.ndarray, "n r"], scores: Float[np.ndarray, "n r"], folds: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, " r"]:
        """Rho of predictions with the scores, or permutations of them, that they are of; mean over the strata."""
        rho, shares = rho_by_stratum(predicted, scores, self.strata(folds))
        return shares @ rho

    def interval(self, of: WithinRho, level: float) -> Estimate:
        """Of rho within folds, over images and fits; within groups, over groups."""
        return rho_interval(of, self.clusters, level) if self.groups is None else group_interval(of, level)


@dataclass(frozen=True)
class Repeats:
    """Out-of-fold predictions of several partitions of the same images.

    Attributes:
        folds, strata: of each partition, the fold of every image, and within what rho is taken.
        predicted: of each, ``[n]``, less the mean score of the training part.
        weights: of each, ``[f, k]``.
        chosen: the penalties.
        null: rho of every permutation, ``[r]``, mean over the partitions in which there were any; empty without.
        parts: rho and influence.
    """

    folds: list[np.ndarray]
    strata: list[np.ndarray]
    predicted: list[np.ndarray]
    weights: list[np.ndarray]
    chosen: list[float]
    null: np.ndarray
    parts: WithinRho


def repeated(x: Float[np.ndarray, "n k"], study: Study, settings: ReadoutSettings) -> Repeats:
    """The nested cross-validation of every partition, of the scores and of permutations of them.

    Args:
        x: standardised columns.
        study: scores of the same images.
        settings: folds, repeats, permutations, seed.
    """
    y, partitions = study.y, study.partitions(settings)
    permuted = study.permuted(settings)
    predicted, weights, chosen, null = [], [], [], []
    for repeat, folds in enumerate(partitions):
        scores = np.column_stack([y, permuted]) if repeat < PERMUTED_REPEATS else y[:, None]
        found = nested(x, scores, folds)
        if repeat < PERMUTED_REPEATS:
            null.append(study.rho(found.predicted, scores, folds))
        predicted.append(found.predicted[:, 0])
        weights.append(found.weights)
        chosen += [PENALTIES[place] for place in found.chosen[:, 0]]
    strata = [study.strata(folds) for folds in partitions]
    parts = within_rho(predicted, y, strata)
    return Repeats(partitions, strata, predicted, weights, chosen, np.mean(null, axis=0), parts)


def share_as_high(null: Float[np.ndarray, " r"]) -> float:
    """p: of the permutations (after the first entry, the scores themselves), how many do as well; NaN without any."""
    return float((null >= null[0] - 1e-12).mean()) if len(null) > 1 else float("nan")
