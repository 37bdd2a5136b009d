"""Readouts of whole encoders as tables: what all measures together predict, beside the best single measure.

The readout is out of fold; the best single measure is picked from the same images it is correlated on, so it is flattered
and the comparison is a cautious one.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memjax.stats.readout import Readout, readout
from memjax.stats.reliability import Reliability
from memjax.stats.table import Columns

ALL = "all encoders"
"""The readout that has the columns of every encoder."""


def readouts(
    columns: Columns,
    scores: np.ndarray,
    groups: Sequence[object] | np.ndarray | None = None,
    n_folds: int = 5,
    n_boot: int = 2000,
    seed: int = 0,
) -> dict[str, Readout]:
    """One readout for each encoder, and with several encoders a last one of all together (`ALL`).

    Args:
        columns: from `memjax.stats.table.stack`; rows in the order of ``scores``.
        scores: human scores ``[n]``.
        groups, n_folds, n_boot, seed: see `memjax.stats.readout.readout`.

    Raises:
        InputError: as `memjax.stats.readout.readout`.
    """
    chosen = {model: columns.of([model]) for model in columns.models}
    if len(chosen) > 1:
        chosen[ALL] = columns
    return {name: readout(own.values, scores, groups, n_folds, n_boot, seed=seed) for name, own in chosen.items()}


def readout_table(found: dict[str, Readout], table: pd.DataFrame, ceiling: Reliability | None = None) -> pd.DataFrame:
    """Out-of-fold rho of each readout beside the best single measure of the same encoders.

    Args:
        found: from `readouts`.
        table: a correlation table of the same measures (`memjax.stats.table.correlation_table`).
        ceiling: of Spearman's rho; None where it is not known.

    Returns:
        Columns ``model, rho, ci_low, ci_high, n, columns, best_single, best_single_rho``; with a ceiling also ``ceiling,
        rho_over_ceiling, best_single_over_ceiling``.
    """
    rows = []
    for name, one in found.items():
        own = table[table["model"].isin([model for model in found if model != ALL] if name == ALL else [name])]
        best = own.loc[own["rho"].abs().idxmax()]
        single = f"{best['metric']}, layer {best['layer']}" + (f", {best['model']}" if name == ALL else "")
        used = len(one.weights) - len(one.left_out)
        rows.append((name, one.rho, one.ci_low, one.ci_high, one.n_images, used, single, best["rho"]))
    names = ["model", "rho", "ci_low", "ci_high", "n", "columns", "best_single", "best_single_rho"]
    out = pd.DataFrame(rows, columns=names)
    if ceiling is None:
        return out
    top = ceiling.ceiling
    best_share = out["best_single_rho"] / top
    return out.assign(ceiling=top, rho_over_ceiling=out["rho"] / top, best_single_over_ceiling=best_share)


def weight_table(found: dict[str, Readout], columns: Columns) -> pd.DataFrame:
    """The layer x metric map of the widest readout: columns ``model, metric, layer, weight, importance``."""
    one = list(found.values())[-1]
    return columns.keys.assign(weight=one.weights, importance=one.importance)
