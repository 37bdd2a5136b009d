"""How crowded the place of an image is among the others: the distance to several neighbours, and the density around it.

Both are out of sample by themselves: an image is no neighbour of its own. Exact, in float64, some rows at a time.
"""

from collections.abc import Iterator

import numpy as np
import scipy.special
from jaxtyping import Float

from memjax.checks import expected

MEMORY = 64
"""MiB of distances that are held at once."""


def distance_rows(x: Float[np.ndarray, "n d"]) -> Iterator[tuple[slice, Float[np.ndarray, "v n"]]]:
    """Distances of some images to all, an image's own being infinite; some rows at a time.

    Example:
        >>> [rows.tolist() for _, rows in distance_rows(np.array([[0.0], [3.0]]))]
        [[[inf, 3.0], [3.0, inf]]]
    """
    from sklearn.metrics import pairwise_distances_chunked  # heavy; not at import

    centred = x - x.mean(axis=0, dtype=np.float64)
    start = 0
    for rows in pairwise_distances_chunked(centred, working_memory=MEMORY):
        own = np.arange(len(rows))
        rows[own, start + own] = np.inf
        yield slice(start, start + len(rows)), rows
        start += len(rows)


def check_neighbours(n: int, neighbours: int) -> None:
    """Raises `InputError` where there are not so many other images."""
    if not 1 <= neighbours < n:
        raise expected("neighbours", f"between 1 and the {n - 1} other images", neighbours, argument="neighbours")


def neighbour_distances(x: Float[np.ndarray, "n d"], neighbours: int) -> Float[np.ndarray, " n"]:
    """Mean Euclidean distance of each image to the ``neighbours`` nearest of the others.

    Raises:
        InputError: there are not so many others.

    Example:
        >>> neighbour_distances(np.array([[0.0], [1.0], [3.0]]), 2).tolist()
        [2.0, 1.5, 2.5]
    """
    check_neighbours(len(x), neighbours)
    values = np.empty(len(x))
    for at, rows in distance_rows(x):
        values[at] = np.partition(rows, neighbours - 1, axis=1)[:, :neighbours].mean(axis=1)
    return values


def log_density(x: Float[np.ndarray, "n d"], neighbours: int) -> Float[np.ndarray, " n"]:
    """Logarithm of the density of the other images where each image is, up to a constant.

    A Gaussian kernel on every other image; its bandwidth is the median distance to the ``neighbours``-th neighbour, the same
    for all, so that values can be compared. Unlike the distance to the nearest few it weighs all images near enough; a density
    from the distance to the k-th neighbour would have the ranks of that distance and tell nothing new.

    Raises:
        InputError: there are not so many others, or half of the images or more coincide.

    Reference: Silverman 1986, Density Estimation, chapter 4.

    Example:
        >>> found = log_density(np.array([[0.0], [1.0], [2.0], [9.0]]), 1)
        >>> int(found.argmax()), int(found.argmin())
        (1, 3)
    """
    check_neighbours(len(x), neighbours)
    reach = np.concatenate(
        [np.partition(rows, neighbours - 1, axis=1)[:, neighbours - 1] for _, rows in distance_rows(x)]
    )
    width = float(np.median(reach))
    if not width > 0:
        raise expected("local density, bandwidth", "images apart from each other", "most of them coincide")
    values = np.empty(len(x))
    for at, rows in distance_rows(x):
        values[at] = scipy.special.logsumexp(-0.5 * (rows / width) ** 2, axis=1)
    return values - np.log(len(x) - 1)
