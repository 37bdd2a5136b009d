"""Columns that say the same as another one: a fixed multiple of it, such as a sum beside a mean.

`twins` asks it of the measures of one model and layer, which have names, so that a family of tests counts each once;
`usable_columns` of any columns, one of which a regression needs: there a multiple and a constant besides are as much the same.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from memjax.stats.correlation import benjamini_hochberg

CLOSE = 1e-5
"""Of two columns, one of them scaled, as a share of their values: several roundings of float32, and no more."""

MULTIPLE = 1 - 1e-8
"""Pearson's r from which two columns of float32 values are one."""


def twins(values: Float[np.ndarray, "n k"], keys: pd.DataFrame) -> Int[np.ndarray, " k"]:
    """Of each column the first of the same model at the same layer that it is a fixed multiple of; where there is none, itself.

    Args:
        values: measures side by side.
        keys: ``model`` and ``layer`` of each column, see `memjax.stats.table.Columns`.

    Example:
        >>> mean = np.array([1.0, 2.0, 4.0])
        >>> keys = pd.DataFrame({"model": ["m"] * 4, "layer": [0, 0, 0, 1]})
        >>> twins(np.stack([mean, 3 * mean, mean**2, mean], axis=1), keys).tolist()
        [0, 0, 2, 3]
    """
    found = np.arange(len(keys))
    for places in keys.groupby(["model", "layer"], sort=False).indices.values():
        kept: list[int] = []
        for place in places:
            found[place] = next((one for one in kept if scaled(values[:, place], values[:, one])), place)
            kept += [place] if found[place] == place else []
    return found


def multiples(values: Float[np.ndarray, "n k"], keys: pd.DataFrame) -> Bool[np.ndarray, " k"]:
    """Which columns are a fixed multiple of one that stands before them, see `twins`; none is constant."""
    return twins(values, keys) != np.arange(len(keys))


def family_q(
    p: Float[np.ndarray, " k"], values: Float[np.ndarray, "n k"], keys: pd.DataFrame
) -> Float[np.ndarray, " k"]:
    """Benjamini and Hochberg's q of columns' p, where a measure and its fixed multiples are one test: they share the first's q.

    Args:
        p: of each column; NaN is no test.
        values, keys: see `twins`.

    Example:
        >>> mean, other = np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 3.0])
        >>> keys = pd.DataFrame({"model": ["m"] * 3, "layer": [0] * 3})
        >>> family_q(np.array([0.01, 0.01, 0.3]), np.stack([mean, 3 * mean, other], axis=1), keys).tolist()
        [0.02, 0.02, 0.3]
    """
    first = twins(values, keys)
    return benjamini_hochberg(np.where(first == np.arange(len(first)), p, np.nan))[first]


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


def usable_columns(x: Float[np.ndarray, "n k"]) -> Int[np.ndarray, " _"]:
    """Positions of the columns that vary and are no multiple of one before them.

    Example:
        >>> x = np.array([[1.0, 2.0, 5.0, 0.3], [2.0, 4.0, 5.0, 0.1], [4.0, 8.0, 5.0, 0.9]])
        >>> usable_columns(x).tolist()
        [0, 3]
    """
    finite = np.isfinite(x)
    low, high = (f(np.where(finite, x, fill), axis=0) for f, fill in ((np.min, np.inf), (np.max, -np.inf)))
    varied = np.flatnonzero(high > low)
    z = np.where(finite[:, varied], x[:, varied], np.nan)
    z = np.nan_to_num((z - np.nanmean(z, axis=0)) / np.nanstd(z, axis=0))
    z /= np.sqrt((z * z).sum(axis=0))
    kept: list[int] = []
    for start in range(0, len(varied), 256):  # of many columns, some against all before them at a time
        like = np.abs(z[:, : start + 256].T @ z[:, start : start + 256]) > MULTIPLE
        for j in range(start, min(start + 256, len(varied))):
            if not like[kept, j - start].any():
                kept.append(j)
    return varied[kept]
