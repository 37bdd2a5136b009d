"""What readouts predict out of fold, side by side: readouts of measures and of token vectors, and predictions from elsewhere.

Two of them are compared within the folds (with groups: within the groups) of each, on the images that both have, repeat by
repeat and image by image, so that what both have in common cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from memjax.stats.readout import Readout
from memjax.stats.representations import ALL, ALL_LAYERS, BANDED, CHOSEN_LAYER, RepresentationReadouts
from memjax.stats.strata import Estimate, WithinRho, group_interval, less, rho_difference, rho_interval, within_rho

MEASURES, VECTORS, CHOSEN, BOTH, PENALTIES = (
    "measures",
    "token vectors",
    "token vectors, chosen layer",
    "token vectors and measures",
    "token vectors, a penalty for each encoder",
)
"""What a readout reads."""


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of one readout, of each partition of the images.

    Attributes:
        reads, model: what it reads, and of which encoder.
        images: positions of its images among all images, ascending.
        scores: theirs.
        predicted: of each partition, ``[n]``, less the training part's mean.
        strata: of each partition, within what rho is taken.
        clusters: images of one label count as drawn together.
        grouped: whether the strata are groups that were held out whole, and are what was drawn.
        between: by what the variance between partitions counts more, see `memjax.stats.strata.WithinRho`.
    """

    reads: str
    model: str
    images: Int[np.ndarray, " n"]
    scores: Float[np.ndarray, " n"]
    predicted: Sequence[Float[np.ndarray, " n"]]
    strata: Sequence[Int[np.ndarray, " n"]]
    clusters: Int[np.ndarray, " n"]
    grouped: bool
    between: float = 1.0

    def among(self, images: Int[np.ndarray, " _"]) -> "OutOfFold":
        """The same, of those of its images that are among ``images``."""
        here = np.isin(self.images, images)
        if here.all():
            return self
        return replace(
            self,
            images=self.images[here],
            scores=self.scores[here],
            predicted=[one[here] for one in self.predicted],
            strata=[one[here] for one in self.strata],
            clusters=self.clusters[here],
        )

    def parts(self) -> WithinRho:
        """Rho of each partition, and influence of each image."""
        return replace(within_rho(self.predicted, self.scores, self.strata), between=self.between)

    def parts_of(self, x: Float[np.ndarray, " n"]) -> WithinRho:
        """The same of a prediction from elsewhere, within the same strata."""
        return replace(within_rho([x] * len(self.strata), self.scores, self.strata), between=self.between)

    def interval(self, of: WithinRho) -> Estimate:
        """Of a rho of these images, or of a partial one: over images and fits; within groups, over groups."""
        own = replace(of, between=self.between)
        return group_interval(own) if self.grouped else rho_interval(own, self.clusters)

    def apart(self, one: WithinRho, other: WithinRho) -> Estimate:
        """By how much the first rho is larger than the second."""
        return group_interval(less(one, other)) if self.grouped else rho_difference(one, other, self.clusters)


def of_measures(
    found: Mapping[str, Readout], scores: Float[np.ndarray, " n"], images: Int[np.ndarray, " n"] | None = None
) -> list[OutOfFold]:
    """The readouts of measures.

    Args:
        found: from `memjax.stats.readouts.readouts`.
        scores: of the images that they are of, used or not.
        images: positions of these among all images; None: they are all.
    """
    places = np.arange(len(scores)) if images is None else images
    return [
        OutOfFold(
            MEASURES,
            model,
            places[one.rows],
            scores[one.rows],
            one.repeats.predicted,
            one.repeats.strata,
            one.clusters,
            one.within == "group",
        )
        for model, one in found.items()
    ]


def of_vectors(found: RepresentationReadouts | None) -> list[OutOfFold]:
    """The readouts of token vectors: of all layers together, and of the layer chosen in the training part."""
    if found is None:
        return []
    study, out, grouped = found.study, [], found.study.groups is not None
    images = np.arange(len(study.y)) if found.images is None else found.images
    read = [one for one in found.found if one.source.layer in (ALL_LAYERS, CHOSEN_LAYER)]
    count = min(len(one.by_repeat) for one in read)  # partitions that all of them have
    for one in read:
        site = one.source
        reads = CHOSEN if site.layer == CHOSEN_LAYER else {ALL: VECTORS, BANDED: PENALTIES}.get(site.token, BOTH)
        made, strata = one.by_repeat[:count], found.strata[:count]
        out.append(OutOfFold(reads, site.model, images, study.y, made, strata, study.clusters, grouped, found.between))
    return out
