"""JPEG through the package simplejpeg, where that is installed: the pixels of Pillow (the same library decodes), in less time.

What Pillow alone knows to do (CMYK, several images in a file) is left to it, and so is what simplejpeg does not take without
a warning: Pillow then decides whether such a file is an image, and says why it is not.
"""

import importlib.util
from functools import cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage

PACKAGE = "simplejpeg"
SCALES = (8, 4, 2)
"""Parts of its size at which a JPEG can be decoded in less time."""


@cache
def turbo_is_installed() -> bool:
    """Whether simplejpeg can be used here."""
    return importlib.util.find_spec(PACKAGE) is not None


def turbo_levels(data: bytes, image: PILImage.Image, least: int | None = None) -> UInt8[np.ndarray, "y x c"] | None:
    """The RGB pixels of a JPEG, or None: it is left to Pillow.

    Args:
        data: the file.
        image: the same as Pillow opened it, with its size checked, and not loaded.
        least: its sides may come out at a half, a quarter or an eighth, down to so many pixels; None: in its size.

    Returns:
        uint8 ``[y, x, 3]``, not turned.
    """
    if image.format != "JPEG" or image.mode not in ("RGB", "L") or not turbo_is_installed():
        return None
    import simplejpeg

    width, height = image.size
    scale = 1 if least is None else next((k for k in SCALES if min(width, height) >= k * least), 1)
    try:
        if tuple(simplejpeg.decode_jpeg_header(data)[:2]) != (height, width):  # what was checked is what is allocated
            return None
        return simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height // scale), min_width=-(-width // scale))
    except ValueError:  # damaged, or with a warning: see above
        return None
