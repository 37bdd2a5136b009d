"""The tables of `train_saes.py`: rho by epoch and seed, rho by layer, and the figure of the first."""

from pathlib import Path

import numpy as np
import pandas as pd

from memjax.stats.correlation import correlate
from memjax.stats.partial import partial_correlation
from memjax.stats.reliability import ceiling_of

RHO = ["rho", "ci_low", "ci_high", "p", "n"]


def with_rho(keys: pd.DataFrame, columns: np.ndarray, y: np.ndarray, n_boot: int) -> pd.DataFrame:
    """``keys`` (one row a column of ``columns [n, k]``) with rho, its 95 % interval, p and n."""
    found = correlate(columns.astype(np.float64), y, "spearman", n_boot)
    values = (found.rho, found.ci_low, found.ci_high, found.p, found.n_images)
    return keys.assign(**dict(zip(RHO, values, strict=True)))


def epoch_table(
    epochs: dict[int, dict[str, np.ndarray]], keys: pd.DataFrame, y: np.ndarray, n_boot: int
) -> pd.DataFrame:
    """Rho of the reconstruction error after each epoch, by layer, seed and space.

    Args:
        epochs: epoch -> ``<space>`` ``[k, n]`` errors, and ``explained_variance``, ``dead_fraction`` ``[k]``.
        keys: one row for each of the ``k``: layer, seed.
        y: memorability ``[n]``.
        n_boot: resamples for the intervals.
    """
    parts, columns = [], []
    for epoch, found in sorted(epochs.items()):
        for space in ("standardised", "raw"):
            extra = {name: found[name] for name in ("explained_variance", "dead_fraction")}
            parts.append(keys.assign(epoch=epoch, space=space, loss=found[space].mean(axis=1), **extra))
            columns.append(found[space].T)
    return with_rho(pd.concat(parts, ignore_index=True), np.concatenate(columns, axis=1), y, n_boot)


def seeds_by_epoch(table: pd.DataFrame, model: str, layer: int) -> pd.DataFrame:
    """Mean, ddof-1 std and best of rho over seeds, one row an epoch and space, as `memjax.report.epochs` takes it."""
    rows = table[table["layer"] == layer]
    found = rows.groupby(["space", "epoch"], sort=False)["rho"].agg(["mean", "std", "max", "count"]).reset_index()
    found = found.rename(columns={"max": "best", "count": "seeds"})
    found["model"] = [f"{model}, layer {layer}, {space}" for space in found["space"]]
    return found.fillna({"std": 0.0})


def of_ceiling(table: pd.DataFrame, consistency: float | None) -> pd.DataFrame:
    """With a column ``rho_over_ceiling``, where it is known how far people agree."""
    return table if consistency is None else table.assign(rho_over_ceiling=table["rho"] / ceiling_of(consistency))


def draw_epochs(table: pd.DataFrame, model: str, folder: Path, consistency: float | None, synthetic: bool) -> None:
    """The figure of rho by epoch of the last layer, PNG and PDF."""
    from memjax.report.epochs import rho_by_epoch
    from memjax.report.figures import save

    rows = seeds_by_epoch(table, model, int(table["layer"].max()))
    save(rho_by_epoch(rows, consistency, synthetic), folder, "sae_rho_by_epoch")


def layer_table(
    scores: dict[str, np.ndarray], lengths: np.ndarray, layers: np.ndarray, y: np.ndarray, n_boot: int
) -> pd.DataFrame:
    """Rho of each score at each layer, alone and with the length of the token vector held constant.

    Args:
        scores: name -> ``[l, n]``, means over seeds.
        lengths: squared length of the standardised inputs, ``[l, n]``.
        layers: ``[l]`` layer coordinates.
        y: memorability ``[n]``.
        n_boot: resamples for the intervals of ``rho``; those of ``rho_given_length`` are Fisher's.
    """
    names = [name for name in scores for _ in layers]
    keys = pd.DataFrame({"metric": names, "layer": np.tile(layers, len(scores))})
    table = with_rho(keys, np.concatenate([values.T for values in scores.values()], axis=1), y, n_boot)
    given = [
        partial_correlation(np.stack([values[row] for values in scores.values()], axis=1), y, length[:, None])
        for row, length in enumerate(lengths.astype(np.float64))
    ]
    for column, field in (("rho_given_length", "rho"), ("given_ci_low", "ci_low"), ("given_ci_high", "ci_high")):
        table[column] = np.stack([getattr(found, field) for found in given], axis=1).ravel()
    return table
