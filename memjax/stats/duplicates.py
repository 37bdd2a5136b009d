"""Images that are nearly the same: found by the cosine of their vectors, so that no model is tested on what it was fitted on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.stats.partitions import connected

COSINES = (0.9, 0.95, 0.98, 0.99, 0.999)
"""Of two vectors, less the mean over images, from which two images are nearly the same: the first that leaves clusters small."""

LARGEST = 0.05
"""Share of the images that one cluster may have: chains of similar images are a subject and no duplicates."""

_ROWS = 1024


@dataclass(frozen=True)
class NearDuplicates:
    """Clusters of images that are nearly the same.

    Attributes:
        clusters: a label an image, whole numbers from 0; most images are by themselves.
        cosine: from which two images were taken as nearly the same.
        pairs: of such images.
        largest: images of the largest cluster.
    """

    clusters: Int[np.ndarray, " n"]
    cosine: float
    pairs: int
    largest: int

    @property
    def together(self) -> int:
        """Images that are not by themselves."""
        sizes = np.bincount(self.clusters)
        return int(sizes[sizes > 1].sum())


def near_duplicates(vectors: Float[np.ndarray, "n d"]) -> NearDuplicates:
    """Clusters of images whose vectors, less the mean over images, have nearly the same direction; chains are one cluster.

    Args:
        vectors: one an image, finite.

    Example:
        >>> found = near_duplicates(np.array([[0.0, 5.0], [0.0, 5.1], [5.0, 0.0], [-5.0, 0.0]] + [[0.0, -5.0]] * 40))
        >>> found.clusters[:4].tolist()
        [0, 0, 1, 2]
    """
    x = np.asarray(vectors, np.float32)
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    x = x / np.where(length > 0, length, 1)
    first, second, cosines = _pairs(x)
    clusters, pairs = np.arange(len(x)), 0
    for cosine in COSINES:
        near = cosines > cosine
        clusters, pairs = connected(first[near], second[near], len(x)), int(near.sum())
        if np.bincount(clusters).max() <= max(LARGEST * len(x), 2):
            break
    return NearDuplicates(clusters, cosine, pairs, int(np.bincount(clusters).max()))


def _pairs(x: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of rows with a cosine above the smallest of `COSINES`, the first before the second, and their cosines."""
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(x), _ROWS):
        cosines = x[start : start + _ROWS] @ x[start:].T
        row, column = np.nonzero(cosines > COSINES[0])
        later = column > row
        row, column = row[later], column[later]
        found.append((row + start, column + start, cosines[row, column]))
    first, second, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, cosines
