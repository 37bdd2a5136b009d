"""JPEG: how many scans it may have, and how much beside them."""

import re
from collections.abc import Iterator

from memjax.decoding.source import ImageError

MAX_SCANS = 100
"""Most scans, as in libtiff. Encoders write about ten; each costs a pass over all pixels, however short."""

MAX_SCANNED = 3_000_000_000
"""Most pixels times scans: `MAX_SCANS` of an image of 30 million pixels."""

MAX_SEGMENTS = 100_000
"""Most segments that are looked at."""

MAX_METADATA, MAX_EXIF_SEGMENTS = 32 * 2**20, 16
"""Bytes before the first scan, and segments of EXIF among them: cameras write one, and Pillow copies all for each."""

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""What may stand among compressed data (stuffed zeros, restarts, fill bytes) is not one."""
_BARE = {0x01, 0xD8, 0xD9, *range(0xF0, 0xFE)}
"""Markers after which Pillow expects no length."""
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF, _SCAN, _END = 0xE1, 0xDA, 0xD9


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG that would take too long.

    Raises:
        ImageError: stage "decode".
    """
    pixels, exif = 0, 0
    for count, (kind, at) in enumerate(_segments(data, 2, MAX_METADATA)):
        if kind == _SCAN:
            _check_scans(data, at - 2, pixels)
            return
        if kind in _FRAMES:
            pixels = int.from_bytes(data[at + 3 : at + 5], "big") * int.from_bytes(data[at + 5 : at + 7], "big")
        exif += kind == _EXIF and data[at + 2 : at + 8] == b"Exif\0\0"
        if exif > MAX_EXIF_SEGMENTS or count >= MAX_SEGMENTS:
            raise ImageError(
                f"a JPEG of {count + 1} segments, {exif} of EXIF, before its pixels: too long to read", "decode"
            )
    if len(data) > MAX_METADATA:
        raise ImageError(
            f"a JPEG without pixels in its first {MAX_METADATA} bytes, which takes too long to read", "decode"
        )


def _check_scans(data: bytes, at: int, pixels: int) -> None:
    """Of its first image: what follows that is another, or a phone's video."""
    most = min(MAX_SCANS, MAX_SCANNED // max(1, pixels))
    if data.count(b"\xff\xda") <= most:  # an upper limit, and fast
        return
    scans = 0
    for count, (kind, _) in enumerate(_segments(data, at, len(data))):
        if kind == _END:
            return
        scans += kind == _SCAN
        if scans > most or count >= MAX_SEGMENTS:
            what = f"more than {most} scans" if scans > most else f"{count + 1} segments"
            raise ImageError(f"a JPEG of {what}, which takes too long to decode", "decode")


def _segments(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Markers from a place on, each with the place behind it."""
    while found := _MARKER.search(data, at, end):
        kind, at = found[0][1], found.end()
        yield kind, at
        if kind not in _BARE:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
