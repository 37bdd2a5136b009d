"""Images in any form that people have them in, to RGB; what would take for ever, or is no image, is one line.

What an image that is not plain RGB becomes:

- EXIF orientation: applied, so that an image is as people saw it, in every format that has one; a damaged EXIF block
  says nothing. With ``orient=False`` the pixels are as ``PIL.Image.open(path)`` gives them (a TIFF is upright there too).
- Palette, grey, CMYK: Pillow's ``convert("RGB")``; alpha, and transparency in a palette or a colour key: over white.
- 16-bit grey: value / 257, rounded, and so for every file whose bits have a stated range (12-bit TIFF: value / 4095 *
  255); white-is-zero TIFF is inverted. More than one channel of 16 bits: Pillow's own, which keeps the high byte.
- 32-bit grey is read by its range: whole numbers up to 255 as 8-bit levels, an integer file up to 65,535 as 16-bit, a
  float file within 0 to 1 times 255. Anything else is refused: NaN, negative values, another range, signed 8 and 16 bit.
- JPEG is decoded by simplejpeg where that package is installed, to the same pixels (`memjax.decoding.turbo`).
- HEIC is read where the package pillow-heif is installed, upright as libheif turns it, in both cases.
- An animation is refused (the processor would take its first frame); a phone's multi-picture JPEG (MPO) is not.
- Refused too, since it can take hours: see `memjax.decoding.work`.

Apart from orientation and deep grey, that is what the processors of transformers make of ``PIL.Image.open(path)``.
Processors that do not convert (``ViTImageProcessor``, ``DeiTImageProcessor``) raise an error on anything but RGB; here
such images are converted in the same way for them too.
"""

from memjax.decoding.formats import FORMATS
from memjax.decoding.grey import is_deep
from memjax.decoding.jpeg import MAX_SCANS
from memjax.decoding.rgb import MAX_PIXELS, Decoded, decode, decode_upright
from memjax.decoding.source import MAX_BYTES, ImageError, ImageSource, check_form, check_list, name_of, read_bytes
from memjax.decoding.turbo import turbo_is_installed

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SCANS",
    "VERSION",
    "Decoded",
    "ImageError",
    "ImageSource",
    "check_form",
    "check_list",
    "decode",
    "decode_upright",
    "is_deep",
    "name_of",
    "read_bytes",
    "turbo_is_installed",
]

VERSION = 2
"""Counts changes of what an image's file becomes; part of what identifies a feature store. 2: deep grey by its range (in 1
everything above 255 was white)."""
