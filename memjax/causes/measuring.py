"""The images of a data set through an encoder whose parts are taken out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax import devices
from memjax.batching import batch_size
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
from memjax.causes.settings import CausesSettings
from memjax.causes.units import unit_table, units_of
from memjax.checks import expected
from memjax.datasets import Dataset, Failure
from memjax.halving import Program, fitting_size, measured_batches
from memjax.loader import Batch, batches
from memjax.metrics import Metric
from memjax.predictor.predicting import Scored
from memjax.predictor.scoring import Reading, scorer_of
from memjax.progress import ProgressCallback, progress_of, tell
from memjax.selection import working_bytes

IMAGES_PER_DEVICE = 2
"""Each is as many passes at once as a block has units."""


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
    encoder, mesh = scored.encoder, devices.data_mesh()
    donors, rows = drawn_rows(len(dataset), settings)
    filling = nothing(encoder.config.depth)
    if settings.ablation != "zero":
        makings = compiled_makings(scored.reading, mesh, encoder.preprocessing)
        program = Program(
            makings, devices.replicate(encoder.params, mesh), mesh, encoder.preprocessing.image_size, encoder.label
        )
        if settings.ablation == "mean":
            filling = _means(_Run(program, scored, dataset, rows, size, progress))
        else:
            filling = _of_donors(_Run(program, scored, dataset, donors, size, progress))
    measured = settings.measured()
    run = compiled_effects(_with_metrics(scored.reading, measured), mesh, encoder.preprocessing, tuple(measured))
    params = devices.replicate((scorer_of(encoder, scored.weights), filling), mesh)
    program = Program(run, params, mesh, encoder.preprocessing.image_size, encoder.label)
    return _effects(_Run(program, scored, dataset, rows, size, progress), tuple(measured))


def _with_metrics(reading: Reading, metrics: Mapping[str, Metric]) -> Reading:
    """The same, with metrics made beside what it reads."""
    selection = reading.selection
    both = dict(selection.metrics) | dict(metrics)
    return replace(reading, selection=replace(selection, metrics=tuple(both.items())))


def sampled_rows(n: int, settings: CausesSettings) -> Int[np.ndarray, " _"]:
    """Which of ``n`` images are used: all, or a sorted random sample.

    Example:
        >>> sampled_rows(3, CausesSettings()).tolist(), len(sampled_rows(1000, CausesSettings(most_images=50)))
        ([0, 1, 2], 50)
    """
    if n <= settings.most_images:
        return np.arange(n)
    return np.sort(np.random.default_rng(settings.seed).choice(n, settings.most_images, replace=False))


def drawn_rows(n: int, settings: CausesSettings) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Images whose values stand in (none, but with ``resample``), and those that are measured; both sorted.

    Raises:
        InputError: too few images for both.

    Example:
        >>> donors, rows = drawn_rows(10, CausesSettings(ablation="resample", donors=3))
        >>> len(donors), len(rows), set(donors) & set(rows)
        (3, 7, set())
    """
    rows = sampled_rows(n, settings)
    if settings.ablation != "resample":
        return rows[:0], rows
    if len(rows) < settings.donors + 2:
        raise expected("images", f"{settings.donors + 2} or more with {settings.donors} donors", n, argument="images")
    donors = np.sort(np.random.default_rng((settings.seed, 1)).choice(rows, settings.donors, replace=False))
    return donors, np.setdiff1d(rows, donors)


@dataclass(frozen=True)
class _Run:
    """A program over the images of a data set."""

    program: Program
    scored: Scored
    dataset: Dataset
    rows: Int[np.ndarray, " n"]
    size: int | None
    progress: bool | ProgressCallback

    def batches(self, what: str) -> Iterator[tuple[Batch, dict[str, np.ndarray]]]:
        """Every batch with its values, told under a name."""

        def told(line: str) -> None:
            tell(line, self.progress)

        encoder, program = self.scored.encoder, self.program
        each = working_bytes(encoder.config, program.image, {}) * len(units_of(encoder.config.heads))
        size = fitting_size(program, batch_size(self.size, program.mesh, IMAGES_PER_DEVICE, each), told)
        with progress_of(f"{encoder.label}, {what}", len(self.rows), self.progress) as advance:
            stream = batches(self.dataset, encoder.preprocessing, size, self.rows)
            for batch, values in measured_batches(stream, program, size, told):
                yield batch, values
                advance(int((batch.positions >= 0).sum()))


def _means(run: _Run) -> Filling:
    """What heads and MLPs make on average, in float64 until the end."""
    sums, count = {HEADS: np.zeros(()), MLPS: np.zeros(())}, 0
    for batch, values in run.batches("means"):
        count += int(batch.valid.sum())
        for name in sums:
            sums[name] = sums[name] + values[name][batch.valid].sum(axis=0, dtype=np.float64)
    if not count:
        return nothing(run.scored.encoder.config.depth)
    return Filling(*(jnp.asarray(sums[name] / count, jnp.float32) for name in (HEADS, MLPS)))


def _of_donors(run: _Run) -> Filling:
    """What heads and MLPs make of each donor."""
    made = [{name: values[name][batch.valid] for name in (HEADS, MLPS)} for batch, values in run.batches("donors")]
    heads, mlps = (np.concatenate([one[name] for one in made]) for name in (HEADS, MLPS))
    if not len(heads):
        raise expected("donors", "images that can be used", "none", argument="images")
    return Filling(jnp.asarray(heads), jnp.asarray(mlps))


def _effects(run: _Run, measured: tuple[str, ...]) -> Effects:
    config, n = run.scored.encoder.config, len(run.rows)
    score, effects = np.full(n, np.nan), np.full((n, config.depth, len(units_of(config.heads))), np.nan)
    failures: list[Failure] = []
    changes = Changes(measured) if measured else None
    for batch, values in run.batches("effects"):
        at = np.searchsorted(run.rows, batch.positions[batch.valid])
        score[at], effects[at] = values[SCORE][batch.valid], values[EFFECTS][batch.valid]
        if changes is not None:
            changes.plain.add(values[PLAIN][batch.valid])
            changes.changes.add(values[CHANGES][batch.valid])
        failures += batch.failures
    return Effects(run.rows, score, effects, failures, changes)
