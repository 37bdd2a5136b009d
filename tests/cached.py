"""A data set and its reading through a cache of decoded images, for the tests of the cache."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.generated_images import draw_image
from memjax import images
from memjax.datasets import Dataset, array_records, open_folder
from memjax.loader import Batch, batches, into_cache
from memjax.predecoded import ImageCache, image_cache, layout
from memjax.preprocessing import Preprocessing

needs_array_record = pytest.mark.skipif(not array_records.is_installed(), reason="array_record is not installed")
PRE = Preprocessing(resize=20, crop=(16, 16))
N = 9
BROKEN = "4.jpg"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Nine JPEG files, one of them turned by its EXIF, one broken."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(N):
        exif = Image.Exif()
        exif[0x112] = 6 if i == 2 else 1
        draw_image(i, 40 + i, 30).save(folder / f"{i}.jpg", exif=exif)
    (folder / BROKEN).write_bytes(b"nothing")
    rows = ["image,memorability", *(f"{i}.jpg,{i / N}" for i in range(N))]
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return open_folder(folder, tmp_path / "scores.csv")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every image that is decoded."""
    calls: list[int] = []
    real = images.decode_upright

    def counted(*args, **named):
        calls.append(1)
        return real(*args, **named)

    monkeypatch.setattr(images, "decode_upright", counted)
    return calls


def read(
    dataset: Dataset, root: Path | None, pre: Preprocessing = PRE, rows: list[int] | None = None, workers: int = 0
) -> tuple[list[Batch], ImageCache]:
    """All batches of a data set, through a cache."""
    chosen = np.array(range(len(dataset)) if rows is None else rows, np.int64)
    with image_cache(root, dataset, pre, chosen) as cache:
        found = list(into_cache(batches(dataset, pre, 4, chosen, workers, cache.images), cache))
    return found, cache


def essence(found: list[Batch]) -> list[object]:
    """What a run makes of batches."""
    return [
        (b.ids, b.pixels.tobytes(), b.valid.tolist(), b.turned.tolist(), b.failures, b.contents, b.positions.tolist())
        for b in found
    ]


def files(root: Path, ending: str) -> list[Path]:
    return sorted(root.glob(f"*/*{ending}"))


def spoil_pixels_of(root: Path) -> None:
    """Of a larger image: the file's middle."""
    (file,) = files(root, layout.RECORDS)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)
