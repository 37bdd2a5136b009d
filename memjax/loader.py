"""Records to padded batches of pixels, through a grain pipeline, in a given and repeatable order.

Decoding and resizing run in threads beside the computation (Pillow releases the GIL while it works) or, with
``workers > 0``, in worker processes. An image that fails is a `Failure` and a row of zeros; it never ends a run.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from memjax.checks import expected
from memjax.datasets.base import Dataset, Failure
from memjax.datasets.content import Content, digest_of_image, stamp_at
from memjax.decoding import ImageError
from memjax.images import Preprocessing, image_levels
from memjax.workers import follow_parent, shielded

AHEAD = 2
"""Batches made ahead of the one in use: bounds the memory, together with a batch's size."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images ready for an encoder, but for `memjax.images.normalise`.

    Attributes:
        positions: rows of the data set's table, int64 ``[b]``; -1 where padded.
        ids: image ids, ``b`` of them; "" where padded.
        pixels: uint8 ``[b, y, x, 3]``; zeros where failed or padded.
        valid: bool ``[b]``: neither failed nor padded.
        turned: bool ``[b]``: turned upright by their EXIF orientation.
        failures: the images of this batch that failed.
        contents: of what each image was read from, ``b`` of them; empty where padded.
    """

    positions: Int[np.ndarray, " b"]
    ids: list[str]
    pixels: UInt8[np.ndarray, "b y x c"]
    valid: Bool[np.ndarray, " b"]
    turned: Bool[np.ndarray, " b"]
    failures: list[Failure]
    contents: list[Content]


class _Prepared(NamedTuple):
    position: int
    image: str
    content: Content
    pixels: np.ndarray | None = None
    turned: bool = False
    failure: tuple[str, str] | None = None


def prepare_image(dataset: Dataset, pre: Preprocessing, position: int) -> _Prepared:
    """One image's pixels, or what went wrong with it."""
    image = str(dataset.table.index[position])
    content = Content("", stamp_at(dataset.records, position))  # before the bytes: a later change is then never missed
    try:
        record = dataset.records[position]
        content = content._replace(digest=digest_of_image(record.data))
        if record.image != image:
            raise ImageError(f"expected the image of {image}, got that of {record.image}", "read")
        return _Prepared(position, image, content, *image_levels(record.data, pre))
    except ImageError as error:
        return _Prepared(position, image, content, failure=(error.stage, str(error)))
    except (OSError, MemoryError) as error:
        return _Prepared(position, image, content, failure=("read", f"{image}: {error or type(error).__name__}"))


def batches(
    dataset: Dataset,
    preprocessing: Preprocessing,
    batch_size: int,
    positions: Int[np.ndarray, " n"] | None = None,
    workers: int = 0,
    threads: int | None = None,
) -> Iterator[Batch]:
    """Batches of ``batch_size`` images; the last is padded.

    Args:
        positions: rows of ``dataset.table`` to read, in this order; None: all of them. A host of many passes its own.
        workers: worker processes; 0 decodes in threads of this process.
        threads: threads of each process that decodes, by default one per core.

    Raises:
        InputError: the batch size or ``workers`` is not usable, a position is out of range, nothing says how pixels are made.
    """
    preprocessing.check_known()
    if batch_size < 1:
        raise expected("batch size", "a positive number", batch_size, argument="batch_size")
    if workers < 0:
        raise expected("workers", "0 or a positive number", workers, argument="workers")
    rows = np.arange(len(dataset)) if positions is None else np.asarray(positions, np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(dataset)):
        raise expected("positions", f"rows 0 to {len(dataset) - 1}", f"{rows.min()} to {rows.max()}")
    return _iterate(dataset, preprocessing, batch_size, rows, workers, threads or os.cpu_count() or 1)


def _iterate(
    dataset: Dataset, pre: Preprocessing, batch_size: int, rows: np.ndarray, workers: int, threads: int
) -> Iterator[Batch]:
    import grain

    images = grain.MapDataset.source(rows.tolist() or [0]).map(functools.partial(prepare_image, dataset, pre))
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, AHEAD * batch_size))
    stream = images.slice(slice(0, len(rows))).to_iter_dataset(read_options=options)
    if workers:
        from absl import flags

        if not flags.FLAGS.is_parsed():  # grain's workers read flags of its own, which only an absl program parses
            flags.FLAGS.mark_as_parsed()
        stream = stream.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=AHEAD * batch_size), follow_parent
        )
    # After the workers, which deal images out among themselves: before them, batches would mix the order.
    stream = stream.batch(batch_size, batch_fn=functools.partial(_assemble, batch_size, pre.image_size))
    return shielded(iter(stream)) if workers else iter(stream)


def _assemble(batch_size: int, image_size: tuple[int, int], prepared: list[_Prepared]) -> Batch:
    batch = Batch(
        np.full(batch_size, -1, np.int64),
        [""] * batch_size,
        np.zeros((batch_size, *image_size, 3), np.uint8),
        np.zeros(batch_size, np.bool_),
        np.zeros(batch_size, np.bool_),
        [],
        [Content("")] * batch_size,
    )
    for row, one in enumerate(prepared):
        batch.positions[row], batch.ids[row], batch.turned[row] = one.position, one.image, one.turned
        batch.contents[row] = one.content
        if one.pixels is not None:
            batch.pixels[row], batch.valid[row] = one.pixels, True
        elif one.failure is not None:
            batch.failures.append(Failure(one.image, *one.failure))
    return batch
