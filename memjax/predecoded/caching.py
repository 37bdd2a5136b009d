"""The cache of one extraction: what is there is read from it, what was decoded is added to it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from memjax.checks import InputError, expected, make_folder, unwritable
from memjax.datasets.array_records import is_installed
from memjax.datasets.base import Dataset
from memjax.datasets.content import Content
from memjax.faults import machine_faults_told
from memjax.predecoded.layout import cache_folder, image_bytes, name_digest, short_digest, stamp_digest
from memjax.predecoded.reading import KeptImages, kept_images
from memjax.predecoded.writing import PartWriter, remove_leftovers
from memjax.preprocessing import Preprocessing


@dataclass
class ImageCache:
    """Images that are kept, and the writer of those that come; without both where there is no cache.

    Attributes:
        images: to be read; for `memjax.loader.batches`.
        said: what a user should know, a line each; complete after `image_cache`.
        writer: of those that come.
        damaged: how many images were not as they were written.
    """

    images: KeptImages | None = None
    said: list[str] = field(default_factory=list)
    writer: PartWriter | None = None
    damaged: int = 0

    def add(
        self, row: int, image: str, content: Content, pixels: UInt8[np.ndarray, "y x c"], turned: bool = False
    ) -> None:
        """Keep an image that was decoded; nothing without a cache, and nothing for an opened image, of which no digest tells
        whether it is still the same.

        Raises:
            InputError: it cannot be written.
        """
        if self.writer is None or not content.digest:
            return
        data = pixels.tobytes()
        digests = bytes.fromhex(content.digest), stamp_digest(content.stamp), short_digest(data)
        with _refusals_told(self.writer.folder):
            try:
                self.writer.add((row, name_digest(image), *digests, turned), data)
            except BaseException:
                self.writer.abandon()
                raise


@contextmanager
def _refusals_told(folder: Path) -> Iterator[None]:
    """What the system refuses in a cache's folder, in one line."""
    with machine_faults_told(folder):
        try:
            yield
        except OSError as error:  # a file system without locks among them
            raise unwritable("cache_images", folder, error, "cache_images") from error


@contextmanager
def image_cache(
    root: Path | None, dataset: Dataset, pre: Preprocessing, rows: Int[np.ndarray, " n"]
) -> Iterator[ImageCache]:
    """The cache of a data set's images for a geometry; what was added counts from the end of the block, however that ends.

    Args:
        root: the folder of all caches; None for none.
        dataset: whose images.
        pre: their size, filter, orientation and decoder.
        rows: of the data set, that will be read.

    Raises:
        InputError: the folder cannot be used, or has no room for what is not there yet.
    """
    if root is None:
        yield ImageCache()
        return
    folder = _folder(root, dataset, pre)
    with _refusals_told(folder):
        remove_leftovers(folder)
        images, said = kept_images(folder, dataset, pre.image_size)
    _check_room(folder, len(np.setdiff1d(rows, images.rows)), pre)
    writer = PartWriter(folder)
    cache = ImageCache(images, said, writer)
    try:
        yield cache
    finally:
        with _refusals_told(folder):
            writer.finish()
    if cache.damaged:
        what = "1 image is" if cache.damaged == 1 else f"{cache.damaged} images are"
        said.append(f"{folder}: {what} not as written; decoded again")


def _folder(root: Path, dataset: Dataset, pre: Preprocessing) -> Path:
    if len(root.parts[0] if root.parts else "") > 2 and root.parts[0].endswith(":"):
        raise expected("cache_images", "a folder of this machine", root, argument="cache_images")
    if not is_installed():
        fix = "there is none for Windows: leave cache_images out"
        raise InputError(f"cache_images needs the package array_record; {fix}", "cache_images")
    return make_folder(cache_folder(root.expanduser(), dataset, pre), "cache_images", argument="cache_images")


def _check_room(folder: Path, count: int, pre: Preprocessing) -> None:
    """Refuse a cache that would not fit, before anything is decoded."""
    y, x = pre.image_size
    need, free = count * image_bytes(pre), shutil.disk_usage(folder).free
    if need > free:
        size = f"{count:,} images of {y} x {x} pixels take {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there"
        fix = "make room, choose another folder, or leave it out"
        raise InputError(f"cache_images {folder}: {size}; {fix}", argument="cache_images")
