"""Images that are nearly the same: found by the cosine of their vectors, so that no model is tested on what it was fitted on.

Of several encoders the mean of the cosines counts. What one encoder alone finds alike is mostly a subject: of LNSIM's 3.5 million
pairs dinov2-small puts 1,165 above 0.9, deit-tiny 42, and one pair is common to both, a copy. Of sixty of its images and what
was made of them, the mean of both above 0.8 finds every one that was compressed, halved in size or made brighter, 95 % of those
turned left to right and 78 % of those cropped by 5 %, with 96 pairs in all; dinov2-small alone, above 0.9, finds 100, 88, 88, 53
and 45 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from memjax.stats.partitions import connected

COSINES = (0.9, 0.95, 0.98, 0.99, 0.999)
"""Of two vectors, less the mean over images, from which two images are nearly the same: the first that leaves clusters small."""

OF_SEVERAL = (0.8, 0.85, *COSINES)
"""The same of the mean of several encoders' cosines."""

LARGEST = 0.05
"""Share of the images that one cluster may have: chains of similar images are a subject and no duplicates."""

MOST_PAIRS = 10_000_000
"""Pairs that are held: where more are nearly the same, the cosine has to be larger; at the largest, links stand for them."""

_VALUES = 2**26
"""Cosines that are held at once, and of how many images with all others at most."""
_ROWS = 1024


@dataclass(frozen=True)
class NearDuplicates:
    """Clusters of images that are nearly the same.

    Attributes:
        clusters: a label an image, whole numbers from 0; most images are by themselves.
        cosine: from which two images were taken as nearly the same.
        pairs: of such images.
        largest: images of the largest cluster.
        encoders: of how many encoders the cosine is the mean.
    """

    clusters: Int[np.ndarray, " n"]
    cosine: float
    pairs: int
    largest: int
    encoders: int = 1

    @property
    def together(self) -> int:
        """Images that are not by themselves."""
        sizes = np.bincount(self.clusters)
        return int(sizes[sizes > 1].sum())


def near_duplicates(*vectors: Float[np.ndarray, "n _"]) -> NearDuplicates:
    """Clusters of images whose vectors, less the mean over images, have nearly the same direction; chains are one cluster.

    Args:
        vectors: of each encoder, one an image, finite.

    Example:
        >>> found = near_duplicates(np.array([[0.0, 5.0], [0.0, 5.1], [5.0, 0.0], [-5.0, 0.0]] + [[0.0, -5.0]] * 40))
        >>> found.clusters[:4].tolist()
        [0, 0, 1, 2]
    """
    thresholds = OF_SEVERAL if len(vectors) > 1 else COSINES
    # side by side, a product of two images' directions is the mean of the encoders' cosines
    x = np.concatenate([_directions(one) for one in vectors], axis=1) / np.float32(np.sqrt(len(vectors)))
    pairs, cosine = _pairs(x, thresholds)
    clusters = connected(pairs.first, pairs.second, len(x))
    for stricter in (one for one in thresholds if one > cosine):
        if np.bincount(clusters).max() <= max(LARGEST * len(x), 2):
            break
        cosine, pairs = stricter, pairs.above(stricter)
        clusters = connected(pairs.first, pairs.second, len(x))
    return NearDuplicates(clusters, cosine, pairs.count, int(np.bincount(clusters).max()), len(vectors))


def _directions(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Of length 1, less the mean over images."""
    x = np.asarray(vectors, np.float32)
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


class _Pairs(NamedTuple):
    """Pairs of rows, the first before the second, and their cosines; ``count`` is how many they stand for."""

    first: Int[np.ndarray, " _"]
    second: Int[np.ndarray, " _"]
    cosines: Float[np.ndarray, " _"]
    count: int

    def above(self, cosine: float) -> "_Pairs":
        near = self.cosines > cosine
        return _Pairs(self.first[near], self.second[near], self.cosines[near], int(near.sum()))

    @classmethod
    def joined(cls, parts: Sequence["_Pairs"]) -> "_Pairs":
        arrays = (np.concatenate(part) for part in zip(*(one[:3] for one in parts), strict=True))
        return cls(*arrays, sum(one.count for one in parts))

    def linked(self, n: int) -> "_Pairs":
        """As few pairs of ``n`` rows as hang together in the same way: thousands of copies of one image are millions of pairs."""
        clusters = connected(self.first, self.second, n)
        first = np.unique(clusters, return_index=True)[1][clusters]
        rest = np.flatnonzero(first != np.arange(n))
        return _Pairs(first[rest], rest, np.ones(len(rest), self.cosines.dtype), self.count)


def _pairs(x: Float[np.ndarray, "n d"], thresholds: tuple[float, ...]) -> tuple[_Pairs, float]:
    """Pairs of rows with a cosine above a threshold, and the threshold.

    It is the first above which there are `MOST_PAIRS` at most, or the last, above which more are held by what links them.
    """
    none = np.empty(0, np.int64)
    place, found = 0, [_Pairs(none, none, np.empty(0, x.dtype), 0)]
    step = max(min(_ROWS, _VALUES // len(x)), 1)
    for start in range(0, len(x), step):
        cosines = x[start : start + step] @ x[start:].T
        row, column = np.nonzero(cosines > thresholds[place])
        later = column > row
        row, column = row[later], column[later]
        found.append(_Pairs(row + start, column + start, cosines[row, column], len(row)))
        while sum(len(one.first) for one in found) > MOST_PAIRS:
            if place == len(thresholds) - 1:
                found = [_Pairs.joined(found).linked(len(x))]
                break
            place += 1
            found = [one.above(thresholds[place]) for one in found]
    return _Pairs.joined(found), thresholds[place]
