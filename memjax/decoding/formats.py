"""Which formats are opened, and what a file is that is none of them, told by its first bytes, never by its extension."""

import importlib.util
import re

from PIL import Image as PILImage

PILImage.init()  # registers every plugin: `open` asks for the formats below by name, and fails on one not registered
if importlib.util.find_spec("pillow_heif") is not None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)

_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
FORMATS = tuple(name for name in _WANTED if name in PILImage.OPEN)
"""Formats that are opened; those that start other programs (EPS) are left out, and HEIF needs the package pillow-heif."""

_LINK_BYTES = 4096
"""Longest path of most systems."""

_XML = rb"(\xef\xbb\xbf)?\s*(<\?xml.{0,500}\?>\s*)?(<!--.{0,500}-->\s*)?"
"""What may stand before the first element of a text with markup."""

_OTHERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), what)
    for pattern, what in (
        (rb"version https://(git-lfs|hawser)\.github\.com/spec/", "a Git LFS pointer; fetch the image: git lfs pull"),
        (rb"[^\n]{0,4000}/annex/objects/", "a git-annex pointer; fetch the image: git annex get, or datalad get"),
        (rb"\s*outs:\s*-\s*(md5|hash|path|size):", "a DVC pointer; fetch the image: dvc pull"),
        (_XML + rb"(<!doctype html|<html|<head|<body)", "a web page; download the image again"),
        (_XML + rb"(<!doctype svg.{0,500}>\s*)?<svg", "a drawing (SVG); export it as PNG"),
        (rb"%PDF-", "a PDF document; export its image as PNG"),
        (rb"%!PS", "a PostScript document; export it as PNG"),
        (rb"8BPS", "a Photoshop document; export it as PNG"),
        (rb"(FUJIFILMCCD-RAW|II\x1a\0\0\0HEAPCCDR|IIU\0|FOVb)", "a camera's raw file; export it as TIFF or JPEG"),
        (rb"\x76\x2f\x31\x01", "an OpenEXR image, whose range is not known; export it as PNG"),
        (rb"DICM|.{128}DICM", "a DICOM image; export it as PNG"),
        (rb"(\xff\x0a|\0\0\0\x0cJXL )", "a JPEG XL image; save it as JPEG or PNG"),
        (rb"\x93NUMPY", "a NumPy array; open it and give the array itself (memjax.open_table), or save it as PNG"),
        (rb"PK\x03\x04", "a ZIP archive; unpack it"),
        (rb"(\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!)", "a compressed archive; unpack it"),
        (rb".{4}ftyp(qt|isom|mp4|m4v|avc)", "a video; export one of its images"),
        (rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI ", "a video; export one of its images"),
        (rb"\0\x05\x16\x07", "a companion of macOS (AppleDouble), which holds no image; delete it"),
    )
)  # fmt: skip
"""How other kinds of files begin, and what they are."""

_HEIF = re.compile(rb".{4}ftyp(.{4}.{4})?(.{4})*?(heic|heix|hevc|hevx|heim|heis|mif1|msf1)", re.DOTALL)
_LINK = re.compile(rb"\.{1,2}[/\\][^\0\r\n]+\n?")


def what_it_is(data: bytes) -> str:
    """What the bytes of no known format are, and what to do about them; empty where that is not known.

    Example:
        >>> what_it_is(b"version https://git-lfs.github.com/spec/v1\\n")
        'a Git LFS pointer; fetch the image: git lfs pull'
    """
    start = data[:8192]
    if "HEIF" not in FORMATS and _HEIF.match(start[:64]):
        return "a HEIC image, which needs the package pillow-heif (pip install 'memjax[heic]'); or save it as JPEG"
    for pattern, what in _OTHERS:
        if pattern.match(start):
            return what
    if len(data) <= _LINK_BYTES and _LINK.fullmatch(data):
        where = data.decode("utf-8", "backslashreplace").strip()
        return f"a symbolic link that was checked out as text (to {where}); check it out on a system with links, or copy the file"
    if not data.strip(b"\0"):
        return "nothing but zeros: its contents were lost, or it was never downloaded; copy it again"
    return ""
