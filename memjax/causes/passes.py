"""Which images are measured, and how they go through a program, batch by batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

import jax
import numpy as np
from jaxtyping import Int

from memjax import devices
from memjax.batching import batch_size
from memjax.causes.settings import CausesSettings
from memjax.causes.units import units_of
from memjax.checks import expected
from memjax.datasets import Dataset
from memjax.halving import Program, fitting_size, measured_batches
from memjax.loader import Batch, batches
from memjax.measure import Values
from memjax.predictor.predicting import Scored
from memjax.progress import ProgressCallback, progress_of, tell
from memjax.selection import working_bytes

Given = TypeVar("Given")
"""What a program computes with."""

Measuring: TypeAlias = Iterator[tuple[Batch, dict[str, np.ndarray]]]
"""Batch after batch, each with its values."""

IMAGES_PER_DEVICE = 2
"""Each is as many passes at once as a block has units."""


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
class Passes:
    """Images of a data set, to go through programs of an encoder.

    Attributes:
        scored: the encoder.
        dataset: the images.
        rows: which of them.
        size: images at once over all devices; None: `IMAGES_PER_DEVICE` on each, fewer where there is no room.
        progress: True for bars, False for none, or a function that is called ``(what, done, total)``.
    """

    scored: Scored
    dataset: Dataset
    rows: Int[np.ndarray, " n"]
    size: int | None
    progress: bool | ProgressCallback

    def through(self, run: Callable[[Given, jax.Array], Values], params: Given, what: str) -> Measuring:
        """Every batch with its values.

        Args:
            run: the program ``(params, grey levels) -> values``.
            params: of it, on the host or a device; they are put on all.
            what: under which it is told.
        """
        encoder, mesh, told = self.scored.encoder, devices.data_mesh(), partial(tell, progress=self.progress)
        on_all = devices.replicate(params, mesh)
        program = Program(run, on_all, mesh, encoder.preprocessing.image_size, encoder.label)
        each = working_bytes(encoder.config, program.image, {}) * len(units_of(encoder.config.heads))
        size = fitting_size(program, batch_size(self.size, mesh, IMAGES_PER_DEVICE, each), told)
        with progress_of(f"{encoder.label}, {what}", len(self.rows), self.progress) as advance:
            stream = batches(self.dataset, encoder.preprocessing, size, self.rows)
            for batch, values in measured_batches(stream, program, size, told):
                yield batch, values
                advance(int((batch.positions >= 0).sum()))
