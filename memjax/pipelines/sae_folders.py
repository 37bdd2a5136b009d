"""Trained autoencoders with how well they did, each in a folder of its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from memjax.checks import make_folder
from memjax.sae.origin import SAEOrigin
from memjax.sae.presets import SPACES
from memjax.sae.trained import TrainedSAE
from memjax.sae.writing import save

SCORED = {"rho": "rho", "rho_low": "ci_low", "rho_high": "ci_high"} | {
    name: name for name in ("explained_variance", "dead_fraction")
}
"""Field of `memjax.sae.origin.SAEOrigin` -> column of the table by epoch."""


def with_scores(saes: Sequence[TrainedSAE], by_epoch: pd.DataFrame) -> tuple[TrainedSAE, ...]:
    """Autoencoders that know the scores of their layer and seed after the last epoch, in the standardised space.

    Args:
        saes: of one run.
        by_epoch: its table (`memjax.pipelines.sae_tables.epoch_table`).
    """
    last = by_epoch[(by_epoch["epoch"] == by_epoch["epoch"].max()) & (by_epoch["space"] == SPACES[0])]
    rows = last.set_index(["layer", "seed"])
    return tuple(one.replace(origin=_scored(one, rows.loc[(one.layer, one.seed)])) for one in saes)


def _scored(sae: TrainedSAE, row: pd.Series) -> SAEOrigin:
    known = {field: float(value) for field, column in SCORED.items() if pd.notna(value := row[column])}
    return replace(sae.origin, **known)


def save_saes(saes: Sequence[TrainedSAE], folder: Path) -> tuple[Path, ...]:
    """Write each to its own folder below one.

    Raises:
        InputError: one of them holds something else, or cannot be written.
    """
    make_folder(folder, "folder", "folder")
    return tuple(save(one, folder / folder_of(one)) for one in saes)


def folder_of(sae: TrainedSAE) -> str:
    """The name of an autoencoder's folder among those of its run: layer, seed, and the fold that it left out."""
    return f"layer_{sae.layer}_seed_{sae.seed}" + ("" if sae.fold is None else f"_fold_{sae.fold}")
