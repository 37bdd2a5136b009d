"""Hostile inputs: what a folder of images with a score file can hold that is no good image, one function a kind.

A kind takes a folder, a stem for names and Hypothesis' draw, puts something there, and says what row the score file has
for it and what has to become of it.
"""

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st
from PIL import Image

from memjax.decoding import MAX_BYTES, MAX_PIXELS, MAX_SCANS
from memjax.naming import printable
from tests.miniatures import pixels

REFUSED, MEASURED, EITHER = "refused", "measured", "either"
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000")


class Hostile(NamedTuple):
    """One input: its row in the score file (None: it has none), how it is told, what has to become of it."""

    row: tuple[str, str] | None
    name: str
    outcome: str


Draw = Callable[[st.SearchStrategy[Any]], Any]
Kind = Callable[[Path, str, Draw], Hostile]
KINDS: list[Kind] = []


def kind(make: Kind) -> Kind:
    KINDS.append(make)
    return make


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def good(draw: Draw) -> Image.Image:
    return Image.fromarray(pixels(draw(st.integers(0, 10**6)), draw(st.integers(8, 60)), draw(st.integers(8, 60))))


def put(folder: Path, name: str, data: bytes, outcome: str) -> Hostile:
    (folder / name).write_bytes(data)
    return Hostile((name, "0.5"), name, outcome)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@kind
def png_that_claims_to_be_huge(folder: Path, stem: str, draw: Draw) -> Hostile:
    width = draw(st.integers(9_000, 2**31 - 1))
    height = draw(st.integers(MAX_PIXELS // width + 1, 2**31 - 1))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(3000))) + chunk(b"IEND", b"")
    return put(folder, f"{stem}.png", b"\x89PNG\r\n\x1a\n" + header + body, REFUSED)


@kind
def image_that_is_huge(folder: Path, stem: str, draw: Draw) -> Hostile:
    side = draw(st.integers(9_000, 11_000))
    image = Image.new("1", (side, MAX_PIXELS // side + 1))
    form = draw(st.sampled_from(["PNG", "GIF", "BMP", "TIFF"]))
    options = {"compression": "tiff_deflate"} if form == "TIFF" else {}
    return put(folder, f"{stem}.{form.lower()}", encoded(image, form, **options), REFUSED)


@kind
def image_with_a_changed_size(folder: Path, stem: str, draw: Draw) -> Hostile:
    form, at, code = draw(st.sampled_from([("BMP", 18, "<ii"), ("GIF", 6, "<HH"), ("PNG", 16, ">II")]))
    data = bytearray(encoded(good(draw), form))
    top = 65_535 if form == "GIF" else 2**31 - 1
    struct.pack_into(code, data, at, draw(st.integers(0, top)), draw(st.integers(0, top)))
    return put(folder, f"{stem}.png", bytes(data), EITHER)


@kind
def very_thin_image(folder: Path, stem: str, draw: Draw) -> Hostile:
    return put(folder, f"{stem}.png", encoded(Image.new("RGB", (1, draw(st.integers(20_000, 90_000)))), "PNG"), EITHER)


@kind
def truncated_image(folder: Path, stem: str, draw: Draw) -> Hostile:
    data = encoded(good(draw), draw(st.sampled_from(FORMATS)))
    return put(folder, f"{stem}.jpg", data[: draw(st.integers(1, len(data) - 1))], EITHER)


@kind
def image_with_junk_in_it(folder: Path, stem: str, draw: Draw) -> Hostile:
    data = bytearray(encoded(good(draw), draw(st.sampled_from(FORMATS))))
    for _ in range(draw(st.integers(1, 5))):
        at, junk = draw(st.integers(0, len(data) - 1)), draw(st.binary(min_size=1, max_size=30))
        data[at : at + len(junk)] = junk
    return put(folder, f"{stem}.jpg", bytes(data), EITHER)


@kind
def animation(folder: Path, stem: str, draw: Draw) -> Hostile:
    form = draw(st.sampled_from(["GIF", "PNG", "WEBP", "TIFF"]))
    frames = [Image.fromarray(pixels(seed, 12, 12)) for seed in range(draw(st.integers(2, 6)))]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    return put(folder, f"{stem}.{form.lower()}", data, REFUSED)


@kind
def tiff_of_very_many_pages(folder: Path, stem: str, draw: Draw) -> Hostile:
    pages, out = draw(st.integers(2_000, 60_000)), bytearray(b"II*\0\x08\0\0\0")
    tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 0), (277, 1), (278, 1), (279, 1)]
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    size = 2 + len(fields) + 4
    for page in range(pages):
        out += struct.pack("<H", len(tags)) + fields + struct.pack("<I", (page < pages - 1) * (len(out) + size))
    return put(folder, f"{stem}.tif", bytes(out), REFUSED)


@kind
def jpeg_of_very_many_scans(folder: Path, stem: str, draw: Draw) -> Hostile:
    data = encoded(Image.new("L", (4_000, 4_000), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return put(folder, f"{stem}.jpg", data[:-2] + draw(st.integers(MAX_SCANS, 50_000)) * last + data[-2:], REFUSED)


@kind
def ppm_of_very_many_comments(folder: Path, stem: str, draw: Draw) -> Hostile:
    text = b"P3 1000 1000 255\n" + draw(st.integers(1_000, 10**6)) * b"# c\n1 "
    return put(folder, f"{stem}.ppm", text, REFUSED)


@kind
def image_under_another_extension(folder: Path, stem: str, draw: Draw) -> Hostile:
    form, ending = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(["png", "jpg", "gif", "txt", "svg", "exe"]))
    return put(folder, f"{stem}.{ending}", encoded(good(draw), form), MEASURED)


@kind
def image_of_an_unusual_mode(folder: Path, stem: str, draw: Draw) -> Hostile:
    mode, form = draw(
        st.sampled_from(
            [
                ("CMYK", "JPEG"),
                ("LA", "PNG"),
                ("RGBA", "PNG"),
                ("1", "PNG"),
                ("P", "GIF"),
                ("I;16", "PNG"),
                ("F", "TIFF"),
            ]
        )
    )
    image = good(draw).convert("I" if mode == "I;16" else mode).convert(mode)
    # Floats from 0 to 255 that are no whole numbers have no range of their own: they are set aside (memjax.decoding).
    return put(folder, f"{stem}.png", encoded(image, form), EITHER if mode == "F" else MEASURED)


@kind
def no_image_at_all(folder: Path, stem: str, draw: Draw) -> Hostile:
    starts = [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"\x80\x04\x95",
        b"%!PS\n",
    ]
    data = draw(st.sampled_from(starts)) + draw(st.one_of(st.just(b""), st.binary(max_size=300)))
    return put(folder, f"{stem}.jpg", data, EITHER if data else REFUSED)


@kind
def file_that_is_too_large(folder: Path, stem: str, draw: Draw) -> Hostile:
    path = folder / f"{stem}.png"
    path.write_bytes(encoded(good(draw), "PNG"))
    os.truncate(path, MAX_BYTES + draw(st.integers(1, 2**33)))  # a hole: takes no room
    return Hostile((path.name, "0.5"), path.name, REFUSED)


@kind
def link_that_leads_out(folder: Path, stem: str, draw: Draw) -> Hostile:
    outside = folder.parent / f"{stem}.png"
    outside.write_bytes(encoded(good(draw), "PNG"))
    target = draw(st.sampled_from([str(outside), f"../{outside.name}", "/etc/passwd", "/dev/zero"]))
    (folder / f"{stem}.png").symlink_to(target)
    return Hostile((f"{stem}.png", "0.5"), f"{stem}.png", REFUSED)


@kind
def link_to_nowhere(folder: Path, stem: str, draw: Draw) -> Hostile:
    (folder / f"{stem}.png").symlink_to(draw(st.sampled_from([f"{stem}.png", "gone.png", f"{stem}.png/x", "\n"])))
    return Hostile((f"{stem}.png", "0.5"), f"{stem}.png", REFUSED)


@kind
def link_within_the_folder(folder: Path, stem: str, draw: Draw) -> Hostile:
    (folder / f"{stem}.data").write_bytes(encoded(good(draw), "PNG"))
    (folder / f"{stem}.png").symlink_to(f"{stem}.data")
    return Hostile((f"{stem}.png", "0.5"), f"{stem}.png", MEASURED)


@kind
def path_that_leads_out(folder: Path, stem: str, draw: Draw) -> Hostile:
    outside = folder.parent / f"{stem}.png"
    outside.write_bytes(encoded(good(draw), "PNG"))
    forms = ["../{0}", "x/../../{0}", "{1}/{0}", "../{2}/../{0}", ".//../{0}"]
    name = draw(st.sampled_from(forms)).format(outside.name, folder.parent, folder.name)
    return Hostile((name, "0.5"), name, REFUSED)


@kind
def no_file(folder: Path, stem: str, draw: Draw) -> Hostile:
    what = draw(st.sampled_from(["missing", "folder", "pipe", "long", "below a file"]))
    name = {"long": f"{stem}{'x' * 300}.png", "below a file": f"{stem}.data/a.png"}.get(what, f"{stem}.png")
    if what == "folder":
        (folder / name).mkdir()
    elif what == "pipe":
        os.mkfifo(folder / name)
    elif what == "below a file":
        (folder / f"{stem}.data").write_bytes(b"")
    return Hostile((name, "0.5"), name, REFUSED)


@kind
def odd_name(folder: Path, stem: str, draw: Draw) -> Hostile:
    """Any text that can name a file; if it does not fit on a line it is refused, and told with escapes."""
    text = draw(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
    name = f"{stem}{text}.png"
    hostile = put(folder, name, encoded(good(draw), "PNG"), MEASURED if printable(name) == name else REFUSED)
    return hostile._replace(name=printable(name))


@kind
def name_that_no_file_can_have(folder: Path, stem: str, draw: Draw) -> Hostile:
    text = draw(st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=5))
    name = f"{stem}\0{text}.png"
    return Hostile((name, "0.5"), printable(name), REFUSED)


@kind
def score_that_is_none(folder: Path, stem: str, draw: Draw) -> Hostile:
    score = draw(st.sampled_from(["", "nan", "NA", "inf", "-inf", "1e999", "abc", "0,5", "=1+1", "０．x", "1 2", "\n"]))
    hostile = put(folder, f"{stem}.png", encoded(good(draw), "PNG"), REFUSED)
    return hostile._replace(row=(hostile.name, score))


@kind
def image_without_a_row(folder: Path, stem: str, draw: Draw) -> Hostile:
    tails = [b".png", "é.png".encode(), b'\r\n,".bmp']
    if sys.platform == "linux":  # elsewhere a name has to be text
        tails += [b"\xff\xfe.JPG", b"\xc3.gif"]
    tail = draw(st.sampled_from(tails))
    data = encoded(good(draw), "PNG") if draw(st.booleans()) else b""
    name = stem + os.fsdecode(tail)
    (folder / name).write_bytes(data)
    return Hostile(None, printable(name), REFUSED)
