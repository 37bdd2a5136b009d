"""A data set through an encoder into the feature store: one jitted function, streamed, resumable.

The only place that joins images, encoders, metrics and the store.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from memjax import devices, processes
from memjax.axes import Sizes
from memjax.batching import batch_size, images_per_device, power_of_two
from memjax.checks import InputError
from memjax.datasets import Dataset, Failure
from memjax.datasets.content import Content
from memjax.decoding import VERSION
from memjax.encoder import Encoder
from memjax.fast_pixels import packages_of
from memjax.halving import Measured, Program, Tell, fitting_size, measured_batches
from memjax.loader import Batch, batches, into_cache
from memjax.measure import compiled
from memjax.metrics import Metric, metric_identity
from memjax.naming import group_name
from memjax.predecoded import image_cache
from memjax.selection import Selection, check_metrics, variables, working_bytes
from memjax.storage import Place, asked
from memjax.store import DECODING, OWN, Opening, Variable, Writer, known_identity, note_versions, open_writer

CHUNK, SMALL_CHUNK, PARTS = 256, 16, 8
"""Images in a chunk of the store, at most, and of a small data set at least; and how many chunks that has, about."""

CHUNK_BYTES = 2**28
"""Values that are gathered before they are written, in bytes, at most (but for one batch)."""

MEASURING = ("memjax", "jax", "jaxlib", "pillow", "numpy")
"""Packages whose versions a group keeps."""

Progress = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to extract.

    Attributes:
        protocol: ``"native"`` or ``"paper"``, see `memjax.traces.Layout.under`.
        batch_size: images per batch over all devices; None chooses (`memjax.batching`). What does not fit is halved.
        selection: what is kept of every image.
        workers: processes that decode; 0 uses threads.
        cache_images: the folder of decoded images (`memjax.predecoded`); None decodes all.
    """

    protocol: str = "native"
    batch_size: int | None = None
    selection: Selection = dataclasses.field(default_factory=Selection)
    workers: int = 0
    cache_images: Path | None = None


def identity(dataset: Dataset, encoder: Encoder, plan: Plan) -> dict[str, Any]:
    """Everything that makes the numbers what they are, as JSON types."""
    selection = plan.selection
    own = {name: metric_identity(row) for name, row in own_metrics(encoder, selection).items()}
    return {
        "model": encoder.label,
        "revision": encoder.revision,
        "checksum": encoder.checksum,
        "dtype": encoder.dtype,
        "precision": encoder.precision,
        "preprocessing": encoder.preprocessing.to_json(),
        "protocol": plan.protocol,
        "mae_seeds": selection.mae_seeds if encoder.config.decoder else 0,
        DECODING: VERSION,
        "dataset": dataset.name,
        "fingerprint": dataset.info["fingerprint"],
        **({"patch_layers": list(selection.patch_layers)} if selection.patch_layers else {}),
        **({OWN: own} if own else {}),
    }


def own_metrics(encoder: Encoder, selection: Selection) -> dict[str, Metric]:
    """A user's own metrics that this encoder can have."""
    available = selection.available(encoder.config)
    return {name: row for name, row in selection.own().items() if name in available}


def stored_variables(encoder: Encoder, selection: Selection) -> dict[str, Variable]:
    """What an encoder's group of the store holds: axes, and for a metric its title, unit and reference."""
    rows, own = selection.available(encoder.config), own_metrics(encoder, selection)
    found = {}
    for name, sizes in variables(encoder.config, selection, encoder.preprocessing.image_size).items():
        row, attrs = rows.get(name), {}
        if row is not None:
            attrs = {"title": row.title or name, "unit": row.unit, "reference": row.reference}
        if name in own:
            attrs["own"] = metric_identity(own[name])
        found[name] = Variable(sizes, attrs)
    return found


def extract(
    dataset: Dataset,
    encoder: Encoder,
    out: Place,
    plan: Plan | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> list[Failure]:
    """Measure every image, at every layer, into ``out/features.zarr``; goes on where an earlier run stopped.

    What lies in the store is taken as it is: `memjax.store.mend` verifies it before.

    Of several processes (`memjax.processes`), each measures its share of the chunks; all return when all are done.

    Args:
        dataset: images and scores.
        encoder: from `memjax.load`.
        out: the run's folder, or its place in an object store (hold `memjax.storage.locked` around it, in process 0).
        plan: how; the default measures the metrics alone.
        progress: called with the number of images that were added, those of an earlier run first; of several processes,
            those of the others too.
        tell: told, a line each, of batches that did not fit in the devices' memory and were halved, and of images of the cache
            that were damaged.

    Returns:
        The images that could not be used, with the reason; their rows are NaN.

    Raises:
        InputError: a store of another encoder, preprocessing, protocol or data set; no room on the disk, or on
            a device not even for one image.
        memjax.processes.ProcessLostError: another process has died.
    """
    plan = plan or Plan()
    report = progress or (lambda added: None)
    image = encoder.preprocessing.image_size
    check_metrics(encoder.config, encoder.config.layout.under(plan.protocol), plan.selection, image)
    opening = opening_of(dataset, encoder, out, plan)
    writer = shared_writer(opening)
    done = set(writer.done())
    report(writer.images_in(done))
    processes.wait_for_all("done chunks listed")
    index, count = processes.this()
    todo = [c for c in range(writer.chunks) if c not in done][index::count]
    advance = report if count == 1 else watching(writer, writer.images_in(done), report)
    if todo:
        sizes = {name: variable.sizes for name, variable in opening.variables.items()}
        program, told = program_of(encoder, plan), tell or (lambda line: None)
        size = fitting_size(program, default_size(program, encoder, plan, sizes), told)
        pre, rows = encoder.preprocessing, writer.rows(todo)
        with image_cache(plan.cache_images, dataset, pre, rows) as cache:
            stream = into_cache(batches(dataset, pre, size, rows, plan.workers, cache.images), cache)
            write_chunks(writer, todo, measured_batches(stream, program, size, told), advance)
        for line in cache.said:
            told(line)
    processes.wait_for_all("chunks written")
    advance(0)
    return asked(writer.failures, out)


def program_of(encoder: Encoder, plan: Plan) -> Program:
    """What measures an encoder's images, on all devices of this process."""
    mesh, layout = devices.data_mesh(), encoder.config.layout.under(plan.protocol)
    run = compiled(encoder.config, layout, plan.selection, mesh, encoder.preprocessing, encoder.precision)
    params = devices.replicate(encoder.params, mesh)
    return Program(run, params, mesh, encoder.preprocessing.image_size, encoder.label)


def default_size(program: Program, encoder: Encoder, plan: Plan, kept: dict[str, Sizes]) -> int:
    """Images a batch, as asked for or by `memjax.batching`; whether they fit is seen once the program is compiled."""
    each = images_per_device(encoder.config, program.image)
    return batch_size(plan.batch_size, program.mesh, each, working_bytes(encoder.config, program.image, kept))


def watching(writer: Writer, shown: int, report: Progress) -> Progress:
    """Progress over all processes: images of chunks finished by any of them, beyond the ``shown`` ones."""

    def advance(added: int) -> None:
        nonlocal shown
        finished = writer.images_in(writer.done())
        report(finished - shown)
        shown = finished

    return advance


def opening_of(dataset: Dataset, encoder: Encoder, out: Place, plan: Plan) -> Opening:
    """What an encoder's group of the store is opened for."""
    kept = stored_variables(encoder, plan.selection)
    group = group_name(encoder.label)
    chunk = stored_chunk(out, group)
    if chunk is None:
        chunk = images_per_chunk({name: variable.sizes for name, variable in kept.items()}, len(dataset))
    return Opening(out, group, dataset, kept, identity(dataset, encoder, plan), chunk)


def stored_chunk(out: Place, group: str) -> int | None:
    """Images a chunk of a group that was begun before, whatever would be chosen now; None where there is none to go on with."""
    try:
        stored = asked(lambda: known_identity(out, group), out)
    except InputError:
        return None  # it can't be read: opening the group says why
    chunk = None if stored is None else stored.get("chunk")
    return chunk if isinstance(chunk, int) and 0 < chunk <= CHUNK else None


def shared_writer(opening: Opening) -> Writer:
    """`open_writer` by process 0 first: it alone creates the group, the others find it there."""

    def opened() -> Writer:
        return asked(lambda: open_writer(*opening.arguments), opening.root)

    first = opened() if processes.this()[0] == 0 else None
    if first is not None and len(asked(first.done, opening.root)) < first.chunks:
        used = measuring_versions(opening.identity["preprocessing"]["decoder"])
        asked(lambda: note_versions(opening.root, opening.group, used), opening.root)
    processes.wait_for_all("group created")
    return first or opened()


def measuring_versions(decoder: str) -> dict[str, str]:
    """Of the packages that an image's numbers come from."""
    return {name: version(name) for name in (*MEASURING, *packages_of(decoder))}


def images_per_chunk(kept: dict[str, Sizes], images: int) -> int:
    """`CHUNK`; of few images about an eighth of them, so that an interruption loses few; or fewer where their values would not
    fit in `CHUNK_BYTES`. A power of two.

    It depends on nothing that may change when a run is resumed: neither on the batch nor on the devices.

    Args:
        kept: axes of what is kept of an image.
        images: of the data set.
    """
    image = 4 * sum(math.prod(sizes.values()) for sizes in kept.values())
    share = max(SMALL_CHUNK, power_of_two(images // PARTS))
    return min(CHUNK, share, power_of_two(CHUNK_BYTES // image))


@dataclasses.dataclass(frozen=True)
class MeasuredRows:
    """Values of images one after another, which were turned upright, what was read, and those that failed with their place."""

    count: int
    values: dict[str, np.ndarray]
    turned: np.ndarray
    contents: list[Content]
    failures: list[tuple[int, Failure]]

    def split(self, at: int) -> tuple["MeasuredRows", "MeasuredRows"]:
        """The first ``at`` and the rest."""
        before, after = ({name: x[part] for name, x in self.values.items()} for part in (slice(at), slice(at, None)))
        failed = [f for f in self.failures if f[0] < at], [(row - at, f) for row, f in self.failures if row >= at]
        first = MeasuredRows(min(at, self.count), before, self.turned[:at], self.contents[:at], failed[0])
        rest = MeasuredRows(max(0, self.count - at), after, self.turned[at:], self.contents[at:], failed[1])
        return first, rest


def rows_of(batch: Batch, values: dict[str, np.ndarray]) -> MeasuredRows:
    """A batch's values without its padding; NaN where the image failed."""
    there = batch.positions >= 0
    bad = ~batch.valid[there]
    kept = {name: x[there] for name, x in values.items()}  # a copy, since the mask is boolean
    for x in kept.values():
        x[bad] = np.nan
    failed = list(zip(np.flatnonzero(bad).tolist(), batch.failures, strict=True))
    contents = [content for content, row in zip(batch.contents, there, strict=True) if row]
    return MeasuredRows(int(there.sum()), kept, batch.turned[there], contents, failed)


def write_chunks(writer: Writer, todo: list[int], stream: Measured, report: Progress) -> None:
    """Gather the rows of ``stream`` into chunks and write each once; a batch may reach over the end of a chunk."""
    held: list[MeasuredRows] = []
    for chunk in todo:
        span = writer.span(chunk)
        missing = span.stop - span.start - sum(rows.count for rows in held)
        while missing > 0:
            held.append(rows_of(*next(stream)))
            missing -= held[-1].count
            report(held[-1].count)
        held[-1], rest = held[-1].split(held[-1].count + missing)
        values = {name: np.concatenate([rows.values[name] for rows in held]) for name in held[0].values}
        failures = [failure for rows in held for _, failure in rows.failures]
        contents = [content for rows in held for content in rows.contents]
        turned = sum(int(rows.turned.sum()) for rows in held)
        asked(functools.partial(writer.write, chunk, values, failures, turned, contents), writer.root)
        held = [rest]
