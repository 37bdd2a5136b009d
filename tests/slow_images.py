"""Images that would take minutes or more to decode: a function a kind, from about how many bytes to the file."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

KINDS: dict[str, Callable[[int], bytes]] = {}


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
JPEG, PNG, WEBP = (encoded(IMAGE, form) for form in ("JPEG", "PNG", "WEBP"))
GIF = encoded(IMAGE.convert("P"), "GIF")
JP2, J2K = encoded(IMAGE, "JPEG2000"), encoded(IMAGE, "JPEG2000", no_jp2=True)


def segment(kind: int, body: bytes) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def put(whole: bytes, at: int, part: bytes) -> Callable[[int], bytes]:
    """``whole`` with ``part`` over and over at a place."""
    return lambda size: whole[:at] + part * (size // len(part)) + whole[at:]


def tiff(tags: list[tuple[int, int, int, int]], rest: bytes) -> bytes:
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return head + bytes(4) + rest


GREY = [(256, 4, 1, 32), (257, 4, 1, 32), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 32)]


def bmp(body: bytes) -> bytes:
    sizes = struct.pack(
        "<IHHIIiiHHIIiiII", 1078 + len(body), 0, 0, 1078, 40, 8000, 8000, 1, 8, 1, len(body), 0, 0, 256, 0
    )
    return b"BM" + sizes + bytes(1024) + body


def styled(layers: int, precincts: int) -> bytes:
    """A JPEG 2000 of 8,000 x 8,000 pixels with another number of layers and size of precincts."""
    whole = encoded(Image.new("L", (8_000, 8_000), 7), "JPEG2000", no_jp2=True)
    at = whole.index(b"\xff\x52")
    end = at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
    style = bytearray(whole[at + 4 : end])
    style[0], style[2:4] = style[0] | 1, struct.pack(">H", layers)
    return whole[:at] + segment(0x52, bytes(style[:10]) + bytes([precincts] * (style[5] + 1))) + whole[end:]


SCAN = JPEG.rindex(b"\xff\xda")
RESOURCES = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_000
for name, at, part in [
    ("EXIF", 2, segment(0xE1, b"Exif\0\0" + bytes(65_000))),
    ("tiny EXIF", 2, segment(0xE1, b"Exif\0\0")),
    ("XMP", 2, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000))),
    ("profiles", 2, segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000))),
    ("resources", 2, segment(0xED, RESOURCES)),
    ("comments", 2, segment(0xFE, b"")),
    ("tables", SCAN, segment(0xC4, b"")),
    ("fill bytes", 2, b"\xff"),
    ("fill bytes before the scan", SCAN, b"\xff"),
    ("stuffed zeros", 2, b"\xff\0"),
    ("zeros", SCAN, b"\0"),
    ("restarts", 2, b"\xff\xd0"),
    ("starts", 2, b"\xff\xd8"),
    ("ends", 2, b"\xff\xd9"),
    ("reserved markers", 2, b"\xff\xf0"),
    ("fill bytes within the scan", len(JPEG) - 2, b"\xff"),
    ("restarts within the scan", len(JPEG) - 2, b"\xff\xd0"),
    ("bytes after it", len(JPEG), b"\0"),
]:
    KINDS[f"JPEG, {name}"] = put(JPEG, at, part)
KINDS["JPEG, EXIF after an end"] = put(JPEG[:2] + b"\xff\xd9" + JPEG[2:], 4, segment(0xE1, b"Exif\0\0" + bytes(65_000)))
KINDS["JPEG, markers among scans"] = lambda size: (
    JPEG[:-2] + b"\xff\x01" * (size // 2) + 200 * segment(0xDA, b"\1\1\0\0\x3f\0")
)

TEXT = zlib.compress(bytes(2**20 - 9), 9)
for name, at, part in [
    ("chunks", 33, chunk(b"abCd", b"")),
    ("texts", 33, chunk(b"tEXt", b"")),
    ("empty pixels", 33, chunk(b"IDAT", b"")),
    ("profiles", 33, chunk(b"iCCP", b"a\0\0" + TEXT)),
    ("damaged texts", 33, chunk(b"zTXt", b"a\0\0" + TEXT[:-4] + b"abcd")),
    ("chunks after it", len(PNG) - 12, chunk(b"abCd", b"")),
    ("bytes after it", len(PNG), b"\0"),
]:
    KINDS[f"PNG, {name}"] = put(PNG, at, part)

for name, part in [
    ("comments", b"\x21\xfe\1x\0"),
    ("extensions", b"\x21\xff\1x\0"),
    ("empty extensions", b"\x21\xff\0"),
    ("junk", b"\1"),
]:
    KINDS[f"GIF, {name}"] = put(GIF, 781, part)
KINDS["GIF, one comment"] = lambda size: GIF[:781] + b"\x21\xfe" + b"\1x" * (size // 2) + b"\0" + GIF[781:]
KINDS["GIF, pixels in small parts"] = put(GIF, len(GIF) - 2, b"\1\0")

KINDS["PPM, a comment"] = lambda size: b"P6\n#" + b"x" * size + b"\n2 2 255\n" + bytes(12)
KINDS["PPM, comments"] = lambda size: b"P5 2 " + b"#\n" * (size // 2) + b"2 255\n" + bytes(4)
KINDS["PPM, spaces"] = lambda size: b"P4 2" + b" " * size + b"2\n" + bytes(4)
KINDS["PPM, comments in text"] = lambda size: b"P3 900 900 255\n" + b"#\n1 " * (size // 4)

KINDS["BMP, runs of one"] = lambda size: bmp(b"\1\1" * (size // 2))
KINDS["BMP, ends of line"] = lambda size: bmp(b"\0\0" * (size // 2))

KINDS["TIFF, strips"] = lambda size: tiff([*GREY[:4], (273, 4, size // 4, 200), GREY[5]], bytes(size))
KINDS["TIFF, numbers"] = lambda size: tiff(
    [*GREY, *((1_000 + i, 3, size // 99, 200) for i in range(60_000))], bytes(size)
)
KINDS["TIFF, tags over one another"] = lambda size: tiff(
    [*GREY, *((1_000 + i, 7, size // 2, 200) for i in range(60_000))], bytes(size)
)

KINDS["WEBP, bytes after it"] = put(WEBP, len(WEBP), b"\0")
KINDS["WEBP, EXIF"] = lambda size: encoded(IMAGE, "WEBP", exif=b"Exif\0\0" + bytes(size))

KINDS["JPEG 2000, boxes"] = put(JP2, 12, box(b"free", b""))
KINDS["JPEG 2000, boxes in the header"] = lambda size: (
    JP2[: JP2.index(b"jp2h") - 4] + box(b"jp2h", box(b"free", b"") * (size // 8)) + JP2[JP2.index(b"jp2h") :]
)
KINDS["JPEG 2000, segments"] = put(J2K, J2K.index(b"\xff\x64"), b"\xff\x63\0\2")
KINDS["JPEG 2000, layers"] = lambda size: styled(60_000, 0x88)
KINDS["JPEG 2000, precincts"] = lambda size: styled(1, 0x22)
