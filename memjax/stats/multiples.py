"""Columns that say the same as another one: a fixed multiple of it, such as a sum beside a mean."""

import numpy as np
from jaxtyping import Bool, Float

from memjax.stats.table import Columns

CLOSE = 1e-5
"""Of two columns, one of them scaled, as a share of their values: several roundings of float32, and no more."""


def multiples(columns: Columns) -> Bool[np.ndarray, " k"]:
    """Which columns are a fixed multiple of one that stands before them, of the same model at the same layer; none is constant.

    Example:
        >>> from memjax.stats.table import stack
        >>> mean = np.array([[1.0], [2.0], [4.0]])
        >>> multiples(stack({"m": {"mean": mean, "sum": 3 * mean, "square": mean**2}})).tolist()
        [False, True, False]
    """
    found = np.zeros(len(columns.keys), bool)
    for places in columns.keys.groupby(["model", "layer"], sort=False).indices.values():
        kept: list[int] = []
        for place in places:
            found[place] = any(scaled(columns.values[:, place], columns.values[:, one]) for one in kept)
            kept += [] if found[place] else [place]
    return found


def scaled(x: Float[np.ndarray, " n"], of: Float[np.ndarray, " n"]) -> bool:
    """Whether ``x`` varies and is ``of`` times one number, to the rounding of float32, with the same values missing.

    Example:
        >>> scaled(np.array([2.0, -4.0, np.nan]), np.array([-1.0, 2.0, np.nan]))
        True
    """
    known = np.isfinite(x)
    if not np.array_equal(known, np.isfinite(of)) or not known.any():
        return False
    x, of = x[known], of[known]
    if np.ptp(x) == 0 or np.ptp(of) == 0:
        return False
    largest = int(np.abs(of).argmax())
    return bool((np.abs(x - of * (x[largest] / of[largest])) <= CLOSE * np.abs(x)).all())
