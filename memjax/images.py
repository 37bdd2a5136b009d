"""Pictures to pixels, bit-exact with the PIL image processors of Hugging Face transformers (NumPy and Pillow only).

The order is the processors' own: decode, convert to RGB, resize (Pillow, uint8), centre crop (zeros where the picture
is too small), rescale, normalise. Layout is ``[y, x, c]``, RGB.

What a picture that is not plain RGB becomes is what the processor makes of ``PIL.Image.open(path)``:

- EXIF orientation is *not* applied: the pixels are used as stored;
- palette, grey, CMYK: ``convert("RGB")``; alpha, and transparency in a palette or a colour key: laid over white;
- 16-bit grey: Pillow's ``convert("RGB")``, whatever it is in the installed version;
- an animation is refused (the processor would take its first frame); a phone's multi-picture JPEG (MPO) is not;
- refused too, since a small file of that kind can take hours: a JPEG of very many scans, the text forms of PPM.

Processors that do not convert (``ViTImageProcessor``, ``DeiTImageProcessor``) raise an error on anything but RGB; here
such pictures are converted in the same way for them too. DINOv3's processor exists for torchvision only, where it
resizes in float32: we resize in uint8 as for the others, which differs by rounding.
"""

import io
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as PILImage

from memjax.checks import InputError
from memjax.preprocessing import Preprocessing, normalise_table, preprocessing_from_config

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "ImageError",
    "Preprocessing",
    "decode",
    "normalise",
    "preprocessing_from_config",
    "read_bytes",
    "read_image",
    "read_images",
    "resize_crop",
]

MAX_PIXELS = 80_000_000
"""Largest picture decoded, in pixels (Pillow itself warns from 89 million on): a decompression bomb stops here."""

MAX_BYTES = 256 * 2**20
"""Largest file read, in bytes."""

MAX_SCANS = 100
"""Most scans of a JPEG, as in libtiff. Encoders write about ten; each costs a pass over all pixels, however short."""

PILImage.init()  # registers every plugin: `open` asks for the formats below by name, and fails on one not registered
_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
FORMATS = tuple(name for name in _WANTED if name in PILImage.OPEN)
"""Formats that are opened, told by content, never by extension; those that start other programs (EPS) are left out."""


class ImageError(InputError):
    """A picture cannot be used; ``stage`` says where it failed: ``"read"``, ``"decode"`` or ``"resize"``."""

    def __init__(self, message: str, stage: str):
        super().__init__(" ".join(message.split()))
        self.stage = stage

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.stage)


def read_bytes(path: str | Path, max_bytes: int = MAX_BYTES) -> bytes:
    """A picture file's bytes.

    Raises:
        ImageError: stage "read": missing, no regular file, unreadable, or larger than ``max_bytes``.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a folder"
            raise ImageError(f"{path}: expected a picture file, got {kind}", "read")
        if status.st_size > max_bytes:
            raise ImageError(f"{path}: {status.st_size} bytes, more than the limit of {max_bytes}", "read")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read: {reason}", "read") from None


def decode(source: bytes | str | Path, max_pixels: int = MAX_PIXELS) -> PILImage.Image:
    """Decode a picture to RGB as the processors do (module docstring).

    Args:
        source: the file's bytes, or its path.
        max_pixels: pictures with more pixels are refused before they are decompressed.

    Raises:
        ImageError: stage "read" for the file, "decode" for its contents; one line.

    Example:
        >>> import io
        >>> file = io.BytesIO(); PILImage.new("L", (3, 2), 7).save(file, "png")
        >>> decode(file.getvalue()).getpixel((0, 0))
        (7, 7, 7)
    """
    where = "" if isinstance(source, bytes) else f"{source}: "
    data = source if isinstance(source, bytes) else read_bytes(source)
    if not data:
        raise ImageError(f"{where}the file is empty (0 bytes)", "decode")
    try:
        with PILImage.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_opened(image, max_pixels, where)
            if image.format in ("JPEG", "MPO"):
                _check_scans(data, where)
            return _to_rgb(image)
    except ImageError:
        raise
    except PILImage.UnidentifiedImageError:
        raise ImageError(f"{where}not a picture in a known format ({', '.join(FORMATS)})", "decode") from None
    except (PILImage.DecompressionBombError, PILImage.DecompressionBombWarning):
        raise ImageError(f"{where}too many pixels (limit {max_pixels})", "decode") from None
    except Exception as error:  # Pillow's decoders raise nearly every type on damaged data
        raise ImageError(f"{where}cannot be decoded: {error or type(error).__name__}", "decode") from None


def _check_opened(image: PILImage.Image, max_pixels: int, where: str) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"{where}{width} x {height} pixels, more than the limit of {max_pixels}", "decode")
    if getattr(image, "is_animated", False) and image.format != "MPO":  # not `n_frames`: counting may take for ever
        raise ImageError(f"{where}an animation or a stack of pictures, expected one picture", "decode")
    if any(tile[0] == "ppm_plain" for tile in getattr(image, "tile", ())):  # decoded in time square in its comments
        raise ImageError(f"{where}the text form of PPM, expected its binary form (P4 to P6)", "decode")


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A JPEG marker; what may stand among compressed data (stuffed zeros, restarts, fill bytes) is not one."""


def _check_scans(data: bytes, where: str) -> None:
    """Refuse a JPEG whose first picture has more than `MAX_SCANS` scans."""
    if data.count(b"\xff\xda") <= MAX_SCANS:  # an upper limit, and fast
        return
    scans, at = 0, 2
    while found := _MARKER.search(data, at):
        kind, at = found[0][1], found.end()
        if kind == 0xD9:  # the end; what follows is another picture, or no picture
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


def resize_crop(image: PILImage.Image, pre: Preprocessing) -> UInt8[np.ndarray, "y x c"]:
    """Resize and centre-crop an RGB picture.

    Returns:
        uint8 ``[y, x, 3]`` grey levels.

    Raises:
        ImageError: stage "resize": the picture is so thin that its resized form passes `MAX_PIXELS`.
    """
    width, height = image.size
    if pre.resize is not None:
        y, x = pre.resize if isinstance(pre.resize, tuple) else _shortest_edge(height, width, pre.resize)
        if y * x > MAX_PIXELS:
            raise ImageError(f"{width} x {height} pixels would be resized to {x} x {y}, more than the limit", "resize")
        image = image.resize((x, y), resample=PILImage.Resampling(pre.resample))
    pixels = np.asarray(image)
    return pixels if pre.crop is None else _center_crop(pixels, *pre.crop)


def _shortest_edge(height: int, width: int, short: int) -> tuple[int, int]:
    """The long edge is truncated, not rounded, as in torchvision."""
    if width <= height:
        return int(short * height / width), short
    return short, int(short * width / height)


def _center_crop(pixels: UInt8[np.ndarray, "_ _ c"], y: int, x: int) -> UInt8[np.ndarray, "y x c"]:
    height, width, channels = pixels.shape
    if y <= height and x <= width:
        top, left = (height - y) // 2, (width - x) // 2
        return pixels[top : top + y, left : left + x]
    # Too small in one direction: padded with zeros, the odd row or column before the picture.
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


def read_image(path: str | Path, pre: Preprocessing) -> Float[np.ndarray, "y x c"]:
    """One picture file as an encoder takes it: float32 ``[y, x, 3]``.

    Raises:
        ImageError: it cannot be read, decoded or resized; names the path.
    """
    image = decode(path)
    try:
        return normalise(resize_crop(image, pre), pre)
    except ImageError as error:
        raise ImageError(f"{path}: {error}", error.stage) from None


def read_images(paths: Sequence[str | Path], pre: Preprocessing) -> Float[np.ndarray, "b y x c"]:
    """Picture files as one batch: float32 ``[b, y, x, 3]``, in the order of ``paths``.

    Raises:
        ImageError: at the first that cannot be used.
    """
    batch = np.empty((len(paths), *pre.image_size, 3), np.float32)
    for row, path in zip(batch, paths):
        row[...] = read_image(path, pre)
    return batch
