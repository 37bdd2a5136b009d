"""Records to padded batches of pixels, through a grain pipeline, in a given and repeatable order.

Decoding and resizing run in threads beside the computation (Pillow releases the GIL while it works) or, with
``workers > 0``, in worker processes. An image that fails is a `Failure` and a row of zeros; it never ends a run.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from memjax.checks import expected
from memjax.datasets.base import Dataset, Failure
from memjax.datasets.content import Content, digest_of_image, stamp_at
from memjax.decoding import ImageError
from memjax.images import Preprocessing, image_levels
from memjax.predecoded import ImageCache, KeptImages
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
        fresh: bool ``[b]``: decoded now, and not read from a cache.
        damaged: images that were decoded because a cache's were not as written.
        contents: of what each image was read from, ``b`` of them; empty where padded.
    """

    positions: Int[np.ndarray, " b"]
    ids: list[str]
    pixels: UInt8[np.ndarray, "b y x c"]
    valid: Bool[np.ndarray, " b"]
    turned: Bool[np.ndarray, " b"]
    failures: list[Failure]
    contents: list[Content]
    fresh: Bool[np.ndarray, " b"]
    damaged: int


class _Prepared(NamedTuple):
    position: int
    image: str
    content: Content
    pixels: np.ndarray | None = None
    turned: bool = False
    failure: tuple[str, str] | None = None
    fresh: bool = False
    damaged: bool = False


def prepare_image(dataset: Dataset, pre: Preprocessing, cached: KeptImages | None, position: int) -> _Prepared:
    """One image's pixels, or what went wrong with it."""
    image = str(dataset.table.index[position])
    content = Content("", stamp_at(dataset.records, position))  # before the bytes: a later change is then never missed
    kept = None if cached is None else cached.get(position, content)
    try:
        if kept is None or kept.pixels is None:
            record = dataset.records[position]
            content = content._replace(digest=digest_of_image(record.data))
            if record.image != image:
                raise ImageError(f"expected the image of {image}, got that of {record.image}", "read")
            kept = kept if kept is not None or cached is None else cached.get(position, content)
            if kept is None or kept.pixels is None:
                made = image_levels(record.data, pre)
                return _Prepared(position, image, content, *made, fresh=True, damaged=kept is not None)
        return _Prepared(position, image, content._replace(digest=kept.digest), kept.pixels, kept.turned)
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
    cached: KeptImages | None = None,
) -> Iterator[Batch]:
    """Batches of ``batch_size`` images; the last is padded.

    Args:
        positions: rows of ``dataset.table`` to read, in this order; None: all of them. A host of many passes its own.
        workers: worker processes; 0 decodes in threads of this process. Each process has one thread a core.
        cached: images that need not be decoded (`memjax.predecoded.image_cache`).

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
    prepare = functools.partial(prepare_image, dataset, preprocessing, cached)
    return _iterate(prepare, preprocessing.image_size, batch_size, rows, workers)


def into_cache(stream: Iterator[Batch], cache: ImageCache) -> Iterator[Batch]:
    """The same batches; what was decoded for them is added to the cache before they are handed on."""
    for batch in stream:
        cache.damaged += batch.damaged
        for row in np.flatnonzero(batch.fresh):
            position, turned = int(batch.positions[row]), bool(batch.turned[row])
            cache.add(position, batch.ids[row], batch.contents[row], batch.pixels[row], turned)
        yield batch


def _iterate(
    prepare: Callable[[int], _Prepared], image_size: tuple[int, int], batch_size: int, rows: np.ndarray, workers: int
) -> Iterator[Batch]:
    import grain

    threads = os.cpu_count() or 1
    images = grain.MapDataset.source(rows.tolist() or [0]).map(prepare)
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
    stream = stream.batch(batch_size, batch_fn=functools.partial(_assemble, batch_size, image_size))
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
        np.zeros(batch_size, np.bool_),
        sum(one.damaged for one in prepared),
    )
    for row, one in enumerate(prepared):
        batch.positions[row], batch.ids[row], batch.turned[row] = one.position, one.image, one.turned
        batch.contents[row], batch.fresh[row] = one.content, one.fresh
        if one.pixels is not None:
            batch.pixels[row], batch.valid[row] = one.pixels, True
        elif one.failure is not None:
            batch.failures.append(Failure(one.image, *one.failure))
    return batch
