"""The tables of trained autoencoders: rho by epoch and seed, rho by layer."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from memjax.pipelines.sae_epochs import EpochScores
from memjax.sae.presets import SPACES
from memjax.stats.correlation import benjamini_hochberg
from memjax.stats.exact import reported
from memjax.stats.partial import partial_correlation
from memjax.stats.reliability import Reliability

RHO = ("rho", "ci_low", "ci_high", "p", "n")


def with_rho(
    keys: pd.DataFrame, columns: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], n_boot: int
) -> pd.DataFrame:
    """``keys``, one row a column of ``columns``, with Spearman's rho, its 95 % interval, p and n."""
    found = reported(columns.astype(np.float64), y, "spearman", n_boot)
    values = (found.rho, found.ci_low, found.ci_high, found.p, found.n_images)
    return keys.assign(**dict(zip(RHO, values, strict=True)))


def with_ceiling(table: pd.DataFrame, ceiling: Reliability | None) -> pd.DataFrame:
    """With a column ``rho_over_ceiling``, where it is known how far people agree."""
    return table if ceiling is None else table.assign(rho_over_ceiling=table["rho"] / ceiling.ceiling)


def epoch_table(
    epochs: Sequence[EpochScores], names: Mapping[str, str], y: Float[np.ndarray, " n"], n_boot: int
) -> pd.DataFrame:
    """Rho of the reconstruction error after each epoch, by layer, seed and space.

    Args:
        epochs: in order.
        names: first columns, the same in every row: model, variant.
        y: memorability.
        n_boot: resamples for the intervals.
    """
    parts, columns = [], []
    for found in epochs:
        layer, seed = (a.ravel() for a in np.meshgrid(found.layers, found.seeds, indexing="ij"))
        keys = pd.DataFrame({**names, "layer": layer, "seed": seed})
        for space in SPACES:
            errors = found.errors[space].reshape(len(keys), -1)
            parts.append(
                keys.assign(
                    epoch=found.epoch,
                    space=space,
                    loss=errors.mean(axis=1),
                    explained_variance=found.explained_variance.ravel(),
                    dead_fraction=found.dead_fraction.ravel(),
                )
            )
            columns.append(errors.T)
    return with_rho(pd.concat(parts, ignore_index=True), np.concatenate(columns, axis=1), y, n_boot)


def layer_table(
    scores: Mapping[str, xr.DataArray], lengths: xr.DataArray, model: str, y: Float[np.ndarray, " n"], n_boot: int
) -> pd.DataFrame:
    """Rho of each score at each layer, alone and with the length of the token vector held constant.

    Args:
        scores: name -> means over seeds, dims ``image, layer``.
        lengths: squared length of the standardised inputs, the same dims.
        model: the encoder.
        y: memorability.
        n_boot: resamples for the intervals of ``rho``; those of ``rho_given_length`` are Fisher's.
    """
    layers = lengths["layer"].values
    names = [name for name in scores for _ in layers]
    keys = pd.DataFrame({"model": model, "metric": names, "layer": np.tile(layers, len(scores))})
    table = with_rho(keys, np.concatenate([values.values for values in scores.values()], axis=1), y, n_boot)
    given = [
        partial_correlation(
            np.stack([values.sel(layer=layer).values for values in scores.values()], axis=1),
            y,
            lengths.sel(layer=layer).values.astype(np.float64)[:, None],
        )
        for layer in layers
    ]
    for column, field in (("rho_given_length", "rho"), ("given_ci_low", "ci_low"), ("given_ci_high", "ci_high")):
        table[column] = np.stack([getattr(found, field) for found in given], axis=1).ravel()
    return table


def with_seed_means(table: pd.DataFrame, by_epoch: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A layer table with a column ``mean_rho_over_seeds``: the mean of the seeds' rho, beside ``rho`` of their mean error.

    Args:
        table: from `layer_table`.
        by_epoch: from `epoch_table`; its last epoch counts.
        metric: the reconstruction error's row; the others keep NaN, since their seeds are not kept apart.
    """
    last = by_epoch[(by_epoch["epoch"] == by_epoch["epoch"].max()) & (by_epoch["space"] == SPACES[0])]
    means = table["layer"].map(last.groupby("layer")["rho"].mean())
    return table.assign(mean_rho_over_seeds=means.where(table["metric"] == metric))


def with_q(table: pd.DataFrame) -> pd.DataFrame:
    """A layer table with q beside p: Benjamini-Hochberg over the layers of each score."""
    q = [benjamini_hochberg(rows["p"].to_numpy()) for _, rows in table.groupby("metric", sort=False)]
    found, place = table.copy(), table.columns.get_loc("p") + 1
    found.insert(place, "q", np.concatenate(q))
    return found


def seeds_by_epoch(table: pd.DataFrame, layer: int) -> pd.DataFrame:
    """Rho over seeds, one row an epoch and space, as `memjax.report.epochs` takes it: mean, ddof-1 std, best and lowest; and
    the mean of the ends of the seeds' intervals, which is no narrower than an interval of their mean."""
    rows = table[table["layer"] == layer]
    of = {"mean": "mean", "std": "std", "best": "max", "lowest": "min", "highest": "max", "seeds": "count"}
    named = {name: ("rho", how) for name, how in of.items()}
    named |= {end: (end, "mean") for end in ("ci_low", "ci_high")}
    found = rows.groupby(["model", "space", "epoch"], sort=False).agg(**named).reset_index()
    found["model"] = [f"{row.model}, layer {layer}, {row.space}" for row in found.itertuples()]
    return found.fillna({"std": 0.0})
