"""Measures of many models and layers as one table of correlations with the scores."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memjax.stats.correlation import benjamini_hochberg, correlate

Measures = Mapping[str, Mapping[str, np.ndarray]]
"""model -> metric -> ``[n, layers]``; column ``i`` is layer ``i``."""

COLUMNS = ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]


def columns_of(measures: Measures) -> tuple[np.ndarray, list[tuple[str, str, int]]]:
    """All measures side by side, float64 ``[n, k]``, and each column's (model, metric, layer).

    A metric without any value at a layer has no column there.
    """
    names, columns = [], []
    for model, metrics in measures.items():
        for metric, values in metrics.items():
            for layer in np.flatnonzero(np.isfinite(values).any(axis=0)):
                names.append((model, metric, int(layer)))
                columns.append(values[:, layer])
    return np.column_stack(columns).astype(np.float64), names


def correlation_table(
    measures: Measures, scores: np.ndarray, method: str = "spearman", n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Correlate every column with the scores.

    Args:
        measures: see `Measures`; rows in the order of ``scores``.
        scores: human scores ``[n]``.
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"``.
        n_boot: bootstrap resamples for the 95 % intervals.
        seed: of the resamples.

    Returns:
        Columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``; a constant column has NaN for ``rho``; ``q`` is
        Benjamini-Hochberg over the whole table. Policy for NaN and ties: `memjax.stats.correlation`.
    """
    x, names = columns_of(measures)
    found = correlate(x, scores, method, n_boot, seed)
    table = pd.DataFrame(names, columns=COLUMNS[:3])
    values = {"rho": found.rho, "ci_low": found.ci_low, "ci_high": found.ci_high, "p": found.p}
    return table.assign(**values, q=benjamini_hochberg(found.p), n=found.n_images)
