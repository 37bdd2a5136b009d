"""Files that stand where an image should be: each is called what it is, with what to do; and HEIC, which is read."""

import io
import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import memjax
from memjax.decoding import FORMATS, ImageError, decode, decode_upright
from memjax.decoding.formats import what_it_is

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n"
OTHERS = [
    (LFS, "git lfs pull"),
    (b"version https://hawser.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
    (b"/annex/objects/SHA256E-s1--ab.jpg\n", "git annex get"),
    (b"../../.git/annex/objects/Zx/1Q/MD5E-s9--ab.png/MD5E-s9--ab.png", "git annex get"),
    (b"outs:\n- md5: a304afb96060aad90176268345e10355\n  path: a.png\n", "dvc pull"),
    (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    (b"\xef\xbb\xbf  <!-- moved -->\n<HTML>", "web page"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    (b"<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>", "SVG"),
    (b"%PDF-1.7\n", "PDF"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    (b"8BPS\0\1", "Photoshop"),
    (b"FUJIFILMCCD-RAW 0201", "raw file"),
    (b"\x76\x2f\x31\x01" + bytes(20), "OpenEXR"),
    (bytes(128) + b"DICM", "DICOM"),
    (b"\xff\x0a" + b"\x01" * 9, "JPEG XL"),
    (b"\x93NUMPY\x01\0", "NumPy"),
    (b"PK\x03\x04" + bytes(9), "ZIP"),
    (b"\x1f\x8b\x08" + bytes(9), "archive"),
    (bytes(4) + b"ftypisom" + bytes(9), "video"),
    (b"\x1a\x45\xdf\xa3" + b"webm", "video"),
    (b"\0\x05\x16\x07" + bytes(90), "AppleDouble"),
    (b"../store/KEY-1.jpg", "a symbolic link that was checked out as text"),
    ("./écran/é.png\n".encode(), "./écran/é.png"),
    (b"..\\store\\a.jpg", "symbolic link"),
    (bytes(4096), "nothing but zeros"),
]


@pytest.mark.parametrize(("data", "words"), OTHERS, ids=range(len(OTHERS)))
def test_it_is_called_what_it_is(data, words, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    for source in (data, file):
        with pytest.raises(ImageError) as told:
            decode(source)
        assert words in str(told.value)
        assert "format but" in str(told.value)
        assert "\n" not in str(told.value)
        assert told.value.stage == "decode"


@pytest.mark.parametrize("data", [b"abc", b"..", b"../a\nb", b"\x89PN", b"GIF", b"x" * 5000, b"../" + b"x" * 5000])
def test_what_is_not_known_is_not_guessed(data):
    assert what_it_is(data) == ""
    with pytest.raises(ImageError, match="not an image in a known format"):
        decode(data)


def heic(turn: int = 1) -> bytes:
    image = Image.new("RGB", (32, 16), (200, 30, 30))
    image.paste((20, 20, 220), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=90, exif=exif.tobytes())
    return file.getvalue()


def test_heic_is_read_upright():
    assert "HEIF" in FORMATS
    plain, turned = decode(heic()), decode_upright(heic(6))
    assert plain.size == (32, 16)
    assert plain.mode == "RGB"
    assert plain.getpixel((4, 4))[2] > 150
    assert plain.getpixel((28, 4))[0] > 150
    assert turned.image.size == (16, 32)
    assert turned.image.getpixel((8, 4))[2] > 150


@pytest.mark.parametrize("at", [20, 60, 200])
def test_a_damaged_heic_is_one_line(at):
    with pytest.raises(ImageError) as told:
        decode(heic()[:at])
    assert "\n" not in str(told.value)


def test_heic_in_a_folder(tmp_path):
    (tmp_path / "IMG_0001.HEIC").write_bytes(heic())
    (tmp_path / "scores.csv").write_text("image,memorability\nIMG_0001.HEIC,0.5\n")
    dataset = memjax.open_folder(tmp_path, tmp_path / "scores.csv")
    assert np.asarray(decode(dataset.records[0].data)).shape == (16, 32, 3)


def test_without_the_package_it_is_named():
    code = (
        "import importlib.util, sys; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'pillow_heif' else found(name, *rest)\n"
        "from memjax.decoding.formats import FORMATS, what_it_is\n"
        "assert 'HEIF' not in FORMATS\n"
        "print(what_it_is(bytes(4) + b'ftypheic' + bytes(4) + b'mif1heic'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEIC" in done.stdout
    assert "memjax[heic]" in done.stdout
