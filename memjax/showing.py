"""What a notebook shows of an object by its name alone: a few lines, however many numbers it holds.

An object of many arrays or tables takes `short_repr` as its ``__repr__``; one that is asked for often says itself what it is.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

MOST = 100
"""Characters of a field."""


def short_repr(self: object) -> str:
    """A dataclass as its name and a line for each field that holds something.

    Example:
        >>> import numpy as np
        >>> from memjax.sae import SAEState
        >>> print(SAEState(threshold=np.float32(0.5), idle=np.zeros(16, np.int32)))
        SAEState
          threshold: 0.5
          idle: int32 [16]
    """
    held = [(one.name, getattr(self, one.name)) for one in dataclasses.fields(self) if one.repr]  # type: ignore[arg-type]
    lines = [f"  {name}: {in_short(value)}" for name, value in held if not _is_nothing(value)]
    return "\n".join([type(self).__name__, *lines])


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, (str, tuple, list, dict)) and not value)


def in_short(value: Any) -> str:
    """One value in one line.

    Example:
        >>> in_short({"a": 1, "b": 2}), in_short(list(range(100))), in_short("x" * 3)
        ('a, b', '100 x int', 'xxx')
    """
    if hasattr(value, "columns"):
        return _cut(f"{len(value):,} rows: {', '.join(map(str, value.columns))}")
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {list(value.shape)}" if value.shape else str(value)
    if isinstance(value, Mapping):
        return _cut(", ".join(map(str, value)))
    if isinstance(value, (tuple, list)) and (len(value) > 8 or any(map(_is_large, value))):
        return f"{len(value)} x {type(value[0]).__name__}"
    if _is_large(value):
        own = type(value).__repr__ is not short_repr and "<" in repr(value)[:1]
        return _cut(repr(value)) if own else f"{type(value).__name__}{_counted(value)}"
    return _cut(str(value) if isinstance(value, (str, PurePath, float, int)) else repr(value))


def _is_large(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _counted(value: object) -> str:
    """How many numbers an object's arrays hold; empty where it has none."""
    count = sum(_sizes(value))
    return f" of {count:,} values" if count else ""


def _sizes(value: Any) -> Iterator[int]:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        yield math.prod(value.shape)
    elif _is_large(value):
        for one in dataclasses.fields(value):
            yield from _sizes(getattr(value, one.name))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _sizes(each)


def _cut(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= MOST else f"{one[:MOST]} .."
