"""One image to RGB: opened, checked, decoded, turned upright, its transparency laid over white."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PILImage

from memjax.decoding.formats import FORMATS, what_it_is
from memjax.decoding.grey import check_sign, is_deep, to_grey_levels
from memjax.decoding.orientation import SIDEWAYS, orientation_of, turn
from memjax.decoding.ppm import scaled_ppm
from memjax.decoding.source import ImageError, ImageSource, check_form, name_of, read_bytes
from memjax.decoding.turbo import turbo_levels
from memjax.decoding.work import Metered, check_data, check_size

MAX_PIXELS = 80_000_000
"""Largest image decoded, in pixels (Pillow itself warns from 89 million on): a decompression bomb stops here."""


@dataclass(frozen=True)
class Decoded:
    """An RGB image.

    Attributes:
        made: the image as its decoder gave it, turned; `image` and `levels` are its two forms.
        size: ``(x, y)``; of a JPEG that was decoded smaller (``least``), its own.
        turned: whether its EXIF orientation turned it.
    """

    made: PILImage.Image | UInt8[np.ndarray, "y x c"]
    size: tuple[int, int]
    turned: bool

    @property
    def image(self) -> PILImage.Image:
        """For Pillow."""
        return PILImage.fromarray(self.made) if isinstance(self.made, np.ndarray) else self.made

    @property
    def levels(self) -> UInt8[np.ndarray, "y x c"]:
        """uint8 ``[y, x, 3]``."""
        return self.made if isinstance(self.made, np.ndarray) else np.asarray(self.made)


def decode(source: ImageSource, max_pixels: int = MAX_PIXELS, orient: bool = True) -> PILImage.Image:
    """Decode an image to RGB as `memjax.decoding` says.

    Args:
        source: an image in any form of `ImageSource`; one image gives the same pixels in each of them.
        max_pixels: images with more pixels are refused before they are decompressed.
        orient: apply the EXIF orientation; without it the pixels are as ``PIL.Image.open`` gives them.

    Raises:
        ImageError: stage "read" for the file, "decode" for its contents or form; one line.

    Example:
        >>> decode(np.full((3, 2), 7, np.uint8)).getpixel((0, 0))
        (7, 7, 7)
    """
    check_form(source)
    return decode_upright(source, max_pixels, orient).image


def decode_upright(
    source: ImageSource, max_pixels: int = MAX_PIXELS, orient: bool = True, least: int | None = None
) -> Decoded:
    """`decode`, which also says whether the image was turned.

    With ``least`` a large JPEG may come out at a half, a quarter or an eighth of its size, its sides down to so many pixels
    (`memjax.decoding.turbo`).
    """
    check_form(source)
    where = name_of(source)
    with _decoder_errors(where, max_pixels):
        if isinstance(source, np.ndarray):
            channels = source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source
            source = PILImage.fromarray(np.ascontiguousarray(channels))
        if isinstance(source, PILImage.Image):
            _check_opened(source, max_pixels)
            return _decoded(source, orient)
        data = source if isinstance(source, bytes) else read_bytes(source)
        if not data:
            raise ImageError("the file is empty (0 bytes)", "decode")
        check_data(data)
        with _opened(data) as image:
            check_size(data, image)
            _check_opened(image, max_pixels)
            levels = turbo_levels(data, image, least)
            if levels is not None:
                return _turned(levels, image, orient)
            return _decoded(scaled_ppm(data, image) or image, orient)


def _turned(levels: UInt8[np.ndarray, "y x c"], image: PILImage.Image, orient: bool) -> Decoded:
    """A JPEG that was decoded beside Pillow, which has read its EXIF."""
    orientation = orientation_of(image) if orient else 1
    if orientation == 1:
        return Decoded(levels, image.size, False)
    size = image.size[::-1] if orientation in SIDEWAYS else image.size
    return Decoded(turn(PILImage.fromarray(levels), orientation), size, True)


def _opened(data: bytes) -> PILImage.Image:
    try:
        return PILImage.open(Metered(data), formats=FORMATS)
    except PILImage.UnidentifiedImageError:
        what = what_it_is(data)
        told = (
            f"not an image in a known format but {what}"
            if what
            else f"not an image in a known format ({', '.join(FORMATS)})"
        )
        raise ImageError(told, "decode") from None


def _decoded(image: PILImage.Image, orient: bool) -> Decoded:
    by_pillow = orientation_of(image) if image.format == "TIFF" else 1  # Pillow turns a TIFF while it loads
    image.load()
    orientation = orientation_of(image) if orient and image.format != "TIFF" else 1
    check_sign(image)
    rgb = _to_rgb(to_grey_levels(image) if is_deep(image) else image)
    upright = turn(rgb, orientation)
    return Decoded(upright, upright.size, max(by_pillow, orientation) > 1)


@contextlib.contextmanager
def _decoder_errors(where: str, max_pixels: int) -> Iterator[None]:
    """Whatever Pillow raises on damaged data, as an `ImageError`."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{'' if error.stage == 'read' else where}{error}", error.stage) from None
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning):
        raise ImageError(f"{where}too many pixels (limit {max_pixels})", "decode") from None
    except Exception as error:  # Pillow's decoders raise nearly every type on damaged data
        raise ImageError(f"{where}cannot be decoded: {error or type(error).__name__}", "decode") from None


def _check_opened(image: PILImage.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"{width} x {height} pixels, more than the limit of {max_pixels}", "decode")
    if getattr(image, "is_animated", False) and image.format != "MPO":  # not `n_frames`: counting may take for ever
        raise ImageError("an animation or a stack of images, expected one image", "decode")
    if any(tile[0] == "ppm_plain" for tile in getattr(image, "tile", ())):  # decoded in time square in its comments
        raise ImageError("the text form of PPM, expected its binary form (P4 to P6)", "decode")


def _to_rgb(image: PILImage.Image) -> PILImage.Image:
    """RGB with transparency over white: ``transformers.image_transforms.convert_to_rgb``."""
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        rgba = image.convert("RGBA")
        white = PILImage.new("RGBA", rgba.size, (255, 255, 255, 255))
        return PILImage.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
