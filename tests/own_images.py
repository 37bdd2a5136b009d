"""One's own images for the tests of `open_table`: the same few in every form, and in the data sets of other libraries."""

from pathlib import Path

import numpy as np
from PIL import Image

from memjax.datasets import Dataset
from memjax.loader import batches
from memjax.preprocessing import Preprocessing
from tests.miniatures import pixels, write_image

N = 5
SCORES = [0.5, 0.25, 0.75, 1.0, 0.0]
PRE = Preprocessing(resize=(8, 8), crop=None)


def levels(dataset: Dataset, **options: int) -> list[np.ndarray]:
    """What an encoder gets of each image."""
    found = list(batches(dataset, PRE, 2, **options))
    assert not [failure for batch in found for failure in batch.failures]
    return [row for batch in found for row in batch.pixels[batch.valid]]


def files_in(folder: Path) -> list[Path]:
    """`N` PNG files."""
    paths = [folder / f"{i}.png" for i in range(N)]
    for i, path in enumerate(paths):
        write_image(path, seed=i)
    return paths


def forms(files: list[Path]) -> dict[str, list]:
    """The same images in every form that a column may have."""
    images = [Image.fromarray(pixels(i)) for i in range(N)]
    return {
        "text": [str(path) for path in files],
        "paths": files,
        "bytes": [path.read_bytes() for path in files],
        "in memory": images,
        "arrays": [np.asarray(image) for image in images],
        "stored": [{"bytes": path.read_bytes(), "path": None} for path in files],
    }


class Pairs:
    """A data set in the style of torch: (image, score)."""

    def __init__(self, images: list, scores: list | None):
        self.images, self.scores = images, scores

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> object:
        return self.images[index] if self.scores is None else (self.images[index], self.scores[index])


class Columns:
    """A data set in the style of Hugging Face: columns by name, rows by number."""

    def __init__(self, **columns: list):
        self.columns = columns
        self.rows_read: list[int] = []

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: int | str) -> object:
        if isinstance(key, str):
            assert key != "image", "the column of images as a whole would hold them all"
            return self.columns[key]
        self.rows_read.append(key)
        return {name: values[key] for name, values in self.columns.items()}
