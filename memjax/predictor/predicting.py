"""Images through the encoders of a predictor, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from memjax import devices
from memjax.batching import batch_size, images_per_device
from memjax.datasets import Failure
from memjax.decoding import ImageError
from memjax.encoder import Encoder
from memjax.halving import Program, fitting_size, measured_batches
from memjax.loader import batches
from memjax.predictor.linear import Weights
from memjax.predictor.scoring import DOMAIN, SCORE, Reading, Scorer, compiled_scorer, scorer_of
from memjax.predictor.sources import Named
from memjax.progress import ProgressCallback, progress_of, tell
from memjax.selection import working_bytes


@dataclass(frozen=True, eq=False)
class Scored:
    """An encoder, how it is read, and the weights of what is read."""

    encoder: Encoder
    reading: Reading
    weights: Weights

    def program(self) -> Program[Scorer]:
        """What scores images, on all devices of this process."""
        mesh, encoder = devices.data_mesh(), self.encoder
        run = compiled_scorer(self.reading, mesh, encoder.preprocessing)
        scorer = devices.replicate(scorer_of(encoder, self.weights), mesh)
        return Program(run, scorer, mesh, encoder.preprocessing.image_size, encoder.label)


@dataclass(frozen=True, eq=False)
class Ready:
    """An encoder whose program is known to fit: made once, and used for any number of images.

    Attributes:
        scored: the encoder.
        program: what scores images.
        at_once: images that the devices get at once.
    """

    scored: Scored
    program: Program[Scorer]
    at_once: int


def make_ready(scored: Scored, size: int | None, progress: bool | ProgressCallback) -> Ready:
    """An encoder's program, and how many images it is given at once.

    Args:
        scored: the encoder.
        size: images at once over all devices; None: what the devices do best.
        progress: where there is a bar, of every halving is told.
    """
    program, config = scored.program(), scored.reading.config
    each, bytes_each = images_per_device(config, program.image), working_bytes(config, program.image, {})

    def told(line: str) -> None:
        tell(line, progress)

    return Ready(scored, program, fitting_size(program, batch_size(size, program.mesh, each, bytes_each), told))


class Found(NamedTuple):
    """Of images, in their order: what the encoders add to their score, and the columns of the domain; NaN where one failed."""

    score: Float[np.ndarray, " n"]
    domain: Float[np.ndarray, "n k"]


def add_up_scores(
    ready: Sequence[Ready],
    named: Named,
    rows: range,
    progress: bool | ProgressCallback,
    failures: list[Failure] | None,
) -> Found:
    """Pass images through some encoders, and add up what each makes of them.

    Args:
        ready: the encoders.
        named: the images.
        rows: which of them, one after another.
        progress: as in `memjax.predictor.Predictor.predict`.
        failures: images that cannot be used are added to it, each once; None: the first is raised.

    Raises:
        memjax.decoding.ImageError: see there.
    """
    total, columns, failed = np.zeros(len(rows)), [], dict[Failure, None]()
    part = "" if len(rows) == len(named.names) else f", images {rows.start + 1:,} to {rows.stop:,}"

    def told(line: str) -> None:
        tell(line, progress)

    for one in ready:
        encoder, at_once = one.scored.encoder, one.at_once
        stream = batches(named.dataset, encoder.preprocessing, at_once, np.array(rows, np.int64))
        found = Found(np.full(len(rows), np.nan), np.full((len(rows), _columns(one.scored)), np.nan))
        with progress_of(f"{encoder.label}{part}", len(rows), progress) as advance:
            for batch, values in measured_batches(stream, one.program, at_once, told):
                if failures is None and batch.failures:
                    raise ImageError(batch.failures[0].error, batch.failures[0].stage)
                failed |= dict.fromkeys(named.called(batch.failures))
                places = batch.positions[batch.valid] - rows.start
                found.score[places], found.domain[places] = values[SCORE][batch.valid], values[DOMAIN][batch.valid]
                advance(int((batch.positions >= 0).sum()))
        total += found.score
        columns.append(found.domain)
    if failures is not None:
        failures += failed
    return Found(total, np.concatenate(columns, axis=1))


def _columns(one: Scored) -> int:
    """Of the domain, that this encoder has."""
    width = one.reading.config.width
    sizes = {"cls": width, "mean": width, "pooled": one.reading.config.pool_width}
    return sum(sizes.get(place.name, 1) for place in one.reading.domain)
