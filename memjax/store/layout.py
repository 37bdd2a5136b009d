"""What lies where in a feature store, and what one variable of it is."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from memjax.axes import Sizes
from memjax.storage import Place

STORE, PROGRESS = "features.zarr", "progress"

METRIC_DIMS = (("image", "layer"), ("image", "layer", "head"))
"""Dimensions of the variables that are metrics."""
OWN = "own_metrics"
"""Key of an identity: name -> `memjax.metrics.metric_identity` of the user's metrics."""
CHUNK_BYTES = 2**23
"""Bytes, at most, of a variable's chunk where one image has less: what a reader of a few images has to fetch."""


class Variable(NamedTuple):
    """What is kept under one name: the axes of one image's values, and the attributes that tell what it is."""

    sizes: Sizes
    attrs: Mapping[str, str] = {}


def group_place(root: Place, group: str) -> Place:
    """Where a group's arrays lie."""
    return root / STORE / group


def progress_place(root: Place, group: str) -> Place:
    """Where a group's markers lie."""
    return root / PROGRESS / group


def images_per_file(chunk: int, shape: tuple[int, ...]) -> int:
    """The largest divisor of ``chunk`` (so that each file is written once) that keeps a file below `CHUNK_BYTES`."""
    most = max(1, CHUNK_BYTES // (4 * math.prod(shape)))
    return max(size for size in range(1, chunk + 1) if chunk % size == 0 and size <= most)
