"""The table that a sweep is about: every encoder's metrics at every layer against human memorability."""

import numpy as np
import pandas as pd
import xarray as xr

from memjax.metrics import METRICS
from memjax.stats.correlation import benjamini_hochberg, correlate

COLUMNS = ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]


def metric_names(features: xr.Dataset) -> list[str]:
    """The variables that are metrics (one number an image and layer): ours in their order, then any others."""
    found = [str(name) for name, variable in features.data_vars.items() if variable.dims == ("image", "layer")]
    return [name for name in METRICS if name in found] + sorted(set(found) - set(METRICS))


def correlation_table(
    features: dict[str, xr.Dataset], method: str = "spearman", n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Correlate every metric and layer of every encoder with the scores that stand beside them.

    A metric without values at a layer has no row there; a column that is constant has NaN for ``rho``.

    Args:
        features: encoder -> its group of the feature store (dims ``image, layer``, coordinate ``memorability``).
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"``.
        n_boot: bootstrap resamples for the 95 % intervals.
        seed: of the resamples.

    Returns:
        Columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``; ``q`` is Benjamini-Hochberg over the table.
    """
    parts = []
    for model, group in features.items():
        names = metric_names(group)
        values = np.stack([group[name].values for name in names], axis=1).astype(np.float64)
        layers = group["layer"].values
        found = np.isfinite(values).any(axis=0)
        metric, layer = np.nonzero(found)
        result = correlate(values[:, found], group["memorability"].values, method, n_boot, seed)
        parts.append(
            pd.DataFrame(
                {
                    "model": str(group.attrs.get("model", model)),
                    "metric": np.array(names, dtype=object)[metric],
                    "layer": layers[layer],
                    "rho": result.rho,
                    "ci_low": result.ci_low,
                    "ci_high": result.ci_high,
                    "p": result.p,
                    "n": result.n_images,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return table[COLUMNS]
