"""Checksums of arrays and of ids: the first half of a SHA-256, in hex."""

import hashlib
from collections.abc import Iterable

import numpy as np

from memjax.datasets.base import fingerprint

LENGTH = 32
"""Hex digits."""


def values_sum(values: np.ndarray) -> str:
    """Of an array's values, in its own type; every NaN counts as the same, since a chunk without a number is not written.

    Example:
        >>> values_sum(np.float32([1, np.nan])) == values_sum(np.float32([1, -np.nan]))
        True
    """
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    if values.dtype.kind == "f" and (nothing := np.isnan(little)).any():
        little = np.where(nothing, np.array(np.nan, little.dtype), little)
    return hashlib.sha256(little.data.cast("B") if little.size else b"").hexdigest()[:LENGTH]


def texts_sum(texts: Iterable[str]) -> str:
    """Of ids, in their order."""
    return fingerprint(*texts)[:LENGTH]
