"""Images that are nearly the same: found by the cosine of their vectors, so that no model is tested on what it was fitted on.

Of several encoders the mean of the cosines counts. What one encoder alone finds alike is mostly a subject: of LNSIM's 3.5 million
pairs dinov2-small puts 1,165 above 0.9, deit-tiny 42, and one pair is common to both, a copy. Of sixty of its images and what
was made of them, the mean of both above 0.8 finds every one that was compressed, halved in size or made brighter, 95 % of those
turned left to right and 78 % of those cropped by 5 %, with 96 pairs in all; dinov2-small alone, above 0.9, finds 100, 88, 88, 53
and 45 %.
"""

from dataclasses import dataclass

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
"""Pairs that are held: where more are nearly the same, the cosine has to be larger."""

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
    first, second, cosines, least = _pairs(x, thresholds)
    clusters, pairs, cosine = np.arange(len(x)), 0, least
    for cosine in (one for one in thresholds if one >= least):
        near = cosines > cosine
        clusters, pairs = connected(first[near], second[near], len(x)), int(near.sum())
        if np.bincount(clusters).max() <= max(LARGEST * len(x), 2):
            break
    return NearDuplicates(clusters, cosine, pairs, int(np.bincount(clusters).max()), len(vectors))


def _directions(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Of length 1, less the mean over images."""
    x = np.asarray(vectors, np.float32)
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def _pairs(
    x: Float[np.ndarray, "n d"], thresholds: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Pairs of rows with a cosine above a threshold, the first before the second, their cosines, and the threshold.

    It is the first above which there are `MOST_PAIRS` at most, or the last.
    """
    place, found = 0, [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, x.dtype))]
    step, held = max(min(_ROWS, _VALUES // len(x)), 1), 0
    for start in range(0, len(x), step):
        cosines = x[start : start + step] @ x[start:].T
        row, column = np.nonzero(cosines > thresholds[place])
        later = column > row
        row, column = row[later], column[later]
        found.append((row + start, column + start, cosines[row, column]))
        held += len(row)
        while held > MOST_PAIRS and place < len(thresholds) - 1:
            place += 1
            found = [tuple(part[one[2] > thresholds[place]] for part in one) for one in found]
            held = sum(len(one[2]) for one in found)
    first, second, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, cosines, thresholds[place]
