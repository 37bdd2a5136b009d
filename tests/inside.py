"""What an encoder of another library shows of its inside, and how far from it ours is."""

from typing import NamedTuple

import numpy as np


class Inside(NamedTuple):
    """hidden [b, l+1, t, d], attention [b, l, h, t, s], pooled [b, e] or None."""

    hidden: np.ndarray
    attention: np.ndarray
    pooled: np.ndarray | None


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, relative to the largest reference value."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max())
