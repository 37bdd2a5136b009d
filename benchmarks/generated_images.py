"""Generated images for the benchmarks: smooth noise as JPEG files of a photograph's size, and made when asked for."""

import dataclasses
import io

import numpy as np
from PIL import Image

from memjax.datasets import Dataset
from memjax.datasets.base import Record, make_table


def draw_image(seed: int, width: int, height: int) -> Image.Image:
    """Coarse noise, enlarged, with a little fine noise, so that it compresses about as a photograph does."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    fine = rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    return Image.fromarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))


def jpeg(seed: int, width: int, height: int) -> bytes:
    """One image's file."""
    file = io.BytesIO()
    draw_image(seed, width, height).save(file, "jpeg", quality=90)
    return file.getvalue()


@dataclasses.dataclass(frozen=True)
class Generated:
    """Records that are made when they are read: any number of images, no disk."""

    count: int
    width: int
    height: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Record:
        return Record(name(index), jpeg(index, self.width, self.height))


def name(index: int) -> str:
    return f"{index:08d}.jpg"


def generated(count: int, width: int, height: int) -> Dataset:
    """A data set of generated images; the scores are random numbers."""
    scores = np.random.default_rng(0).random(count)
    info = {
        "citation": "",
        "licence": "generated",
        "source": "benchmarks/generated_images.py",
        "synthetic": True,
        "fingerprint": f"generated {count} {width} {height}",
    }
    return Dataset(
        "generated", make_table([name(i) for i in range(count)], scores), Generated(count, width, height), info
    )
