"""A data set through an encoder into the feature store: one jitted function, streamed, resumable.

The only place that joins pictures, encoders, metrics and the store.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from memjax import devices
from memjax.datasets import Dataset, Failure
from memjax.encoder import Encoder
from memjax.images import normalise
from memjax.loader import Batch, batches
from memjax.measure import MAE_SEEDS, compiled, pictures_a_device, variables
from memjax.store import Writer, group_name, open_writer

CHUNK = 256
"""Images in a chunk of the store, about; a whole number of batches."""

Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to extract.

    Attributes:
        protocol: ``"native"`` or ``"paper"``, see `memjax.traces.Layout.under`.
        batch_size: pictures a batch over all devices; None chooses.
        tokens: token vectors to keep beside the metrics: ``"cls"``, ``"mean"``.
        workers: processes that decode; 0 uses threads.
    """

    protocol: str = "native"
    batch_size: int | None = None
    tokens: tuple[str, ...] = ()
    workers: int = 0


def label(encoder: Encoder) -> str:
    """The name an encoder goes by in tables: its hub id, or its folder's name."""
    return Path(encoder.name).resolve().name if encoder.revision == "local" else encoder.name


def identity(dataset: Dataset, encoder: Encoder, plan: Plan) -> dict[str, Any]:
    """Everything that makes the numbers what they are, as JSON types."""
    return {
        "model": label(encoder),
        "revision": encoder.revision,
        "checksum": encoder.checksum,
        "dtype": encoder.dtype,
        "preprocessing": encoder.preprocessing.to_json(),
        "protocol": plan.protocol,
        "mae_seeds": MAE_SEEDS if encoder.config.decoder else 0,
        "dataset": dataset.name,
        "fingerprint": dataset.info["fingerprint"],
    }


def extract(
    dataset: Dataset, encoder: Encoder, out: Path, plan: Plan | None = None, progress: Progress | None = None
) -> list[Failure]:
    """Measure every picture, at every layer, into ``out/features.zarr``; goes on where an earlier run stopped.

    Args:
        dataset: pictures and scores.
        encoder: from `memjax.load`.
        out: the run's folder (hold `memjax.store.locked` around it).
        plan: how; the default measures the metrics alone.
        progress: called with the number of pictures that were added, those of an earlier run first.

    Returns:
        The pictures that could not be used, with the reason; their rows are NaN.

    Raises:
        InputError: a store of another encoder, preprocessing, protocol or data set; no room on the disk.
    """
    plan = plan or Plan()
    report = progress or (lambda added: None)
    mesh = devices.data_mesh()
    size = batch_size(plan, mesh.size, pictures_a_device(encoder))
    chunk = max(1, CHUNK // size) * size
    shapes = variables(encoder.config, plan.tokens)
    writer = open_writer(
        out, group_name(label(encoder)), dataset.table, shapes, identity(dataset, encoder, plan), chunk
    )
    done = set(writer.done())
    report(sum(writer.span(c).stop - writer.span(c).start for c in done))
    todo = [c for c in range(writer.chunks) if c not in done]
    if todo:
        rows = np.concatenate([np.arange(writer.images)[writer.span(c)] for c in todo])
        stream = batches(dataset, encoder.preprocessing, size, rows, plan.workers)
        write_chunks(writer, todo, measured(stream, encoder, plan, mesh), report)
    return writer.failures()


def batch_size(plan: Plan, count: int, each: int) -> int:
    """The batch over all ``count`` devices: as asked, rounded up to a multiple of them; by default ``each`` a device."""
    wanted = each * count if plan.batch_size is None else plan.batch_size
    return -(-wanted // count) * count


Measured = Iterator[tuple[Batch, dict[str, np.ndarray]]]


def measured(stream: Iterator[Batch], encoder: Encoder, plan: Plan, mesh: Any) -> Measured:
    """Each batch with its values, one batch behind the devices, so that decoding and writing overlap with them."""
    layout = encoder.config.layout.under(plan.protocol)
    run = compiled(encoder.config, layout, plan.tokens, mesh)
    params = devices.replicate(encoder.params, mesh)
    ahead: tuple[Batch, dict[str, Any]] | None = None
    for batch in stream:
        pixels = devices.split(normalise(batch.pixels, encoder.preprocessing), mesh)
        started = (batch, run(params, pixels))
        if ahead is not None:
            yield ahead[0], {name: np.asarray(x) for name, x in ahead[1].items()}
        ahead = started
    if ahead is not None:
        yield ahead[0], {name: np.asarray(x) for name, x in ahead[1].items()}


def write_chunks(writer: Writer, todo: list[int], stream: Measured, report: Progress) -> None:
    """Gather batches into chunks (a chunk is a whole number of batches, but for the last) and write each once."""
    for chunk in todo:
        span = writer.span(chunk)
        count = span.stop - span.start
        gathered: list[dict[str, np.ndarray]] = []
        failures: list[Failure] = []
        filled = 0
        while filled < count:
            batch, values = next(stream)
            there = batch.positions >= 0
            bad = ~batch.valid[there]
            kept = {name: x[there] for name, x in values.items()}  # a copy, since the mask is boolean
            for x in kept.values():
                x[bad] = np.nan
            gathered.append(kept)
            failures += batch.failures
            filled += int(there.sum())
            report(int(there.sum()))
        assert filled == count, "a chunk is a whole number of batches"
        writer.write(chunk, {name: np.concatenate([g[name] for g in gathered]) for name in gathered[0]}, failures)
