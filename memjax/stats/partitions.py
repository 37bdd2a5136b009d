"""Which images stay together: folds drawn at random that keep clusters whole, and permutations of scores that do too."""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components


def labelled(names: Sequence[object] | np.ndarray | None, n: int) -> Int[np.ndarray, " n"]:
    """Whole numbers from 0 for names, one for each different one; None: every image by itself.

    Example:
        >>> labelled(["sea", "city", "sea"], 3).tolist(), labelled(None, 2).tolist()
        ([1, 0, 1], [0, 1])
    """
    return np.arange(n) if names is None else np.unique(np.asarray(names, str), return_inverse=True)[1]


def joined(*labels: Int[np.ndarray, " n"] | None) -> Int[np.ndarray, " n"] | None:
    """Clusters in which images are together that are so under any of several labels; None where there are no labels.

    Example:
        >>> joined(np.array([0, 0, 1, 2]), None, np.array([5, 6, 6, 7])).tolist()
        [0, 0, 0, 1]
    """
    known = [np.unique(one, return_inverse=True)[1] for one in labels if one is not None]
    if not known:
        return None
    n = len(known[0])
    offsets = n + np.cumsum([0, *(int(one.max()) + 1 for one in known[:-1])])
    ends = np.concatenate([one + offset for one, offset in zip(known, offsets, strict=True)])
    return connected(np.tile(np.arange(n), len(known)), ends, int(ends.max()) + 1)[:n]


def connected(first: Int[np.ndarray, " _"], second: Int[np.ndarray, " _"], n: int) -> Int[np.ndarray, " n"]:
    """Clusters of ``n`` things of which some pairs belong together, with whatever hangs together by them.

    Example:
        >>> connected(np.array([0, 2]), np.array([2, 3]), 5).tolist()
        [0, 1, 0, 0, 2]
    """
    links = scipy.sparse.coo_matrix((np.ones(len(first), bool), (first, second)), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def folds_of(clusters: Int[np.ndarray, " n"], folds: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """A fold for each image: clusters at random, each whole into the fold that has fewest images, large ones first.

    Clusters of one size are dealt in random order, so that folds of images by themselves differ by one image at most.

    Example:
        >>> folds_of(np.array([0, 0, 0, 1, 2, 3]), 2, np.random.default_rng(0)).tolist()
        [0, 0, 0, 1, 1, 1]
    """
    sizes = np.bincount(clusters)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    held, fold_of = np.zeros(folds, np.int64), np.empty(len(sizes), np.int64)
    several = int((sizes > 1).sum())
    for cluster in order[:several]:
        fold_of[cluster] = held.argmin()
        held[fold_of[cluster]] += sizes[cluster]
    fold_of[order[several:]] = list(_filling(held, len(order) - several, rng))
    return fold_of[clusters]


def _filling(held: Int[np.ndarray, " f"], count: int, rng: np.random.Generator) -> Iterator[int]:
    """Folds for so many single images, so that all are as full as can be."""
    wanted = held.copy()
    for _ in range(count):
        wanted[wanted.argmin()] += 1
    yield from rng.permutation(np.repeat(np.arange(len(held)), wanted - held))


def shuffled_scores(
    y: Float[np.ndarray, " n"],
    clusters: Int[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"] | None,
    count: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n r"]:
    """Permutations of the scores under which images of a cluster stay together, and those of a group among themselves.

    Whole clusters change places with others of the same size (and group): what images of one cluster have in common they
    have in each permutation.

    Args:
        y: human scores.
        clusters: a label an image.
        groups: a label an image, each cluster within one group; None: all images are one.
        count: how many permutations.
        rng: draws them.
    """
    sizes = np.bincount(clusters)[clusters]
    kinds = np.stack([sizes, np.zeros_like(sizes) if groups is None else groups], axis=1)
    out = np.repeat(y[:, None], count, axis=1)
    for kind in np.unique(kinds, axis=0):
        rows = np.flatnonzero((kinds == kind).all(axis=1))
        rows = rows[np.argsort(clusters[rows], kind="stable")].reshape(-1, kind[0])  # a cluster a row
        for r in range(count):
            out[rows, r] = y[rows[rng.permutation(len(rows))]]
    return out
