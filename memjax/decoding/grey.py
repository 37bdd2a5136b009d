"""Grey of more than 8 bits to 8-bit levels, by the range of its values; where that is not known, the image is refused.

Pillow's ``convert`` cuts such values off at 255 and so makes a white sheet of nearly any of them.
"""

import numpy as np
from jaxtyping import Num
from PIL import Image as PILImage

from memjax.decoding.source import ImageError

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2


def is_deep(image: PILImage.Image) -> bool:
    """Whether it is grey of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def check_sign(image: PILImage.Image) -> None:
    """Refuse a TIFF of signed 8- or 16-bit values, whose black and white nobody states (Pillow takes -1 for white).

    Raises:
        ImageError: stage "decode".
    """
    bits = _tag(image, _BITS, 8)
    if _tag(image, _SAMPLE_FORMAT, 1) == _SIGNED and bits < 32:
        raise ImageError(f"signed {bits}-bit values, whose range is not known; save it as unsigned", "decode")


def to_grey_levels(image: PILImage.Image) -> PILImage.Image:
    """Deep grey as an 8-bit grey image; where it has a transparent value, with alpha.

    Raises:
        ImageError: stage "decode": the range of its values is not known.
    """
    values = np.asarray(image)
    top = _top(image, values)
    if image.mode == "F":
        levels = np.rint(values * np.float32(255 / top)).astype(np.uint8)
    else:
        levels = np.rint(np.arange(65536) * (255 / top)).clip(0, 255).astype(np.uint8)[values]
    if _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        levels = 255 - levels
    key = image.info.get("transparency")
    if isinstance(key, int):
        return PILImage.fromarray(np.stack([levels, np.where(values == key, 0, 255).astype(np.uint8)], axis=-1))
    return PILImage.fromarray(levels)


def _top(image: PILImage.Image, values: Num[np.ndarray, "y x"]) -> int:
    """The value that is white."""
    if image.mode.startswith("I;16"):
        return 2 ** min(16, _tag(image, _BITS, 16)) - 1
    if image.format in ("PPM", "PNG") and image.mode == "I":  # brought to 16 bits by Pillow
        return 65535
    if not np.isfinite(values).all():
        raise ImageError("32-bit grey with values that are NaN or infinite", "decode")
    least, most = values.min(), values.max()
    if image.mode == "F" and least >= 0 and most <= 1:
        return 1
    whole = image.mode == "I" or (values == np.rint(values)).all()
    if whole and least >= 0 and most <= (65535 if image.mode == "I" else 255):
        return 255 if most <= 255 else 65535
    known = "0 to 1, or whole numbers to 255" if image.mode == "F" else "0 to 65535"
    raise ImageError(f"32-bit grey from {least:g} to {most:g}, expected {known}; scale it to one of them", "decode")


def _tag(image: PILImage.Image, tag: int, default: int) -> int:
    """A number in a TIFF's tags (the first, of several channels)."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)
