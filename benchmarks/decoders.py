"""Ways from a JPEG's bytes to an encoder's grey levels: Pillow's, memjax's, other libraries' decoders before Pillow's resize."""

import dataclasses
import functools
import io
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from memjax.datasets.base import Dataset, Record, make_table
from memjax.datasets.content import Content, digest_of_image
from memjax.decoding import turbo
from memjax.images import image_levels, resize_crop
from memjax.loader import batches, into_cache
from memjax.predecoded import image_cache
from memjax.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class Way:
    """A function of a file's bytes, which gives uint8 ``[y, x, 3]``."""

    name: str
    run: Callable[[bytes], np.ndarray]


OTHERS: dict[str, tuple[str, Callable[[bytes], np.ndarray]]] = {
    "imagecodecs": ("imagecodecs", lambda data: _imagecodecs(data)),
    "OpenCV": ("cv2", lambda data: _opencv(data)),
    "pyvips": ("pyvips", lambda data: _pyvips(data)),
}
"""Library -> its module, and its decoder to RGB."""


def ways(files: list[bytes], pre: Preprocessing) -> list[Way]:
    """All that can run here, Pillow's first."""
    found = [
        Way("Pillow", functools.partial(_without_simplejpeg, pre=pre)),
        Way("Pillow, draft to twice the size", functools.partial(_draft, pre=pre, least=2)),
        Way("Pillow, draft to the size", functools.partial(_draft, pre=pre, least=1)),
    ]
    if find_spec("simplejpeg"):
        found.append(Way("simplejpeg (exact)", lambda data: image_levels(data, pre).pixels))
        if find_spec("cykooz_resizer"):
            fast = dataclasses.replace(pre, decoder="fast")
            found.append(Way("fast", lambda data: image_levels(data, fast).pixels))
    for name, (module, decode) in OTHERS.items():
        if find_spec(module):
            found.append(Way(name, lambda data, decode=decode: resize_crop(Image.fromarray(decode(data)), pre)))
    if find_spec("array_record"):
        found.append(Way("from the cache of decoded images", _cached(files, pre)))
    return found


def missing() -> list[str]:
    """Libraries that are not here."""
    ours = {"simplejpeg": "simplejpeg", "cykooz-resizer": "cykooz_resizer", "array_record": "array_record"}
    modules = ours | {name: module for name, (module, _) in OTHERS.items()}
    return [name for name, module in modules.items() if not find_spec(module)]


def _without_simplejpeg(data: bytes, pre: Preprocessing) -> np.ndarray:
    with patch.object(turbo, "turbo_is_installed", lambda: False):
        return image_levels(data, pre).pixels


def _draft(data: bytes, pre: Preprocessing, least: int) -> np.ndarray:
    """Pillow's draft mode alone, without the checks of `memjax.decoding`: the most that it can give."""
    with Image.open(io.BytesIO(data)) as image:
        y, x = pre.resized(image.height, image.width)
        image.draft("RGB", (least * x, least * y))
        return resize_crop(image.convert("RGB"), pre)


def _imagecodecs(data: bytes) -> np.ndarray:
    import imagecodecs  # pyrefly: ignore[missing-import] (in no environment of the project)

    return imagecodecs.jpeg8_decode(data)


def _opencv(data: bytes) -> np.ndarray:
    import cv2  # pyrefly: ignore[missing-import]

    cv2.setNumThreads(1)
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def _pyvips(data: bytes) -> np.ndarray:
    import pyvips  # pyrefly: ignore[missing-import]

    return pyvips.Image.new_from_buffer(data, "").numpy()


@dataclasses.dataclass(frozen=True)
class _Files:
    """Records of files in memory."""

    files: list[bytes]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Record:
        return Record(str(index), self.files[index])


def _cached(files: list[bytes], pre: Preprocessing) -> Callable[[bytes], np.ndarray]:
    """Reading from a cache that was just filled; the files' contents are compared each time."""
    ids = [str(i) for i in range(len(files))]
    dataset = Dataset("files", make_table(ids, np.zeros(len(files))), _Files(files), {"fingerprint": "files"})
    folder, rows = tempfile.TemporaryDirectory(), np.arange(len(files))
    for _ in range(2):
        with image_cache(Path(folder.name), dataset, pre, rows) as cache:
            for _batch in into_cache(batches(dataset, pre, 32, cached=cache.images), cache):
                pass
    places, images = {digest_of_image(data): row for row, data in enumerate(files)}, cache.images
    assert images is not None

    def read(data: bytes, kept: tempfile.TemporaryDirectory = folder) -> np.ndarray:
        digest = digest_of_image(data)
        found = images.get(places[digest], Content(digest))
        pixels = None if found is None else found.pixels
        assert pixels is not None, "it was just written"
        return pixels

    return read
