"""ViT-MAE's loss by the collection that MemCat took an image from: ViT-MAE was trained on one of them, ImageNet."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memjax.stats.correlation import correlate

METRIC, TRAINED_ON, WITHOUT = "mae_loss", "imagenet", "without imagenet"


def source_table(
    measures: Mapping[str, Mapping[str, np.ndarray]], scores: pd.DataFrame, n_boot: int, seed: int = 0
) -> pd.DataFrame:
    """Spearman's rho of ViT-MAE's loss among the images of each source, of all, and of all but those it was trained on.

    Args:
        measures: encoder -> metric -> ``[n, l + 1]``; those without `METRIC` are left out.
        scores: columns ``memorability, source``, rows in the same order.
        n_boot, seed: of the intervals.

    Returns:
        Columns ``model, source, rho, ci_low, ci_high, p, n``.
    """
    y, source = scores["memorability"].to_numpy(np.float64), scores["source"].to_numpy(str)
    parts = {"all": np.ones(len(y), np.bool_), **{str(name): source == name for name in np.unique(source)}}
    if TRAINED_ON in parts:
        parts[WITHOUT] = source != TRAINED_ON
    rows = []
    for model, metrics in measures.items():
        for name, mask in parts.items() if METRIC in metrics else ():
            found = correlate(metrics[METRIC][mask][:, -1:], y[mask], "spearman", n_boot, seed)
            values = (found.rho, found.ci_low, found.ci_high, found.p, found.n_images)
            rows.append((model, name, *(value[0] for value in values)))
    return pd.DataFrame(rows, columns=["model", "source", "rho", "ci_low", "ci_high", "p", "n"])
