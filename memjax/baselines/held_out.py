"""Scoring out of sample: of each image by a model that is fitted on the images of the other folds."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from memjax.checks import expected

Score = Callable[[Float[np.ndarray, "m d"], Float[np.ndarray, "v d"]], Float[np.ndarray, " v"]]
"""Vectors of the images that a model is fitted on, and of those that it scores -> the scores of the latter."""


def splits(n: int, folds: int, seed: int) -> Iterator[tuple[Int[np.ndarray, " m"], Int[np.ndarray, " v"]]]:
    """Rows to fit on and rows to score, fold by fold; images are dealt at random.

    Raises:
        InputError: fewer than two folds, or more than images.

    Example:
        >>> [(len(fitted), len(scored)) for fitted, scored in splits(7, 3, seed=0)]
        [(4, 3), (5, 2), (5, 2)]
    """
    from sklearn.model_selection import KFold  # heavy; not at import

    if not 2 <= folds <= n:
        raise expected("folds", f"between 2 and the {n} images", folds, argument="folds")
    yield from KFold(folds, shuffle=True, random_state=seed).split(np.zeros(n))


def score_held_out(x: Float[np.ndarray, "n d"], folds: int, seed: int, score: Score) -> Float[np.ndarray, " n"]:
    """Each image's score by the model of the folds that it is not in.

    Args:
        x: vectors of all images.
        folds: how many.
        seed: of the folds.
        score: fits and scores.

    Raises:
        InputError: as `splits`.

    Example:
        >>> x = np.arange(4.0)[:, None]
        >>> score_held_out(x, 4, 0, lambda fitted, scored: np.full(len(scored), fitted.sum())).tolist()
        [6.0, 5.0, 4.0, 3.0]
    """
    values = np.empty(len(x))
    for fitted, scored in splits(len(x), folds, seed):
        values[scored] = score(x[fitted], x[scored])
    return values
