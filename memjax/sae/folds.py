"""Which rows a member is trained on, so that an image can be scored by an autoencoder that never saw it."""

import numpy as np
from jaxtyping import Int, Shaped

from memjax.checks import expected


def k_folds(n: int, folds: int, seed: int = 0) -> Int[np.ndarray, " n"]:
    """The fold of each row, int32 ``[n]``: sizes differ by one at most, the assignment is shuffled.

    Raises:
        InputError: if there are more folds than rows, or fewer than two.

    Example:
        >>> np.bincount(k_folds(7, 3)).tolist()
        [3, 2, 2]
    """
    if not 2 <= folds <= n:
        raise expected("folds", f"between 2 and the {n} images", folds, argument="folds")
    fold = (np.arange(n) % folds).astype(np.int32)
    return np.random.default_rng(seed).permutation(fold)


def k_folds_in_blocks(n: int, folds: int, size: int, seed: int = 0) -> Int[np.ndarray, " n"]:
    """`k_folds` in each block of ``size`` images by itself, so that every fold has its share of every block.

    A last block of fewer images than folds gives its images to the first folds.

    Example:
        >>> fold = k_folds_in_blocks(12, 3, 6)
        >>> np.bincount(fold[:6]).tolist(), np.bincount(fold[6:]).tolist()
        ([2, 2, 2], [2, 2, 2])
    """
    lengths = [min(size, n - start) for start in range(0, n, size)]
    if lengths[0] < folds:
        raise expected("folds", f"at most the {lengths[0]} images of a block", folds, argument="folds")
    few = [np.arange(length, dtype=np.int32) for length in lengths if length < folds]
    return np.concatenate(
        [k_folds(length, folds, seed + i) for i, length in enumerate(lengths) if length >= folds] + few
    )


def training_rows(fold: Int[np.ndarray, " n"], folds: int, seed: int = 0) -> Int[np.ndarray, "k r"]:
    """Rows outside each fold, int32 ``[folds, r]``; all equally many: a surplus row (the folds differ by one) is left out."""
    rows = [np.flatnonzero(fold != held) for held in range(folds)]
    size = min(len(r) for r in rows)
    rng = np.random.default_rng(seed)
    return np.stack([np.sort(rng.permutation(r)[:size]) for r in rows]).astype(np.int32)


def held_out(scores: Shaped[np.ndarray, "... k n"], fold: Int[np.ndarray, " n"]) -> Shaped[np.ndarray, "... n"]:
    """Each row's score by the member that did not see it.

    Args:
        scores: ``[..., folds, n]``, member of fold ``j`` at place ``j``.
        fold: the fold of each row.

    Returns:
        ``[..., n]``.
    """
    return scores[..., fold, np.arange(len(fold))]
