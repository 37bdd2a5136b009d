"""JPEG 2000: how many packets and parts it may have."""

import struct

from memjax.decoding.source import ImageError

MAX_PACKETS = 500_000
"""Most packets of a JPEG 2000 (layers x components x resolutions x precincts); an empty one costs next to no bytes."""

MAX_PARTS = 1_000
"""Most boxes of the file, and segments of the main header; there are about ten of each."""

_SIZE, _STYLE, _TILE = 0xFF51, 0xFF52, 0xFF90


def check_jpeg2000(data: bytes) -> None:
    """Refuse a JPEG 2000 whose main header asks for too many packets.

    Raises:
        ImageError: stage "decode".
    """
    start = data.find(b"\xff\x4f\xff\x51")
    if max(_boxes(data), len(_main_header(data, start + 2))) > MAX_PARTS:
        raise ImageError(f"a JPEG 2000 of more than {MAX_PARTS} parts, which takes too long to read", "decode")
    if start < 0:
        return
    segments = dict(_main_header(data, start + 2))
    size, style = segments.get(_SIZE, b""), segments.get(_STYLE, b"")
    if len(size) < 36 or len(style) < 10:
        return  # no whole header: the decoder says so
    if _packets(size, style) > MAX_PACKETS:
        raise ImageError(f"a JPEG 2000 of more than {MAX_PACKETS} packets, which takes too long to decode", "decode")


def _boxes(data: bytes) -> int:
    """How many boxes there are, those within a header's among them; `MAX_PARTS` + 1 where there are more."""
    count, at = 0, 0
    while data[:4] == b"\0\0\0\x0c" and len(data) >= at + 16 and count <= MAX_PARTS:
        length, kind, long = struct.unpack_from(">I4sQ", data, at)
        within = kind in (b"jp2h", b"res ")
        at += (16 if length == 1 else 8) if within else long if length == 1 else length
        count += 1
        if length == 0:  # to the end of the file
            break
    return count


def _main_header(data: bytes, at: int) -> list[tuple[int, bytes]]:
    """Markers, each with its segment without its length; `MAX_PARTS` + 1 where there are more."""
    found = []
    while len(data) >= at + 4 and len(found) <= MAX_PARTS:
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == _TILE or marker < 0xFF00 or length < 2:
            break
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def _packets(size: bytes, style: bytes) -> int:
    """Layers x components x places of all resolutions, of an image's SIZ and COD segments."""
    x, y, x0, y0, tile_x, tile_y = struct.unpack_from(">6I", size, 2)
    components, layers, levels = *struct.unpack_from(">H", size, 34), *struct.unpack_from(">H", style, 2), style[5]
    width, height = max(0, x - x0), max(0, y - y0)
    tiles = -(-width // max(1, tile_x)) * -(-height // max(1, tile_y))
    sizes = style[10:] if style[0] & 1 else b""
    places = 0
    for level in range(min(33, levels + 1)):  # from the coarsest on
        across, down = (sizes[level] & 15, sizes[level] >> 4) if level < len(sizes) else (15, 15)
        shrink = levels - level
        places += max(tiles, (1 + (width >> shrink + across)) * (1 + (height >> shrink + down)))
    return places * layers * components
