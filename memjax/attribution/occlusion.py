"""What each patch adds to a score, by covering windows of patches with the baseline."""

import jax
import jax.numpy as jnp
import numpy as np

from memjax.attribution.contrast import Contrast, ImageScore
from memjax.axes import Array, Bool, Float, Pytree
from memjax.checks import expected


def square_windows(grid: tuple[int, int], side: int, stride: int = 1) -> Bool[np.ndarray, "w gy gx"]:
    """Every window of ``side`` x ``side`` patches, ``stride`` patches apart; the last of a row or column ends at the edge.

    Args:
        grid: rows and columns of patches.
        side: of a window, at most that of the grid.
        stride: at most ``side``, so that every patch is covered.

    Raises:
        InputError: patches would never be covered.

    Example:
        >>> square_windows((3, 4), side=2).sum(axis=0).tolist()
        [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]
    """
    if not 1 <= stride <= side:
        raise expected("stride", f"1 to the window's side, {side}", stride, argument="stride")
    starts = [sorted({*range(0, length - side + 1, stride), max(length - side, 0)}) for length in grid]
    windows = np.zeros((len(starts[0]) * len(starts[1]), *grid), bool)
    for window, (y, x) in zip(windows, [(y, x) for y in starts[0] for x in starts[1]]):
        window[y : y + side, x : x + side] = True
    return windows


def occlude(
    score: ImageScore, params: Pytree, contrast: Contrast, windows: Bool[Array | np.ndarray, "w gy gx"], batch: int = 8
) -> Float[Array, "gy gx"]:
    """By how much the score falls when a patch is covered, mean over the windows that cover it.

    Args:
        score: what is explained; static under jit.
        params: the encoder's.
        contrast: the image, and what it is covered with.
        windows: true where a patch is covered, `square_windows`.
        batch: windows that are computed together; static under jit.

    Reference:
        Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks.

    Example:
        >>> from memjax.attribution.contrast import contrast_of
        >>> image = jnp.zeros((4, 4, 3)).at[0, 0].set(1.0)
        >>> occlude(lambda _, x: x.sum(), None, contrast_of(image, patch=2), square_windows((2, 2), side=1)).tolist()
        [[3.0, 0.0], [0.0, 0.0]]
    """
    masks = jnp.asarray(windows)
    whole = score(params, contrast.image)
    falls = jax.lax.map(lambda mask: whole - score(params, contrast.without(mask)), masks, batch_size=batch)
    covered = masks.astype(jnp.float32)
    return (falls[:, None, None] * covered).sum(axis=0) / covered.sum(axis=0)
