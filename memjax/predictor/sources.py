"""Images to be scored, in the forms that users have them, as records that the loader reads."""

import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from memjax.datasets import Dataset, Failure, open_folder
from memjax.datasets.base import Record, make_table
from memjax.datasets.content import Stamp, stamp_of_file
from memjax.decoding import ImageSource, check_list


@dataclass(frozen=True)
class GivenImages:
    """Images of a list; an image's id is its place."""

    sources: Sequence[ImageSource] | np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Record:
        return Record(str(index), self.sources[index])

    def stamp(self, index: int) -> Stamp | None:
        """Of a file; None of an image in memory."""
        source = self.sources[index]
        return stamp_of_file(source) if isinstance(source, (str, os.PathLike)) else None


@dataclass(frozen=True)
class Named:
    """Images as a data set, and what each is called in a table: what `named_images` gives, and takes as it is."""

    dataset: Dataset
    names: list[str]

    @functools.cached_property
    def _by_id(self) -> dict[str, str]:
        return dict(zip(self.dataset.table.index, self.names, strict=True))

    def called(self, failures: Iterable[Failure]) -> list[Failure]:
        """Failures of the data set's images, by what these are called in a table."""
        return [failure._replace(image=self._by_id[failure.image]) for failure in failures]


Images: TypeAlias = str | os.PathLike[str] | Dataset | Named | Sequence[ImageSource] | np.ndarray
"""A folder (all images in it and below), a data set, or a list of images in any form of `memjax.decoding.ImageSource`."""


def named_images(images: Images) -> Named:
    """Images in any form as a data set.

    Raises:
        InputError: one image instead of a list, no image, or no such folder.

    Example:
        >>> named_images(["a.jpg", np.zeros((8, 8), np.uint8)]).names
        ['a.jpg', 'images[1]']
    """
    if isinstance(images, Named):
        return images
    if isinstance(images, Dataset):
        return Named(images, images.table.index.tolist())
    if isinstance(images, (str, os.PathLike)) and not Path(images).is_file():
        dataset = open_folder(images)
        return Named(dataset, dataset.table.index.tolist())
    check_list(images, "a folder, a data set or a list of images")
    given = images if isinstance(images, np.ndarray) else list(images)
    names = [os.fspath(one) if isinstance(one, (str, os.PathLike)) else f"images[{i}]" for i, one in enumerate(given)]
    table = make_table([str(i) for i in range(len(given))], np.full(len(given), np.nan))
    return Named(Dataset("images", table, GivenImages(given), {"fingerprint": ""}), names)
