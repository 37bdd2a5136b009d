"""Low-level statistics of a data set's images, as controls: contrast, colourfulness, edge density.

They are taken of the whole image, resized to one size (its proportions not kept): edge density depends on the number of
pixels, and published images differ in it.
"""

import os
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from memjax.checks import check_folder, expected
from memjax.datasets import Dataset, Failure
from memjax.datasets.base import make_table
from memjax.datasets.folder import FolderRecords
from memjax.datasets.listing import image_names
from memjax.datasets.paths import ImageFolder
from memjax.loader import batches
from memjax.metrics.lowlevel import LOWLEVEL, lowlevel
from memjax.paper.inputs import ImageStatistics
from memjax.preprocessing import Preprocessing

SIZE, BATCH = 256, 32
"""Height and width in pixels; images per batch."""

FRAME = Preprocessing(resize=(SIZE, SIZE), crop=None, resample=3, rescale=None, mean=None, std=None)


def image_statistics(dataset: Dataset, images: pd.Index) -> ImageStatistics:
    """The statistics of each of ``images`` that is in the data set.

    Returns:
        Index ``images``, a column for each of `LOWLEVEL`, NaN where there is no usable image; and why.
    """
    measured = jax.jit(jax.vmap(lowlevel))
    values = np.full((len(images), len(LOWLEVEL)), np.nan)
    place = images.get_indexer(dataset.table.index)
    failures = list(dataset.rejected)
    missing = images.difference([*dataset.table.index, *(failure.image for failure in failures)])
    failures += [Failure(str(name), "read", f"{name}: no image in data set {dataset.name}") for name in missing]
    for batch in batches(dataset, FRAME, BATCH, np.flatnonzero(place >= 0)):
        found = measured(batch.pixels)
        columns = np.stack([np.asarray(found[name], np.float64) for name in LOWLEVEL], axis=1)
        values[place[batch.positions[batch.valid]]] = columns[batch.valid]
        failures += batch.failures
    return ImageStatistics(pd.DataFrame(values, index=images, columns=list(LOWLEVEL)), failures)


def images_of(folder: Path, scores: pd.Series) -> Dataset:
    """The images below a folder whose path below it, or else file name, is an image id of ``scores``.

    Raises:
        InputError: no such folder, no image of any id, two of one.
    """
    folder = check_folder(folder, "images", "the folder with the images that have scores", argument="images")
    found: dict[str, str] = {}
    unreadable: list[Failure] = []
    for path in image_names(folder, unreadable):
        image = path if path in scores.index else os.path.basename(path)
        if image not in scores.index:
            continue
        if image in found:
            raise expected(f"images {folder}", f"one image of {image}", f"{found[image]} and {path}", argument="images")
        found[image] = path
    if not found:
        raise expected(f"images {folder}", "the images that have scores", "none", argument="images")
    images = [image for image in scores.index if image in found]
    records = FolderRecords(ImageFolder(folder), tuple(found[image] for image in images), tuple(images))
    info = {"citation": "", "licence": "", "source": str(folder), "synthetic": False, "fingerprint": ""}
    return Dataset("folder", make_table(images, scores[images].to_numpy()), records, info, None, unreadable)
