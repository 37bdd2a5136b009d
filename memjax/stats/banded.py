"""Banded ridge regression: a penalty for each band of columns, chosen inside every training part.

Penalties ``p_b = p / w_b`` of bands are one penalty ``p`` of columns that are multiplied by the roots of weights ``w_b``, and
the products of all pairs of images are the weighted sum of those of the bands. Which weights are tried is settled before any
score is seen (`weights_to_try`): equal ones, each band alone, and one band heavier or lighter than the others. For the images of
a fold those weights and that penalty are taken whose models predict the inner folds best, so that the choice is paid for.

Reference: Nunez-Elizalde, Huth & Gallant 2019, Voxelwise encoding models with non-spherical multivariate normal priors,
NeuroImage 197; Dupre la Tour et al. 2022, Feature-space selection with banded ridge regression, NeuroImage 264.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.stats.left_out import LeftOut, from_products
from memjax.stats.ridge import PENALTIES

MOST_BANDS = 4
"""Of more, weights are not tried: the time grows with the bands."""

FACTORS = (10.0, 3.0, 1 / 3, 1 / 10)
"""By which one band is heavier or lighter than each of the others."""

NEAR = (1e-5, 1.0)
"""Of an image's mean product with itself: the penalties, from one end to the other, that weights are tried with which are neither
equal nor one band's alone, those being known at every penalty."""


@dataclass(frozen=True)
class Banded:
    """The models of weights that were chosen inside each training part.

    Attributes:
        found: of each partition; ``chosen`` is which of the weights.
        penalties: that were chosen with them, of each partition ``[f, _]``: a band's own is this, divided by its weight.
        weights: those that were tried.
    """

    found: list[LeftOut]
    penalties: list[np.ndarray]
    weights: Float[np.ndarray, "c b"]

    def shares(self) -> Float[np.ndarray, " b"]:
        """Of the weight, each band's, mean over partitions and folds of the models of the scores."""
        chosen = np.concatenate([one.chosen[:, 0] for one in self.found])
        return (self.weights / self.weights.sum(axis=1, keepdims=True))[chosen].mean(axis=0)


def weights_to_try(bands: int) -> Float[np.ndarray, "c b"]:
    """Ones, each band alone, then one band heavier or lighter than the others, of mean 1.

    Example:
        >>> weights_to_try(2).round(2).tolist()
        [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.82, 0.18], [1.5, 0.5], [0.5, 1.5], [0.18, 1.82]]
        >>> len(weights_to_try(3))
        16
    """
    each = np.eye(bands)
    heavier = each[:1] if bands == 2 else each  # of two, the second heavier is the first lighter
    apart = np.stack([1 + (factor - 1) * one for one in heavier for factor in FACTORS])
    return np.concatenate([np.ones((1, bands)), each, apart * bands / apart.sum(axis=1, keepdims=True)])


def penalties_near(products: Sequence[np.ndarray]) -> tuple[float, ...]:
    """Of `memjax.stats.ridge.PENALTIES` those that shrink neither all nor nothing; by the columns, whatever the scores.

    Example:
        >>> [f"{penalty:.2g}" for penalty in penalties_near([np.eye(3), np.eye(3)])]
        ['3.2e-05', '0.0001', '0.00032', '0.001', '0.0032', '0.01', '0.032', '0.1', '0.32', '1']
    """
    low, high = (end * sum(float(np.diag(own).mean()) for own in products) for end in NEAR)
    return tuple(penalty for penalty in PENALTIES if low <= penalty <= high) or PENALTIES


def banded(
    products: Sequence[np.ndarray],
    scores: Sequence[Float[np.ndarray, "n _"]],
    partitions: Sequence[Int[np.ndarray, " n"]],
    known: Sequence[Sequence[LeftOut]],
) -> Banded:
    """Nested cross-validation of every partition, weights of the bands and penalty chosen inside each training part.

    Args:
        products: of each band ``[n, n]``, of all pairs of images, sums over columns.
        scores, partitions: see `memjax.stats.left_out.from_products`.
        known: from there, of the same scores and partitions: of the bands' sum, then of each band alone.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, noise, folds = rng.normal(size=(60, 2)), rng.normal(size=(60, 40)), [np.arange(60) % 3]
        >>> bands, scores = [x @ x.T, noise @ noise.T], [x[:, :1]]
        >>> known = [from_products(one, scores, folds) for one in (sum(bands), *bands)]
        >>> banded(bands, scores, folds, known).shares().tolist()
        [1.0, 0.0]
    """
    weights = weights_to_try(len(products))
    near = penalties_near(products)
    best = [_Best(one, folds, PENALTIES) for one, folds in zip(known[0], partitions, strict=True)]
    for place, own in enumerate(weights[1:], 1):
        penalties = PENALTIES if place < len(known) else near
        weighed = (w * k for w, k in zip(own, products, strict=True))
        tried = known[place] if place < len(known) else from_products(sum(weighed), scores, partitions, penalties)
        for so_far, one in zip(best, tried, strict=True):
            so_far.against(one, place, penalties)
    found = [LeftOut(one.predicted, one.error, one.place) for one in best]
    return Banded(found, [one.penalty for one in best], weights)


class _Best:
    """Of one partition, fold by fold and score by score, the models of the smallest error so far."""

    def __init__(self, first: LeftOut, folds: Int[np.ndarray, " n"], penalties: Sequence[float]) -> None:
        self.folds, self.predicted, self.error = folds, first.predicted, first.error
        self.place, self.penalty = np.zeros_like(first.chosen), np.asarray(penalties)[first.chosen]

    def against(self, other: LeftOut, place: int, penalties: Sequence[float]) -> None:
        better = other.error < self.error
        self.predicted = np.where(better[self.folds], other.predicted, self.predicted)
        self.error = np.where(better, other.error, self.error)
        self.place = np.where(better, place, self.place)
        self.penalty = np.where(better, np.asarray(penalties)[other.chosen], self.penalty)
