"""Bounds on the work that an image's file may ask for, so that none takes for ever: what is beyond them is refused.

Decoders cannot be interrupted from within the process, so that no clock is looked at. What bounds the time is

- how often, and how much, a decoder may read from the file (`Metered`): every loop over the parts of a file reads;
- bytes per pixel (`check_size`), and pixels (`memjax.decoding.MAX_PIXELS`);
- what costs more than its bytes: scans and metadata of a JPEG, compressed texts of a PNG, values in the tags of a TIFF,
  packets of a JPEG 2000; the text form of PPM is refused.

All of these are looked for in time linear in the file's size, which is bounded too (`memjax.decoding.MAX_BYTES`).
"""

import io
from collections.abc import Callable

from PIL import Image as PILImage

from memjax.decoding.jpeg import check_jpeg
from memjax.decoding.jpeg2000 import check_jpeg2000
from memjax.decoding.source import ImageError
from memjax.decoding.tiff import check_tiff

MAX_READS = 1_000_000
"""Reads that decoding a file may take. A PNG of the largest size, in chunks of 8 kB, takes 130,000; a GIF of the most
pixels 700,000."""

MAX_REREAD = 8
"""How many times the file's size a decoder may read. The worst known, a GIF, is read three times."""

BYTES_PER_PIXEL, ALLOWANCE = 16, 64 * 2**20
"""Most bytes of a file: so many a pixel (RGBA of 16 bits has 8) and for what is no pixel: metadata, a phone's video."""

MAX_TEXTS = 256
"""Most compressed texts and profiles of a PNG; each may take some milliseconds, whatever its size."""


class Metered(io.BytesIO):
    """A file that may be read `MAX_READS` times, and `MAX_REREAD` times its size in all."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.reads, self.bytes = MAX_READS, MAX_REREAD * len(data) + 2**20

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file.

        Raises:
            ImageError: stage "decode": the bounds are reached.
        """
        data = super().read(size)
        self.reads, self.bytes = self.reads - 1, self.bytes - len(data)
        if self.reads < 0 or self.bytes < 0:
            raise ImageError("it would take too long to decode: it has too many parts", "decode")
        return data


def check_data(data: bytes) -> None:
    """Refuse a file that would take too long to open, before it is opened; its format is told by its first bytes.

    Raises:
        ImageError: stage "decode".
    """
    for start, check in _CHECKS.items():
        if data.startswith(start):
            check(data)


def check_size(data: bytes, image: PILImage.Image) -> None:
    """Refuse a file far larger than its pixels can be.

    Raises:
        ImageError: stage "decode".
    """
    width, height = image.size
    limit = BYTES_PER_PIXEL * width * height + ALLOWANCE
    if len(data) > limit:
        what = f"{len(data)} bytes for {width} x {height} pixels"
        raise ImageError(f"{what}, more than the limit of {limit}: it would take too long to decode", "decode")


def _check_png(data: bytes) -> None:
    if sum(data.count(kind) for kind in (b"iCCP", b"zTXt", b"iTXt")) > MAX_TEXTS:
        raise ImageError(f"a PNG of more than {MAX_TEXTS} compressed texts, which takes too long to read", "decode")


_CHECKS: dict[bytes, Callable[[bytes], None]] = {
    b"\xff\xd8\xff": check_jpeg,
    b"\x89PNG\r\n\x1a\n": _check_png,
    b"II": check_tiff,
    b"MM": check_tiff,
    b"\xff\x4f\xff\x51": check_jpeg2000,
    b"\0\0\0\x0cjP  ": check_jpeg2000,
}
