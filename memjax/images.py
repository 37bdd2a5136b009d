"""Images to pixels, bit-exact with the PIL image processors of Hugging Face transformers (NumPy and Pillow only).

The order is the processors' own: decode, turn upright, convert to RGB (`memjax.decoding`), resize (Pillow, uint8), centre
crop (zeros where the image is too small), rescale, normalise. Layout is ``[y, x, c]``, RGB.

DINOv3's processor exists for torchvision only, where it resizes in float32: we resize in uint8 as for the others, which
differs by rounding.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as PILImage

from memjax.checks import check_kind
from memjax.decoding import (
    MAX_PIXELS,
    ImageError,
    ImageSource,
    check_list,
    decode,
    decode_upright,
    name_of,
    read_bytes,
)
from memjax.fast_pixels import check_fast_installed, fast_resize_crop, least_side, suits
from memjax.preprocessing import Preprocessing, normalise_table, preprocessing_from_config

__all__ = [
    "ImageError",
    "ImageLevels",
    "ImageSource",
    "Preprocessing",
    "decode",
    "image_levels",
    "normalise",
    "preprocessing_from_config",
    "read_bytes",
    "read_image",
    "read_images",
    "resize_crop",
]


def resize_crop(image: PILImage.Image, pre: Preprocessing) -> UInt8[np.ndarray, "y x c"]:
    """Resize and centre-crop an RGB image.

    Returns:
        uint8 ``[y, x, 3]`` grey levels.

    Raises:
        ImageError: stage "resize": the image is so thin that its resized form passes `MAX_PIXELS`.
    """
    width, height = image.size
    if pre.resize is not None:
        y, x = _bounded(pre, height, width)
        image = image.resize((x, y), resample=PILImage.Resampling(pre.resample))
    pixels = np.asarray(image)
    return pixels if pre.crop is None else _center_crop(pixels, *pre.crop, pre)


def _bounded(pre: Preprocessing, height: int, width: int) -> tuple[int, int]:
    """The resized size, before anything of it is allocated."""
    y, x = pre.resized(height, width)
    if y * x > MAX_PIXELS:
        raise ImageError(f"{width} x {height} pixels would be resized to {x} x {y}, more than the limit", "resize")
    return y, x


def _center_crop(pixels: UInt8[np.ndarray, "_ _ c"], y: int, x: int, pre: Preprocessing) -> UInt8[np.ndarray, "y x c"]:
    height, width, channels = pixels.shape
    if y <= height and x <= width:
        top, left = pre.corner(height, width)
        return pixels[top : top + y, left : left + x]
    # Too small in one direction: padded with zeros, the odd row or column before the image.
    padded = np.zeros((max(y, height), max(x, width), channels), np.uint8)
    top, left = -((height - padded.shape[0]) // 2), -((width - padded.shape[1]) // 2)
    padded[top : top + height, left : left + width] = pixels
    top, left = (height - y) // 2 + top, (width - x) // 2 + left
    return padded[max(0, top) : top + y, max(0, left) : left + x]


def normalise(pixels: UInt8[np.ndarray, "... c"], pre: Preprocessing) -> Float[np.ndarray, "... c"]:
    """Rescale and normalise: uint8 ``[..., 3]`` to float32 ``[..., 3]``, equal bit for bit to the processors.

    Example:
        >>> normalise(np.full((1, 1, 3), 255, np.uint8), Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)).tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    return normalise_table(pre)[pixels, np.arange(3)]


def read_image(source: ImageSource, pre: Preprocessing) -> Float[np.ndarray, "y x c"]:
    """One image as an encoder takes it: float32 ``[y, x, 3]``.

    Args:
        source: see `ImageSource`.
        pre: how its pixels are made, e.g. ``encoder.preprocessing``.

    Raises:
        ImageError: it cannot be read, decoded or resized; names the path, if it has one.
        InputError: nothing says how pixels are made.
    """
    pre.check_known()
    if pre.decoder == "fast":
        check_fast_installed()
    try:
        return normalise(image_levels(source, pre).pixels, pre)
    except ImageError as error:
        named = name_of(source) if error.stage == "resize" else ""
        raise ImageError(f"{named}{error}", error.stage) from None


class ImageLevels(NamedTuple):
    """An image before `normalise`: uint8 ``[y, x, 3]``, and whether its EXIF orientation turned it."""

    pixels: UInt8[np.ndarray, "y x c"]
    turned: bool


def image_levels(source: ImageSource, pre: Preprocessing) -> ImageLevels:
    """One image decoded, resized and cropped, by the decoder that ``pre`` names.

    Raises:
        ImageError: it cannot be decoded or resized.

    Example:
        >>> image_levels(np.zeros((20, 30), np.uint8), Preprocessing(resize=8, crop=(8, 8))).pixels.shape
        (8, 8, 3)
    """
    orient = pre.orientation == "exif"
    if not suits(pre):
        found = decode_upright(source, orient=orient)
        return ImageLevels(resize_crop(found.image, pre), found.turned)
    found = decode_upright(source, orient=orient, least=least_side(pre))
    _bounded(pre, found.size[1], found.size[0])
    fast = fast_resize_crop(found, pre)
    return image_levels(source, replace(pre, decoder="exact")) if fast is None else ImageLevels(fast, found.turned)


def read_images(images: Sequence[ImageSource] | np.ndarray, pre: Preprocessing) -> Float[np.ndarray, "b y x c"]:
    """Images as one batch: float32 ``[b, y, x, 3]``, in their order.

    Args:
        images: a list of images, each in any form of `ImageSource`; or uint8 ``[b, y, x, c]``.
        pre: how their pixels are made, e.g. ``encoder.preprocessing``.

    Raises:
        InputError: one image is given instead of a list, or none, or no preprocessing.
        ImageError: at the first that cannot be used; names its path, or else its place in the list.

    Example:
        >>> grey = [np.zeros((20, 30), np.uint8), PILImage.new("L", (30, 20))]
        >>> read_images(grey, Preprocessing(resize=(8, 8), crop=None)).shape
        (2, 8, 8, 3)
    """
    check_kind(pre, Preprocessing, "pre", "how pixels are made", "write encoder.preprocessing")
    check_list(images, "a list of images")
    batch = np.empty((len(images), *pre.image_size, 3), np.float32)
    for place, source in enumerate(images):
        try:
            batch[place] = read_image(source, pre)
        except ImageError as error:
            where = "" if isinstance(source, (str, os.PathLike)) else f"images[{place}]: "
            raise ImageError(f"{where}{error}", error.stage) from None
    return batch
