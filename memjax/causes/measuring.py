"""The images of a data set through an encoder whose parts are taken out."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax import devices
from memjax.batching import batch_size
from memjax.causes.effects import EFFECTS, HEADS, MLPS, SCORE, Filling, compiled_effects, compiled_makings, nothing
from memjax.causes.settings import CausesSettings
from memjax.causes.units import unit_table, units_of
from memjax.datasets import Dataset, Failure
from memjax.halving import Program, fitting_size, measured_batches
from memjax.loader import Batch, batches
from memjax.predictor.predicting import Scored
from memjax.predictor.scoring import scorer_of
from memjax.progress import ProgressCallback, progress_of, tell
from memjax.selection import working_bytes

IMAGES_PER_DEVICE = 2
"""Each is as many passes at once as a block has units."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Of one encoder, over the images that were drawn; NaN for an image that failed.

    Attributes:
        positions: of the images, rows of the data set's table.
        score: what it adds to each image's score.
        effects: what that gains by taking out each unit of each block, see `memjax.causes.effects.block_effects`.
        failures: images that could not be used.
    """

    positions: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    effects: Float[np.ndarray, "n l u"]
    failures: list[Failure]

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
    encoder, mesh, rows = scored.encoder, devices.data_mesh(), sampled_rows(len(dataset), settings)
    filling = nothing(encoder.config.depth)
    if settings.ablation == "mean":
        makings = compiled_makings(scored.reading, mesh, encoder.preprocessing)
        program = Program(
            makings, devices.replicate(encoder.params, mesh), mesh, encoder.preprocessing.image_size, encoder.label
        )
        filling = _means(_Run(program, scored, dataset, rows, size, progress))
    run = compiled_effects(scored.reading, mesh, encoder.preprocessing)
    params = devices.replicate((scorer_of(encoder, scored.weights), filling), mesh)
    program = Program(run, params, mesh, encoder.preprocessing.image_size, encoder.label)
    return _effects(_Run(program, scored, dataset, rows, size, progress))


def sampled_rows(n: int, settings: CausesSettings) -> Int[np.ndarray, " _"]:
    """Which of ``n`` images are used: all, or a sorted random sample.

    Example:
        >>> sampled_rows(3, CausesSettings()).tolist(), len(sampled_rows(1000, CausesSettings(most_images=50)))
        ([0, 1, 2], 50)
    """
    if n <= settings.most_images:
        return np.arange(n)
    return np.sort(np.random.default_rng(settings.seed).choice(n, settings.most_images, replace=False))


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


def _effects(run: _Run) -> Effects:
    config, n = run.scored.encoder.config, len(run.rows)
    score, effects = np.full(n, np.nan), np.full((n, config.depth, len(units_of(config.heads))), np.nan)
    failures: list[Failure] = []
    for batch, values in run.batches("effects"):
        at = np.searchsorted(run.rows, batch.positions[batch.valid])
        score[at], effects[at] = values[SCORE][batch.valid], values[EFFECTS][batch.valid]
        failures += batch.failures
    return Effects(run.rows, score, effects, failures)
