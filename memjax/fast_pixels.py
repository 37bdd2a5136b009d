"""Pixels that are nearly those of `memjax.images`, in a fraction of the time: the decoder ``"fast"``.

Two things differ from the exact way. A JPEG whose shorter side has at least four times the pixels asked for is decoded at a
half, a quarter or an eighth of its size, never below twice what is asked for. The resize is that of fast_image_resize (the
package cykooz-resizer): Pillow's filters with coefficients of 16 bits, in vector instructions, of the crop alone. Neither
reads files: what is refused, and the bounds on an image's size, are those of `memjax.decoding`.
"""

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from memjax.checks import InputError
from memjax.decoding import Decoded, turbo_is_installed
from memjax.preprocessing import Decoder, Preprocessing

if TYPE_CHECKING:
    import cykooz_resizer

PACKAGES = ("simplejpeg", "cykooz-resizer")
"""What `fast_resize_crop` and decoding for it need."""
OVERSAMPLED = 2
"""A JPEG decoded smaller keeps at least so many times the pixels a side that the resize asks for."""
FILTERS = {1: "lanczos3", 2: "bilinear", 3: "catmull_rom"}
"""Pillow's filter -> its name there; an image with any other is resized by Pillow."""


def check_fast_installed() -> None:
    """Refuse the decoder ``"fast"`` where its packages are missing.

    Raises:
        InputError: naming them.
    """
    if not turbo_is_installed() or importlib.util.find_spec("cykooz_resizer") is None:
        fix = "pip install 'memjax[fast]', or decode exactly"
        raise InputError(f"decoder 'fast' needs the packages {' and '.join(PACKAGES)}; {fix}", "decoder", "exact")


def packages_of(decoder: Decoder) -> tuple[str, ...]:
    """The packages, beside Pillow, that a decoder's pixels come from."""
    return PACKAGES if decoder == "fast" else ()


def suits(pre: Preprocessing) -> bool:
    """Whether images are made here; other filters, and images that are not resized, are Pillow's."""
    return pre.decoder == "fast" and pre.resize is not None and pre.resample in FILTERS


def least_side(pre: Preprocessing) -> int | None:
    """What `memjax.decoding.decode_upright` may decode a JPEG down to; None where nothing is resized."""
    if pre.resize is None:
        return None
    return OVERSAMPLED * (max(pre.resize) if isinstance(pre.resize, tuple) else pre.resize)


def fast_resize_crop(found: Decoded, pre: Preprocessing) -> UInt8[np.ndarray, "y x c"] | None:
    """Resize and centre-crop in one step; None where that cannot be done (a crop larger than the image).

    Args:
        found: from `memjax.decoding.decode_upright`, with `least_side`.
        pre: its sizes and filter, which `suits` takes.

    Returns:
        uint8 ``[y, x, 3]`` grey levels.
    """
    whole = pre.resized(found.size[1], found.size[0])
    crop = pre.crop or whole
    if crop[0] > whole[0] or crop[1] > whole[1]:
        return None
    import cykooz_resizer as resizer

    height, width = found.levels.shape[:2]
    y, x = height / whole[0], width / whole[1]
    top, left = pre.corner(*whole)
    box = resizer.CropBox(left * x, top * y, crop[1] * x, crop[0] * y)
    made = resizer.ImageData(crop[1], crop[0], resizer.PixelType.U8x3)
    given = resizer.ImageData(width, height, resizer.PixelType.U8x3, found.levels.tobytes())
    options = resizer.ResizeOptions(resize_alg=_filter(pre.resample), crop_box=box, use_alpha=False)
    resizer.Resizer().resize(given, made, options)
    return np.frombuffer(made.get_buffer(), np.uint8).reshape(*crop, 3)


@cache
def _filter(resample: int) -> "cykooz_resizer.ResizeAlg":
    import cykooz_resizer

    return cykooz_resizer.ResizeAlg.convolution(getattr(cykooz_resizer.FilterType, FILTERS[resample]))
