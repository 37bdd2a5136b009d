"""One value an image from a measure of several layers, without picking the layer by its own result.

`sum_of_ranks` chooses nothing; `nested_choice` chooses a layer for the images of each fold by the correlation in the others.
"""

import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Float

from memjax.checks import expected
from memjax.stats.correlation import coefficients


def sum_of_ranks(x: Float[np.ndarray, "n l"]) -> Float[np.ndarray, " n"]:
    """Mean over the layers of an image's mid-rank at each layer, among the images, divided by their number.

    Example:
        >>> sum_of_ranks(np.array([[1.0, 7.0], [2.0, 9.0], [3.0, 8.0]])).round(2).tolist()
        [0.33, 0.83, 0.83]
    """
    return scipy.stats.rankdata(x, axis=0).mean(axis=1) / len(x)


def nested_choice(
    x: Float[np.ndarray, "n l"], y: Float[np.ndarray, " n"], folds: int = 5, seed: int = 0
) -> Float[np.ndarray, " n"]:
    """Each image's rank at the layer that has the largest Spearman's rho with the score in the folds that it is not in.

    Ranks are those within a layer over all images, which the scores have no part in, divided by the number of images.

    Args:
        x: a measure, larger where images are expected to be more memorable; complete.
        y: scores; complete.
        folds: how many; images are dealt at random.
        seed: of the folds.

    Raises:
        InputError: fewer than two folds, or more than a tenth of the images.

    Example:
        >>> y = np.arange(40.0)
        >>> x = np.stack([np.tile([0.0, 1.0], 20), y], axis=1)
        >>> bool((np.diff(nested_choice(x, y, folds=4)) > 0).all())
        True
    """
    n = len(y)
    if not 2 <= folds <= n // 10:
        raise expected("folds", f"2 or more, with ten images or more in each of {n}", folds, argument="folds")
    fold = np.random.default_rng(seed).permutation(np.arange(n) % folds)
    ranks, values = scipy.stats.rankdata(x, axis=0) / n, np.empty(n)
    for held in range(folds):
        rest = fold != held
        rho, _ = coefficients(x[rest], y[rest], "spearman")
        values[~rest] = ranks[~rest, int(np.argmax(np.where(np.isfinite(rho), rho, -np.inf)))]
    return values
