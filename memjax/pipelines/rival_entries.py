"""What is compared: baselines of a run, the autoencoders' losses in the sweep's store, VGG-16's measures of another run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from memjax.baselines.proxies import ROWS, proxy_of
from memjax.checks import InputError, expected
from memjax.measures import token_of
from memjax.outputs import read_run, read_table
from memjax.pipelines.tokens import Group
from memjax.report.seen import maker_of, saw_its_images
from memjax.store import verify_group

SCORES = "scores"
"""Name of the table of every measure by image: ``source, measure, layer, image, value``."""

VGG, VGG_AUTOENCODER = "vgg16", "vgg16_autoencoder"
"""The names of VGG-16, and of an autoencoder of its architecture, among the sources of measures."""

CNNS = (VGG, VGG_AUTOENCODER)
"""The sources that are convolutional networks."""

Kind = Literal["autoencoder", "linear", "CNN", "other"]


@dataclass(frozen=True, eq=False)
class Rival:
    """One measure that is compared.

    Attributes:
        name: of the measure, as in the tables.
        values: dims ``image, layer``.
        kind: what it is to the questions that are asked.
        direction: 1 where larger values are expected of more memorable images, else -1.
        in_sample: its model saw the images that it scores.
        has_last: one of its layers is the last.
    """

    name: str
    values: xr.DataArray
    kind: Kind
    direction: int = 1
    in_sample: bool = False
    has_last: bool = True

    @property
    def token(self) -> str:
        """Which token vectors it is of, by its name; an autoencoder's that names none is of the cls token."""
        return token_of(self.name) or ("cls" if self.kind == "autoencoder" else "")

    def at(self, images: np.ndarray) -> Float[np.ndarray, "n l"]:
        """Its values of some images, in its expected direction; NaN where it has none."""
        return self.direction * self.values.reindex(image=images).values.astype(np.float64)


def rivals_of(scores: Mapping[str, xr.DataArray], source: str) -> list[Rival]:
    """The measures of a run of baselines; those of several tokens also together, for all layers.

    Args:
        scores: name -> values, dims ``image, layer``.
        source: one of `CNNS`, or an encoder.
    """
    found: list[Rival] = []
    for name, values in scores.items():
        row, cnn = ROWS[proxy_of(name)], source in CNNS
        shown = f"{name}_{source}" if cnn else name
        found.append(Rival(shown, values, "CNN" if cnn else kind_of(row.linear), row.direction, row.in_sample))
    return [*found, *together(scores)]


def together(scores: Mapping[str, xr.DataArray]) -> list[Rival]:
    """Each measure that there is of several tokens, its layers of all of them one after another."""
    found = []
    for proxy in dict.fromkeys(map(proxy_of, scores)):
        own = [values for name, values in scores.items() if proxy_of(name) == proxy]
        if len(own) > 1:
            row, joined = ROWS[proxy], xr.concat(own, dim="layer")
            found.append(Rival(f"{proxy}_both", joined, kind_of(row.linear), row.direction, row.in_sample, False))
    return found


def kind_of(linear: bool) -> Kind:
    """Of a measure of an encoder's own vectors."""
    return "linear" if linear else "other"


def autoencoders_in(group: Group) -> list[Rival]:
    """The reconstruction losses of sparse autoencoders that a sweep's store has, and whether they are in sample.

    Raises:
        InputError: they are not as they were written.
    """
    values = group.values
    names = [str(name) for name in values.data_vars if str(name).startswith("sae_") and str(name).endswith("_error")]
    names = [name for name in names if set(values[name].dims) == {"image", "layer"}]
    if names:
        verify_group(group.store.parent, group.name, names, forget=True)
    return [
        Rival(name, values[name].dropna("layer", how="all").load(), "autoencoder", in_sample=in_sample(values[name]))
        for name in names
    ]


def in_sample(variable: xr.DataArray) -> bool:
    """Whether an autoencoder's scores are of images that it was trained on; so too where the store does not say."""
    made = maker_of(variable)
    return made is None or saw_its_images(made)


def scores_table(scores: Mapping[str, xr.DataArray], source: str) -> pd.DataFrame:
    """Every measure by image, one row a value."""
    parts = [
        pd.DataFrame({"source": source, "measure": name, "layer": int(layer), "image": values["image"].values.astype(object),
                      "value": values.sel(layer=layer).values.astype(np.float64)})
        for name, values in scores.items()
        for layer in values["layer"].values
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def rivals_in_all(folders: Sequence[str | Path]) -> list[Rival]:
    """The measures of some finished runs of baselines.

    Raises:
        InputError: one is none, or two have a measure in common.
    """
    found: list[Rival] = []
    for folder in folders:
        own = rivals_in(folder)
        if twice := {one.name for one in found} & {one.name for one in own}:
            fix = "leave one out"
            raise expected(f"cnn {folder}", "a run of another network", f"{min(twice)} again", fix, "cnn")
        found += own
    return found


def rivals_in(folder: str | Path) -> list[Rival]:
    """The measures of a finished run of baselines, from its folder.

    Raises:
        InputError: there is none.
    """
    where = Path(folder).expanduser()
    table = read_table(where, SCORES) if read_run(where) is not None else None
    if table is None:
        raise expected(f"cnn {where}", "the folder of a finished run of baselines", "none", "measure them first", "cnn")
    if missing := {"source", "measure", "layer", "image", "value"} - set(table.columns):
        raise InputError(f"{where / SCORES}.parquet: no column {min(missing)}; measure the baselines again", "cnn")
    found = []
    for source, rows in table.groupby("source", sort=False):
        arrays = {
            str(name): xr.DataArray(own.pivot(index="image", columns="layer", values="value"), dims=("image", "layer"))
            for name, own in rows.groupby("measure", sort=False)
        }
        found += rivals_of(arrays, str(source))
    return found
