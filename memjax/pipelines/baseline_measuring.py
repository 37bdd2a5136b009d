"""Every baseline at every layer of one source's vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from memjax.baselines.proxies import PROXIES, ROWS, proxy_of
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.sae_tables import with_rho
from memjax.progress import ProgressCallback, progress_of


@dataclass(frozen=True, eq=False)
class Vectors:
    """One token's layers, or a convolutional network's.

    Attributes:
        token: cls or mean; of a network without tokens empty.
        layers: their coordinates.
        x: of each layer, the vectors of all images.
        images: their ids.
        y: their memorability.
    """

    token: str
    layers: Int[np.ndarray, " l"]
    x: list[Float[np.ndarray, "n _"]]
    images: np.ndarray
    y: Float[np.ndarray, " n"]

    def named(self, measure: str) -> str:
        """A measure's name in tables and store."""
        return f"{measure}_{self.token}" if self.token else measure

    def labelled(self, values: Float[np.ndarray, "n l"], layers: Int[np.ndarray, " l"], name: str) -> xr.DataArray:
        """Values by image and layer."""
        coords = {"image": self.images, "layer": layers, "memorability": ("image", self.y)}
        return xr.DataArray(values, coords, ("image", "layer"), name)


@dataclass(frozen=True, eq=False)
class Measured:
    """Measures of one source.

    Attributes:
        values: token -> name -> that measure of every image, dims ``image, layer``.
        notes: name -> for each layer what the fitted model turned out to be, in words.
    """

    values: Mapping[str, Mapping[str, xr.DataArray]]
    notes: Mapping[str, Sequence[str]]

    @property
    def scores(self) -> dict[str, xr.DataArray]:
        """Of all tokens together, a measure's tokens one after another."""
        names = [name for pairs in zip(*self.values.values(), strict=True) for name in pairs]
        return {name: own[name] for name in names for own in self.values.values() if name in own}


def measure_vectors(
    sources: Sequence[Vectors], settings: BaselineSettings, progress: bool | ProgressCallback
) -> Measured:
    """Every measure that the settings name, of every token."""
    values: dict[str, dict[str, xr.DataArray]] = {vectors.token: {} for vectors in sources}
    notes: dict[str, list[str]] = {}
    for measure in settings.measures:
        for vectors in sources:
            name = vectors.named(measure)
            values[vectors.token][name], notes[name] = _by_layer(vectors, measure, settings, progress)
    return Measured(values, notes)


def _by_layer(
    vectors: Vectors, measure: str, settings: BaselineSettings, progress: bool | ProgressCallback
) -> tuple[xr.DataArray, list[str]]:
    """One measure at every layer, and its notes."""
    row, options, n = PROXIES[measure], settings.options(), len(vectors.y)
    columns, notes, name = [], [], vectors.named(measure)
    with progress_of(name, n * len(vectors.x), progress) as advance:
        for x in vectors.x:
            columns.append(row.function(x, options))
            notes.append(row.note(x, options))
            advance(n)
    return vectors.labelled(np.stack(columns, axis=1), vectors.layers, name), notes


def baseline_table(found: Measured, source: str, n_boot: int) -> pd.DataFrame:
    """One row a measure and layer, with rho, its interval, and what is to be known of it."""
    scores = found.scores
    keys = [(name, source, int(layer)) for name, values in scores.items() for layer in values["layer"].values]
    columns = np.concatenate([values.values for values in scores.values()], axis=1)
    y = next(iter(scores.values()))["memorability"].values
    table = with_rho(pd.DataFrame(keys, columns=["measure", "source", "layer"]), columns, y, n_boot)
    seen = {name for name in scores if ROWS[proxy_of(name)].in_sample}
    return table.assign(
        in_sample=table["measure"].isin(seen), note=[note for name in scores for note in found.notes[name]]
    )
