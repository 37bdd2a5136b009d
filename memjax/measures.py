"""The feature store as measures: what is correlated with memorability."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from memjax.checks import expected
from memjax.metrics import METRICS
from memjax.stats.table import Measures
from memjax.store import metric_variables


def measures_of(features: Mapping[str, xr.Dataset]) -> tuple[Measures, pd.Series]:
    """Every encoder's metrics, joined by image id, and the scores.

    Args:
        features: groups of the feature store (dims ``image, layer`` or ``image, layer, head``, coordinate ``memorability``).

    Returns:
        model -> metric -> float64 ``[n, l+1]`` (a metric by head: ``<metric>_<head>``), and the scores ``[n]`` by image id, in
        the order of the first group.

    Raises:
        InputError: if the encoders have not seen the same images, or there is none.
    """
    if not features:
        raise expected("feature store", "at least one encoder", "none", "let a sweep finish first")
    first = next(iter(features.values()))
    images = pd.Index(first["image"].values.astype(object), name="image")
    measures = {}
    for group, data in features.items():
        place = pd.Index(data["image"].values.astype(object)).get_indexer(images)
        if (place < 0).any() or len(images) != data.sizes["image"]:
            raise expected(f"feature store, {group}", "the images of the other encoders", "others")
        model = str(data.attrs.get("model", group.replace("--", "/")))  # a store made by hand: its group's name
        measures[model] = {}
        for name in metric_names(data):
            values = data[name].values[place].astype(np.float64)
            by_head = {name: values} if values.ndim == 2 else {f"{name}_{h}": v for h, v in enumerate(_heads(values))}
            measures[model] |= by_head
    return measures, pd.Series(first["memorability"].values, images, name="memorability")


def _heads(values: np.ndarray) -> np.ndarray:
    """``[n, l+1, h]`` -> ``[h, n, l+1]``."""
    return np.moveaxis(values, -1, 0)


def metric_names(features: xr.Dataset) -> list[str]:
    """The variables that are metrics: ours in their order, then any others."""
    found = metric_variables(features)
    return [name for name in METRICS if name in found] + sorted(set(found) - set(METRICS))
