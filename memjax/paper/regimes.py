"""The authors' autoencoders in their regimes, as published and as released, and runs of one's own beside them.

Two regimes: ``single`` is batch size 1 with every image in the training ("Single" in the authors' figures: no single exposure, it
is drawn over 5 and over 20 epochs); ``split`` is 80 % of the images in batches of 4, at 5e-4.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from memjax.checks import InputError, check_folder, expected
from memjax.outputs import Run, read_run
from memjax.paper import published

SINGLE, SEED_0, SPLIT = "single", "single, seed 0", "split"
PUBLISHED: Mapping[str, Mapping[str, Sequence[float]]] = {
    SINGLE: published.SAE_MEAN,
    SEED_0: published.SAE_TWENTY_EPOCHS,
    SPLIT: published.SAE_SPLIT_MEAN,
}
"""Regime -> encoder -> rho after epochs 1, 2, ..; the mean over five seeds, but for the one seed."""

KEYS = ["model", "regime", "epoch"]
SPACES = ("raw", "standardised")
EPOCHS_FILE = "sae_epochs.csv"


@dataclass(frozen=True)
class OwnRun:
    """A run of `memjax.train_saes` under one of the authors' protocols.

    Attributes:
        model: its encoder, by the name that published tables have for it, if any.
        regime: `SINGLE` or `SPLIT`.
        epochs: rho by epoch, seed and space, at its last layer.
    """

    model: str
    regime: str
    epochs: pd.DataFrame


def read_own(folder: str | Path, names: Mapping[str, str]) -> OwnRun:
    """The folder of a run of `memjax.train_saes`.

    Args:
        folder: with run.json and sae_epochs.csv.
        names: encoder -> its name in published tables.

    Raises:
        InputError: no such run, or one that leaves images out or is of another protocol.
    """
    place = check_folder(folder, "saes", "give the folder of a run of train_saes", argument="saes")
    run, file = read_run(place), place / EPOCHS_FILE
    if run is None or not file.is_file():
        raise expected(f"saes {folder}", f"run.json and {EPOCHS_FILE} of a run of train_saes", "none", argument="saes")
    regime = _regime(run, place)
    try:
        table = pd.read_csv(file)
        last = table[table["layer"] == table["layer"].max()][["epoch", "seed", "space", "rho"]]
        return OwnRun(names.get(run.models[0].model, run.models[0].model), regime, last)
    except (KeyError, IndexError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"saes {file}: not as train_saes wrote it ({reason}); run it again", "saes") from error


def _regime(run: Run, folder: Path) -> str:
    """Which of the authors' regimes a run is of; other batch sizes and rates than theirs are its own affair."""
    if run.protocol == "paper-split":
        return SPLIT
    if run.protocol == "paper" and run.settings.get("folds", 1) == 1:
        return SINGLE
    got = f"{run.protocol or 'no protocol'} with {run.settings.get('folds')} folds"
    raise expected(f"saes {folder}", "protocol paper without folds, or paper-split", got, argument="saes")


def regime_table(sae: pd.DataFrame | None, own: Sequence[OwnRun] = ()) -> pd.DataFrame:
    """Rho of the reconstruction loss by encoder, regime and epoch.

    Args:
        sae: from `memjax.paper.tables.sae_table`: the released correlations, which are of the regime `SINGLE`.
        own: runs of one's own.

    Returns:
        Columns ``model, regime, epoch, published, released, own_raw, own_standardised``, NaN where there is none; columns that
        are empty throughout are left out. ``own``: mean over the run's seeds, or seed 0's, in either space.
    """
    rows = [*_published(), *_released(sae), *(row for run in own for row in _own(run))]
    long = pd.DataFrame(rows, columns=[*KEYS, "kind", "rho"])
    order = {name: place for place, name in enumerate(("published", "released", *(f"own_{space}" for space in SPACES)))}
    wide = long.pivot_table(index=KEYS, columns="kind", values="rho", aggfunc="last", sort=False)
    return wide[sorted(wide.columns, key=order.__getitem__)].reset_index().rename_axis(columns=None)


def _published() -> Iterator[tuple]:
    for regime, models in PUBLISHED.items():
        for model, values in models.items():
            yield from ((model, regime, epoch, "published", rho) for epoch, rho in enumerate(values, start=1))


def _released(sae: pd.DataFrame | None) -> Iterator[tuple]:
    for row in () if sae is None else sae.itertuples():
        yield row.model, SINGLE, row.epoch, "released", row.mean


def _own(run: OwnRun) -> Iterator[tuple]:
    means = run.epochs.groupby(["epoch", "space"])["rho"].mean()
    first = run.epochs[run.epochs["seed"] == 0].set_index(["epoch", "space"])["rho"]
    for regime, values in ((run.regime, means), *(((SEED_0, first),) if run.regime == SINGLE else ())):
        yield from ((run.model, regime, epoch, f"own_{space}", rho) for (epoch, space), rho in values.items())
