"""Images in any form that people have them in, to RGB; what would take for ever, or is no image, is one line.

What an image that is not plain RGB becomes is what the processor makes of ``PIL.Image.open(path)``:

- EXIF orientation is *not* applied: the pixels are used as stored;
- palette, grey, CMYK: ``convert("RGB")``; alpha, and transparency in a palette or a colour key: laid over white;
- 16-bit grey: Pillow's ``convert("RGB")``, whatever it is in the installed version;
- an animation is refused (the processor would take its first frame); a phone's multi-picture JPEG (MPO) is not;
- refused too, since a small file of that kind can take hours: a JPEG of very many scans, the text forms of PPM.

Processors that do not convert (``ViTImageProcessor``, ``DeiTImageProcessor``) raise an error on anything but RGB; here
such images are converted in the same way for them too.
"""

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image as PILImage

from memjax.checks import InputError

MAX_PIXELS = 80_000_000
"""Largest image decoded, in pixels (Pillow itself warns from 89 million on): a decompression bomb stops here."""

MAX_BYTES = 256 * 2**20
"""Largest file read, in bytes."""

MAX_SCANS = 100
"""Most scans of a JPEG, as in libtiff. Encoders write about ten; each costs a pass over all pixels, however short."""

PILImage.init()  # registers every plugin: `open` asks for the formats below by name, and fails on one not registered
_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
FORMATS = tuple(name for name in _WANTED if name in PILImage.OPEN)
"""Formats that are opened, told by content, never by extension; those that start other programs (EPS) are left out."""


ImageSource: TypeAlias = str | os.PathLike[str] | bytes | PILImage.Image | np.ndarray
"""One image: a path, a file's bytes, a PIL image, or an array, uint8 ``[y, x]``, ``[y, x, 1]``, ``[y, x, 3]`` (RGB) or
``[y, x, 4]`` (RGBA). An array's values and a PIL image's are taken as they are."""


class ImageError(InputError):
    """An image cannot be used; ``stage`` says where it failed: ``"read"``, ``"decode"`` or ``"resize"``."""

    def __init__(self, message: str, stage: str):
        super().__init__(" ".join(message.split()))
        self.stage = stage

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.stage)


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """An image file's bytes.

    Raises:
        ImageError: stage "read": missing, no regular file, unreadable, or larger than ``max_bytes``.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a folder"
            raise ImageError(f"{path}: expected an image file, got {kind}", "read")
        if status.st_size > max_bytes:
            raise ImageError(f"{path}: {status.st_size} bytes, more than the limit of {max_bytes}", "read")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read: {reason}", "read") from None


def check_form(source: object) -> None:
    """Refuse what is no `ImageSource`, before anything is read.

    Raises:
        ImageError: stage "decode"; says what was expected.
    """
    if isinstance(source, (str, os.PathLike, bytes, PILImage.Image)):
        return
    came = type(source).__name__
    if isinstance(source, np.ndarray):
        came = f"{source.dtype} [{', '.join(map(str, source.shape))}]"
        grey, channels = source.ndim == 2, source.shape[-1] if source.ndim == 3 else 0
        if source.dtype == np.uint8 and source.size and (grey or channels in (1, 3, 4)):
            return
    wanted = "a path, a file's bytes, a PIL image, or a uint8 array [y, x], [y, x, 1], [y, x, 3] or [y, x, 4]"
    raise ImageError(f"expected an image ({wanted}), got {came}", "decode")


def decode(source: ImageSource, max_pixels: int = MAX_PIXELS) -> PILImage.Image:
    """Decode an image to RGB as the processors do (module docstring).

    Args:
        source: an image in any form of `ImageSource`; one image gives the same pixels in each of them.
        max_pixels: images with more pixels are refused before they are decompressed.

    Raises:
        ImageError: stage "read" for the file, "decode" for its contents or form; one line.

    Example:
        >>> decode(np.full((3, 2), 7, np.uint8)).getpixel((0, 0))
        (7, 7, 7)
    """
    check_form(source)
    where = name_of(source)
    with _decoder_errors(where, max_pixels):
        if isinstance(source, np.ndarray):
            channels = source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source
            source = PILImage.fromarray(np.ascontiguousarray(channels))
        if isinstance(source, PILImage.Image):
            _check_opened(source, max_pixels, where)
            return _to_rgb(source)
        data = source if isinstance(source, bytes) else read_bytes(source)
        if not data:
            raise ImageError(f"{where}the file is empty (0 bytes)", "decode")
        with PILImage.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_opened(image, max_pixels, where)
            if image.format in ("JPEG", "MPO"):
                _check_scans(data, where)
            return _to_rgb(image)


def name_of(source: ImageSource) -> str:
    """How messages begin that speak of an image: its path and a colon, or nothing where it has no path."""
    return f"{os.fspath(source)}: " if isinstance(source, (str, os.PathLike)) else ""


@contextlib.contextmanager
def _decoder_errors(where: str, max_pixels: int) -> Iterator[None]:
    """Whatever Pillow raises on damaged data, as an `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except PILImage.UnidentifiedImageError:
        raise ImageError(f"{where}not an image in a known format ({', '.join(FORMATS)})", "decode") from None
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning):
        raise ImageError(f"{where}too many pixels (limit {max_pixels})", "decode") from None
    except Exception as error:  # Pillow's decoders raise nearly every type on damaged data
        raise ImageError(f"{where}cannot be decoded: {error or type(error).__name__}", "decode") from None


def _check_opened(image: PILImage.Image, max_pixels: int, where: str) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"{where}{width} x {height} pixels, more than the limit of {max_pixels}", "decode")
    if getattr(image, "is_animated", False) and image.format != "MPO":  # not `n_frames`: counting may take for ever
        raise ImageError(f"{where}an animation or a stack of images, expected one image", "decode")
    if any(tile[0] == "ppm_plain" for tile in getattr(image, "tile", ())):  # decoded in time square in its comments
        raise ImageError(f"{where}the text form of PPM, expected its binary form (P4 to P6)", "decode")


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A JPEG marker; what may stand among compressed data (stuffed zeros, restarts, fill bytes) is not one."""


def _check_scans(data: bytes, where: str) -> None:
    """Refuse a JPEG whose first image has more than `MAX_SCANS` scans."""
    if data.count(b"\xff\xda") <= MAX_SCANS:  # an upper limit, and fast
        return
    scans, at = 0, 2
    while found := _MARKER.search(data, at):
        kind, at = found[0][1], found.end()
        if kind == 0xD9:  # the end; what follows is another image, or no image
            return
        if kind not in (0x01, 0xD8):  # all others have a length
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
        scans += kind == 0xDA
        if scans > MAX_SCANS:
            raise ImageError(f"{where}a JPEG of more than {MAX_SCANS} scans, which takes too long to decode", "decode")


def _to_rgb(image: PILImage.Image) -> PILImage.Image:
    """RGB with transparency over white: ``transformers.image_transforms.convert_to_rgb``."""
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        rgba = image.convert("RGBA")
        white = PILImage.new("RGBA", rgba.size, (255, 255, 255, 255))
        return PILImage.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
