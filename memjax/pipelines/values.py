"""Whether an encoder gave numbers at all: metrics without one finite value are told, an encoder without any is refused."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import xarray as xr

from memjax.checks import InputError
from memjax.outputs import ModelRecord
from memjax.store import metric_variables

ROWS = 4096
"""Images looked at together; the first finite value ends the search."""


def noted(model: ModelRecord, features: Mapping[str, xr.Dataset]) -> ModelRecord:
    """The record of an encoder, with a note on the metrics that have no finite value at any layer.

    Every metric of a sweep has a value at the last layer, where scores of autoencoders may have none.

    Args:
        model: as recorded so far.
        features: encoder -> its group of the store.

    Raises:
        InputError: no metric has one at the last layer.
    """
    group = features[model.model]
    metrics = metric_variables(group)
    empty = [name for name in metrics if not has_value(group[name])]
    if metrics and not any(has_value(group[name].isel(layer=slice(-1, None))) for name in metrics):
        raise InputError(
            f"encoder {model.model}: no metric has one finite value at its last layer, over {group.sizes['image']} images; "
            "its weights, or the pixels that its preprocessing makes, pass the range of numbers"
        )
    if not empty:
        return model
    note = f"no finite value on any image: {', '.join(empty)}"
    return dataclasses.replace(model, note="; ".join(filter(None, (model.note, note))))


def has_value(metric: xr.DataArray) -> bool:
    """Whether a metric has a finite value at any layer, on any image.

    Example:
        >>> has_value(xr.DataArray(np.array([[np.nan, np.nan], [-np.inf, np.inf]]), dims=("image", "layer")))
        False
    """
    parts = (metric.isel(image=slice(start, start + ROWS)) for start in range(0, metric.sizes["image"], ROWS))
    return any(bool(np.isfinite(part.values).any()) for part in parts)
