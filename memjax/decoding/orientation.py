"""Which way up an image is: the EXIF orientation, which phones write instead of turning the pixels.

It is read here and not by Pillow's ``getexif``, which reads every entry: entries of a hostile block overlap, so that
reading them takes time and memory square in its size, and a damaged block raises, or warns on the terminal.
"""

import re
import struct

from PIL import Image as PILImage

TAG, _SHORT, _LONG = 0x0112, 3, 4

TURNS = {
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_270,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_90,
}
"""Orientation -> what shows the image as it was taken, as in ``PIL.ImageOps.exif_transpose``; 1 is upright."""

SIDEWAYS = range(5, 9)
"""Orientations that exchange width and height."""


def orientation_of(image: PILImage.Image) -> int:
    """The orientation that its EXIF, or else its XMP, gives: 2 to 8; 1 where there is none, or none that can be read.

    Of a TIFF, ask before its pixels are loaded: Pillow turns it then. Of other formats afterwards, since the block may
    follow the pixels.
    """
    tags = getattr(image, "tag_v2", None)
    found = _in_exif(_exif_block(image.info)) if tags is None else tags.get(TAG)
    if found is None:
        found = _in_xmp(image.info.get("XML:com.adobe.xmp") or image.info.get("xmp"))
    return found if found in TURNS else 1


def turn(image: PILImage.Image, orientation: int) -> PILImage.Image:
    """The image as it was taken."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _exif_block(info: dict) -> bytes:
    """Its bytes; ImageMagick keeps them in the text of a PNG, in hex after three lines."""
    block, text = info.get("exif"), info.get("Raw profile type exif")
    if block is None and isinstance(text, str):
        try:
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            return b""
    return block.removeprefix(b"Exif\0\0") if isinstance(block, bytes) else b""


def _in_exif(block: bytes) -> int | None:
    """The orientation among the entries of its first directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, _ = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == TAG and kind in (_SHORT, _LONG):
                return struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, entry + 8)[0]
    except struct.error:  # the block ends before its entries do
        return None
    return None


def _in_xmp(text: object) -> int | None:
    """The orientation in XMP, text or bytes."""
    known = text.encode("utf-8", "replace") if isinstance(text, str) else text
    found = re.search(rb"tiff:Orientation(?:=\"|>)([0-9])", known) if isinstance(known, bytes) else None
    return int(found[1]) if found else None
