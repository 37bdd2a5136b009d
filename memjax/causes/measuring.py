"""The images of a data set through an encoder whose parts are taken out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax import devices
from memjax.causes.effects import (
    CHANGES,
    EFFECTS,
    HEADS,
    MLPS,
    PLAIN,
    SCORE,
    Filling,
    compiled_effects,
    compiled_makings,
    nothing,
)
from memjax.causes.moments import CellMoments
from memjax.causes.passes import Measuring, Passes, drawn_rows
from memjax.causes.settings import CausesSettings
from memjax.causes.units import unit_table, units_of
from memjax.checks import expected
from memjax.datasets import Dataset, Failure
from memjax.metrics import Metric
from memjax.predictor.predicting import Scored
from memjax.predictor.scoring import Reading, scorer_of
from memjax.progress import ProgressCallback


@dataclass(frozen=True, eq=False)
class Changes:
    """Of metrics, over images.

    Attributes:
        names: of the metrics, ``m``.
        plain: of their values in the encoder as it is, ``[m, l+1]``.
        changes: of what each unit's loss adds to them, ``[l, u, m, l+1]``.
    """

    names: tuple[str, ...]
    plain: CellMoments = field(default_factory=CellMoments)
    changes: CellMoments = field(default_factory=CellMoments)


@dataclass(frozen=True, eq=False)
class Effects:
    """Of one encoder, over the images that were drawn; NaN for an image that failed.

    Attributes:
        positions: of the images, rows of the data set's table.
        score: what it adds to each image's score.
        effects: what that gains by taking out each unit of each block, see `memjax.causes.effects.block_effects`.
        failures: images that could not be used.
        metrics: what happens to metrics; None where none were asked for.
    """

    positions: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    effects: Float[np.ndarray, "n l u"]
    failures: list[Failure]
    metrics: Changes | None = None

    def units(self) -> pd.DataFrame:
        """Which unit each effect is of, see `memjax.causes.units.unit_table`."""
        depth, count = self.effects.shape[1:]
        return unit_table(depth, count - len(units_of(0)))


def measure_effects(
    scored: Scored,
    dataset: Dataset,
    settings: CausesSettings,
    size: int | None = None,
    progress: bool | ProgressCallback = False,
) -> Effects:
    """Take out each unit of each block, for every image.

    Args:
        scored: an encoder, how it is read, and the weights of what is read.
        dataset: the images.
        settings: what stands in for a unit, and how many images are drawn.
        size: images at once over all devices; None: `IMAGES_PER_DEVICE` on each, fewer where there is no room.
        progress: True for bars, False for none, or a function that is called ``(what, done, total)``.

    Raises:
        InputError: no image can be used, or there is no room for one on each device.
    """
    encoder, mesh, measured = scored.encoder, devices.data_mesh(), settings.measured()
    donors, rows = drawn_rows(len(dataset), settings)
    images = Passes(scored, dataset, rows, size, progress)
    filling = nothing(encoder.config.depth)
    if settings.ablation == "mean":
        filling = _means(images)
    elif settings.ablation == "resample":
        filling = _of_donors(replace(images, rows=donors))
    run = compiled_effects(_with_metrics(scored.reading, measured), mesh, encoder.preprocessing, tuple(measured))
    given = (scorer_of(encoder, scored.weights), filling)
    return _effects(images, images.through(run, given, "effects"), tuple(measured))


def _with_metrics(reading: Reading, metrics: Mapping[str, Metric]) -> Reading:
    """The same, with metrics made beside what it reads."""
    selection = reading.selection
    both = dict(selection.metrics) | dict(metrics)
    return replace(reading, selection=replace(selection, metrics=tuple(both.items())))


def _makings(images: Passes, what: str) -> Measuring:
    """What heads and MLPs make of every batch."""
    encoder = images.scored.encoder
    run = compiled_makings(images.scored.reading, devices.data_mesh(), encoder.preprocessing)
    return images.through(run, encoder.params, what)


def _means(images: Passes) -> Filling:
    """What heads and MLPs make on average, in float64 until the end."""
    sums, count = {HEADS: np.zeros(()), MLPS: np.zeros(())}, 0
    for batch, values in _makings(images, "means"):
        count += int(batch.valid.sum())
        for name in sums:
            sums[name] = sums[name] + values[name][batch.valid].sum(axis=0, dtype=np.float64)
    if not count:
        return nothing(images.scored.encoder.config.depth)
    return Filling(*(jnp.asarray(sums[name] / count, jnp.float32) for name in (HEADS, MLPS)))


def _of_donors(images: Passes) -> Filling:
    """What heads and MLPs make of each donor."""
    made = [{name: values[name][batch.valid] for name in (HEADS, MLPS)} for batch, values in _makings(images, "donors")]
    heads, mlps = (np.concatenate([one[name] for one in made]) for name in (HEADS, MLPS))
    if not len(heads):
        raise expected("donors", "images that can be used", "none", argument="images")
    return Filling(jnp.asarray(heads), jnp.asarray(mlps))


def _effects(images: Passes, measuring: Measuring, measured: tuple[str, ...]) -> Effects:
    config, n = images.scored.encoder.config, len(images.rows)
    score, effects = np.full(n, np.nan), np.full((n, config.depth, len(units_of(config.heads))), np.nan)
    failures: list[Failure] = []
    changes = Changes(measured) if measured else None
    for batch, values in measuring:
        at = np.searchsorted(images.rows, batch.positions[batch.valid])
        score[at], effects[at] = values[SCORE][batch.valid], values[EFFECTS][batch.valid]
        if changes is not None:
            changes.plain.add(values[PLAIN][batch.valid])
            changes.changes.add(values[CHANGES][batch.valid])
        failures += batch.failures
    return Effects(images.rows, score, effects, failures, changes)
