"""The feature store as measures: what is correlated with memorability."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from memjax.checks import expected
from memjax.metrics import METRICS
from memjax.stats.table import Measures, Values
from memjax.store import metric_variables

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

READ_VALUES = 2**20
"""Values of a variable, about, that one task reads: many files of the store, of a few of its chunks at once."""

TOKENS = ("cls", "mean", "pooled", "patches")
"""What token vectors of a store are called, and the ends of the names of measures that are of them."""

Read = TypeVar("Read", bound=Values)


def measures_of(features: Mapping[str, xr.Dataset]) -> tuple[dict[str, dict[str, np.ndarray]], pd.Series]:
    """Every encoder's metrics, joined by image id, and the scores, all in memory.

    Args:
        features: groups of the feature store (dims ``image, layer`` or ``image, layer, head``, coordinate ``memorability``).

    Returns:
        model -> metric -> float64 ``[n, l+1]`` (a metric by head: ``<metric>_<head>``), and the scores ``[n]`` by image id, in
        the order of the first group.

    Raises:
        InputError: if the encoders have not seen the same images, or there is none.
    """
    measures: dict[str, dict[str, np.ndarray]] = {}
    for model, metric, values in _joined(features, lambda variable: variable.values.astype(np.float64)):
        measures.setdefault(model, {})[metric] = values
    first = next(iter(features.values()))
    return measures, pd.Series(first["memorability"].values, _images(first), name="memorability")


def stored_measures(features: Mapping[str, xr.Dataset]) -> tuple[Measures, "DaskArray"]:
    """As `measures_of`, read when used: dask arrays, by whoever computes with them; the scores too, without ids.

    Raises:
        InputError: as `measures_of`.
    """
    measures: dict[str, dict[str, Values]] = {}
    for model, metric, values in _joined(features, chunked):
        measures.setdefault(model, {})[metric] = values
    return measures, chunked(next(iter(features.values()))["memorability"])


def chunked(variable: xr.DataArray) -> "DaskArray":
    """A stored variable as a dask array whose chunks are whole chunks of the store, some at a time."""
    stored = variable.encoding.get("preferred_chunks", {}).get("image", len(variable))
    values_each = max(1, variable.size // max(1, len(variable)))
    return variable.chunk({"image": stored * max(1, READ_VALUES // (stored * values_each))}).data


def _joined(
    features: Mapping[str, xr.Dataset], read: Callable[[xr.DataArray], Read]
) -> Iterator[tuple[str, str, Read]]:
    """Model, metric and values ``[n, l+1]`` of every metric, the images in the order of the first group's."""
    if not features:
        raise expected("feature store", "at least one encoder", "none", "let a sweep finish first")
    images = _images(next(iter(features.values())))
    for group, data in features.items():
        place = _place(data, images, group)
        model = str(data.attrs.get("model", group.replace("--", "/")))  # a store made by hand: its group's name
        for name in metric_names(data):
            values = read(data[name]) if place is None else read(data[name])[place]
            if values.ndim == 2:
                yield model, name, values
            else:
                yield from ((model, f"{name}_{head}", values[:, :, head]) for head in range(values.shape[2]))


def _images(data: xr.Dataset) -> pd.Index:
    return data.indexes["image"].rename("image")


def _place(data: xr.Dataset, images: pd.Index, group: str) -> np.ndarray | None:
    """Where a group has each of ``images``; None where it has them in their order."""
    own = _images(data)
    if own.equals(images):
        return None
    place = own.get_indexer(images)
    if (place < 0).any() or len(images) != len(own):
        raise expected(f"feature store, {group}", "the images of the other encoders", "others")
    return place


def metric_names(features: xr.Dataset) -> list[str]:
    """The variables that are metrics: ours in their order, then any others."""
    found = metric_variables(features)
    return [name for name in METRICS if name in found] + sorted(set(found) - set(METRICS))


def token_of(name: str) -> str:
    """Which token vectors a joined measure is of, by its name; empty where it names none.

    Example:
        >>> token_of("mahalanobis_mean"), token_of("sae_pooled_error"), token_of("sae_error")
        ('mean', 'pooled', '')
    """
    return next((token for token in TOKENS if f"_{token}" in name), "")
