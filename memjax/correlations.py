"""The feature store as measures: what a sweep correlates with memorability."""

import numpy as np
import pandas as pd
import xarray as xr

from memjax.checks import expected
from memjax.metrics import METRICS
from memjax.stats.table import COLUMNS, Measures
from memjax.stats.table import correlation_table as table_of
from memjax.store import metric_variables

__all__ = ["COLUMNS", "correlation_table", "measures_of", "metric_names"]


def metric_names(features: xr.Dataset) -> list[str]:
    """The variables that are metrics (one number an image and layer): ours in their order, then any others."""
    found = metric_variables(features)
    return [name for name in METRICS if name in found] + sorted(set(found) - set(METRICS))


def measures_of(features: dict[str, xr.Dataset]) -> tuple[Measures, pd.Series]:
    """Every encoder's metrics, joined by image id, and the scores.

    Args:
        features: groups of the feature store (dims ``image, layer``, coordinate ``memorability``).

    Returns:
        model -> metric -> float64 ``[n, l+1]``, and the scores ``[n]`` by image id, in the order of the first group.

    Raises:
        InputError: if the encoders have not seen the same images, or there is none.
    """
    if not features:
        raise expected("feature store", "at least one encoder", "none", "let sweep_layers.py finish first")
    first = next(iter(features.values()))
    images = pd.Index(first["image"].values.astype(object), name="image")
    measures = {}
    for group, data in features.items():
        place = pd.Index(data["image"].values.astype(object)).get_indexer(images)
        if (place < 0).any() or len(images) != data.sizes["image"]:
            raise expected(f"feature store, {group}", "the images of the other encoders", "others")
        model = str(data.attrs.get("model", group.replace("--", "/")))  # a store made by hand: its group's name
        measures[model] = {name: data[name].values[place].astype(np.float64) for name in metric_names(data)}
    return measures, pd.Series(first["memorability"].values, images, name="memorability")


def correlation_table(
    features: dict[str, xr.Dataset], method: str = "spearman", n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """`memjax.stats.table.correlation_table` of groups of the feature store with the scores that stand beside them."""
    measures, scores = measures_of(features)
    return table_of(measures, scores.to_numpy(), method, n_boot, seed)
