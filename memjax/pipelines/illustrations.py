"""Images of a data set for a page: small ones, and where an encoder looks."""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from PIL.Image import Image

from memjax.datasets import Dataset
from memjax.encoder import Encoder, trace
from memjax.images import ImageError, ImageSource, decode, normalise, resize_crop
from memjax.preprocessing import Orientation
from memjax.report.attention import Looked

THUMBNAIL = 320
"""Longest side of an image in the report, in pixels."""


def find_image(dataset: Dataset, name: str, orientation: Orientation) -> Image:
    """An image of the data set by its id, decoded. Raises `ImageError`."""
    return decode(dataset.records[dataset.table.index.get_loc(name)].data, orient=orientation == "exif")


def thumbnails(dataset: Dataset, ids: list[str], orientation: Orientation = "exif") -> dict[str, bytes]:
    """Small JPEGs of some images; those that can't be read are left out (they are in failures.csv)."""
    place = dataset.table.index.get_loc
    found = {name: small_image(dataset.records[place(name)].data, orientation == "exif") for name in ids}
    return {name: data for name, data in found.items() if data is not None}


def small_image(source: ImageSource, orient: bool = True) -> bytes | None:
    """A JPEG of at most `THUMBNAIL` pixels a side; None of an image that cannot be read.

    Args:
        source: the image.
        orient: turn it as its EXIF orientation says.
    """
    try:
        image = decode(source, orient=orient)
    except ImageError:
        return None
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def attention_maps(dataset: Dataset, encoders: Sequence[Encoder]) -> dict[str, list[Looked]]:
    """Where encoders look in the most and the least memorable image; one whose attention is not finite is left out.

    Args:
        dataset: whose images; one that can't be read is left out.
        encoders: one or several.
    """
    order = dataset.table["memorability"].sort_values().index
    found: dict[str, list[Looked]] = {}
    for name in dict.fromkeys([order[-1], order[0]]):
        for encoder in encoders:
            try:
                image = find_image(dataset, name, encoder.preprocessing.orientation)
                pixels = resize_crop(image, encoder.preprocessing)
            except ImageError:
                continue
            maps = cls_attention(encoder, normalise(pixels, encoder.preprocessing))
            if np.isfinite(maps).all():
                found.setdefault(name, []).append(Looked(encoder.label, pixels, maps))
    return found


def cls_attention(encoder: Encoder, pixels: Float[np.ndarray, "y x c"]) -> Float[np.ndarray, "l gy gx"]:
    """Attention to the patches at each block, by rows and columns: heads averaged, of cls (or of all queries)."""
    layout, patch = encoder.config.layout, encoder.config.patch
    attention = np.asarray(trace(encoder, pixels[None]).attention[0]).mean(axis=1)
    rows = attention[:, 0] if layout.cls else attention.mean(axis=1)
    return rows[:, layout.prefix :].reshape(-1, pixels.shape[0] // patch, pixels.shape[1] // patch)
