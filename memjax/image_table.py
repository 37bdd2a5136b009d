"""images.parquet: the images of a run with their scores, and what else its data set knows of them that later steps need."""

import io
from pathlib import Path

import pandas as pd

from memjax.checks import InputError
from memjax.datasets import Dataset
from memjax.datasets.base import SPLIT_SCORES, SPLITS
from memjax.storage import Place, asked

IMAGES = "images.parquet"

ABOUT_IMAGES = ("category", "subcategory", "duplicates", *SPLITS, *SPLIT_SCORES)
"""Columns of a data set's table that go with its scores into it."""


def write_images(dataset: Dataset, folder: Path) -> None:
    """images.parquet: columns ``image, memorability`` and what is known of `ABOUT_IMAGES`, in the order of the store; ids as
    text, to be read column by column."""
    known = [name for name in ABOUT_IMAGES if name in dataset.table]
    dataset.table[["memorability", *known]].to_parquet(folder / IMAGES)


def read_images_table(folder: Place, images: pd.Index) -> pd.DataFrame:
    """What `write_images` wrote, a row for each of some images in their order; without columns where there is no such file.

    Raises:
        InputError: it cannot be read.
    """
    file = folder / IMAGES
    if not file.is_file():
        return pd.DataFrame(index=images)
    try:
        found = pd.read_parquet(io.BytesIO(asked(file.read_bytes, file)))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a whole table ({error}); run the same sweep again") from error
    return (found.set_index("image") if "image" in found else found).reindex(images)
