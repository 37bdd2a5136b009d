"""Images through an autoencoder that sees each of them once, streamed: the images that it sees, and those that it scores.

A part is one such epoch with what is scored after it: all images of themselves, and each fold's by an autoencoder that has seen
the others. A finished part is a file, so that a run that was interrupted goes on with the next.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from memjax import devices
from memjax.axes import Levels
from memjax.baselines.autoencoder import ImageAutoencoder
from memjax.baselines.exposure import ExposedScores, begin, expose, latents_of, score_exposed
from memjax.baselines.neighbours import nearest_neighbours
from memjax.checks import InputError
from memjax.datasets import Dataset, Failure
from memjax.loader import Batch, batches
from memjax.pipelines.parts import PartFiles
from memjax.preprocessing import Preprocessing
from memjax.progress import Advance
from memjax.records import list_of

MEASURES = ("pixel_error", "latent_error", "latent_distance")
"""The columns of a part's values."""

IMAGES_PER_DEVICE = 4
READ_AHEAD = 8
"""Images in a batch of the loader while they are shown one by one."""


@dataclass(frozen=True)
class ExposurePart:
    """What an autoencoder sees, and what it scores: rows of the data set's table."""

    name: str
    seen: Int[np.ndarray, " n"]
    scored: Int[np.ndarray, " v"]


@dataclass(frozen=True, eq=False)
class PartScores:
    """What a part gives.

    Attributes:
        positions: rows of the data set's table that could be used.
        values: of each, the `MEASURES`.
        failures: images that could not be used.
    """

    positions: Int[np.ndarray, " v"]
    values: Float[np.ndarray, "v k"]
    failures: Sequence[Failure]


@dataclass(frozen=True, eq=False)
class Exposure:
    """What all parts have in common.

    Attributes:
        dataset: the images.
        start: the weights before the first image.
        rate: the learning rate.
        image_size: rows and columns.
        units: of the latent, whose distances are measured.
        seed: of the order in which images are seen.
    """

    dataset: Dataset
    start: ImageAutoencoder
    rate: float
    image_size: int
    units: Int[np.ndarray, " u"]
    seed: int

    @property
    def preprocessing(self) -> Preprocessing:
        """As published: the shortest edge resized, the centre cut out."""
        return Preprocessing(resize=self.image_size, crop=(self.image_size, self.image_size), resample=2)

    def after(self, seen: Int[np.ndarray, " n"], advance: Advance) -> tuple[ImageAutoencoder, list[Failure]]:
        """The autoencoder that has seen some images once, in the seed's order, and the images that it could not be shown.

        Raises:
            InputError: its weights are no longer finite.
        """
        state, rate, failures = begin(self.start, self.rate), jnp.float32(self.rate), []
        order = np.random.default_rng(self.seed).permutation(seen)
        for batch in batches(self.dataset, self.preprocessing, READ_AHEAD, order):
            for row in np.flatnonzero(batch.valid):
                state = expose(state, batch.pixels[row], rate)
            failures += batch.failures
            jax.block_until_ready(state.loss)  # else steps queue up, each with its image
            advance(int((batch.positions >= 0).sum()))
        if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params)):
            raise InputError(
                f"learning_rate {self.rate:g}: the autoencoder's weights are no longer finite; take a smaller one",
                "learning_rate",
            )
        return state.params, failures

    def passed(self, positions: Int[np.ndarray, " n"], advance: Advance) -> Iterator[tuple[Batch, jax.Array]]:
        """Batches of images, and their grey levels on the devices."""
        mesh = devices.data_mesh()
        for batch in batches(self.dataset, self.preprocessing, IMAGES_PER_DEVICE * mesh.size, positions):
            yield batch, devices.split(batch.pixels, mesh)
            advance(int((batch.positions >= 0).sum()))


Read: TypeAlias = tuple[ImageAutoencoder, Int[Array | np.ndarray, " u"]]
"""An autoencoder, and the units of its latent that are read."""


@functools.cache
def scorer_on(mesh: Mesh) -> Callable[[Read, Levels], ExposedScores]:
    """`memjax.baselines.exposure.score_exposed` over the devices of a mesh."""
    return devices.data_parallel(lambda read, levels: score_exposed(read[0], levels, read[1]), mesh)


@functools.cache
def encoder_on(mesh: Mesh) -> Callable[[Read, Levels], Float[Array, "b u"]]:
    """`memjax.baselines.exposure.latents_of` over the devices of a mesh."""
    return devices.data_parallel(lambda read, levels: latents_of(read[0], levels, read[1]), mesh)


def work_of(part: ExposurePart) -> int:
    """Images that pass through the network, over all steps of a part."""
    return len(part.seen) + len(np.union1d(part.seen, part.scored))


def measure_part(exposure: Exposure, part: ExposurePart, advance: Advance) -> PartScores:
    """Show an autoencoder what a part lets it see, then score.

    Distances are to the nearest of all the part's images, seen or scored.

    Args:
        exposure: what all parts have in common.
        part: seen and scored rows.
        advance: called with the number of images that passed; `work_of` in all.

    Raises:
        InputError: training left the finite numbers.
    """
    params, failures = exposure.after(part.seen, advance)
    mesh = devices.data_mesh()
    read = devices.replicate((params, exposure.units), mesh)
    positions, errors, latents = [], [], []
    for batch, levels in exposure.passed(part.scored, advance):
        found = jax.device_get(scorer_on(mesh)(read, levels))
        errors.append(np.stack([found.pixel_error, found.latent_error], axis=1)[batch.valid])
        latents.append(found.latent[batch.valid])
        positions.append(batch.positions[batch.valid])
        failures += batch.failures
    for batch, levels in exposure.passed(np.setdiff1d(part.seen, part.scored), advance):
        latents.append(np.asarray(encoder_on(mesh)(read, levels))[batch.valid])
        failures += batch.failures
    rows, values = np.concatenate(positions), np.concatenate(errors)
    distance = nearest_neighbours(np.concatenate(latents)).distance[: len(rows)]
    values = np.column_stack([values, distance]).astype(np.float64)
    return PartScores(rows, values, list(dict.fromkeys(failures)))


def read_part(files: PartFiles, part: ExposurePart) -> PartScores | None:
    """A part that was finished; None where it is not there.

    Raises:
        InputError: it is not as it was written.
    """
    found = files.read(part.name)
    if found is None:
        return None
    failures = [Failure(*one) for one in list_of(found["failures"])]
    return PartScores(np.array(found["positions"], np.int64), np.array(found["values"], np.float64), failures)


def write_part(files: PartFiles, part: ExposurePart, scores: PartScores) -> None:
    """Keep a finished part."""
    positions, values = scores.positions.tolist(), scores.values.tolist()
    failures = [list(one) for one in scores.failures]
    files.write(part.name, {"positions": positions, "values": values, "failures": failures})
