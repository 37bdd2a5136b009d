"""TIFF: how much its tags may ask for."""

import struct
from collections.abc import Iterator

from memjax.decoding.source import ImageError

MAX_TAG_VALUES = 4_000_000
"""Most numbers in the tags of a TIFF, its strips' places among them."""

_NUMBERS = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BYTES = {1: 1, 2: 1, 6: 1, 7: 1}
"""Types of tags, and their sizes: those that become numbers, and those that stay bytes (a profile, XMP)."""


def check_tiff(data: bytes) -> None:
    """Refuse a TIFF whose tags hold too much: Pillow reads each, and makes an object of each number.

    Raises:
        ImageError: stage "decode".
    """
    numbers, read = 0, 0
    for kind, count in _tags(data):
        size = count * (_NUMBERS | _BYTES).get(kind, 0)
        if size > len(data):  # Pillow passes over such a tag
            continue
        read += size
        numbers += count if kind in _NUMBERS else 0
        if numbers > MAX_TAG_VALUES or read > 2 * len(data):
            what = f"more than {MAX_TAG_VALUES} numbers in its tags, or tags over one another"
            raise ImageError(f"a TIFF of {what}, which takes too long to read", "decode")


def _tags(data: bytes) -> Iterator[tuple[int, int]]:
    """Type and count of each tag of the first directory, as far as it is there; BigTIFF too."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    first, entries, entry, length = ("Q", "Q", "HHQ", 20) if big else ("I", "H", "HHI", 12)
    if len(data) < 16:
        return
    (at,) = struct.unpack_from(order + first, data, 8 if big else 4)
    start = at + struct.calcsize(order + entries)
    if start > len(data):
        return
    (count,) = struct.unpack_from(order + entries, data, at)
    for place in range(start, min(start + count * length, len(data) - length), length):
        _, kind, number = struct.unpack_from(order + entry, data, place)
        yield kind, number
