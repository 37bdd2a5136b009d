"""Grey of more than 8 bits: the image as in 8 bits, or a line that says why not; never a white sheet, nor a black one."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from memjax.decoding import ImageError, decode

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
GREY = np.random.default_rng(4).integers(0, 256, (9, 7), dtype=np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def tiff(values: np.ndarray, sample: int, photometric: int = 1, bits: int | None = None, body: bytes = b"") -> bytes:
    """An uncompressed TIFF in the byte order of the values."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    bits = bits or 8 * values.dtype.itemsize
    tags = [(256, values.shape[1]), (257, values.shape[0]), (258, bits), (259, 1), (262, photometric), (273, 0),
            (277, 1), (278, values.shape[0]), (279, values.nbytes), (339, sample)]  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    for tag, value in tags:
        out += struct.pack(order + "HHII", tag, 4, 1, start if tag == 273 else value)
    return out + bytes(4) + (body or values.tobytes())


def grey(data: bytes) -> np.ndarray:
    out = np.asarray(decode(data))
    assert (out == out[..., :1]).all()
    return out[..., 0]


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.stage == "decode"
    assert "\n" not in str(caught.value)
    return str(caught.value)


DEEP = GREY.astype(np.uint16) * 257


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_16_bits_in_every_format_are_the_8(form):
    np.testing.assert_array_equal(grey(encoded(Image.fromarray(DEEP), form)), GREY)


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<u4"])
def test_whole_numbers_of_either_byte_order(kind):
    np.testing.assert_array_equal(grey(tiff(DEEP.astype(kind), UNSIGNED)), GREY)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_images_of_pillow(mode):
    kind = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, GREY.shape[::-1], DEEP.astype(kind).tobytes())
    np.testing.assert_array_equal(np.asarray(decode(image))[..., 0], GREY)


@given(st.integers(0, 65535))
def test_the_rule_of_16_bits(value):
    found = grey(encoded(Image.fromarray(np.full((2, 2), value, np.uint16)), "PNG"))
    assert (found == round(value / 257)).all()


@pytest.mark.parametrize(("kind", "sample"), [("<i4", SIGNED), (">i4", SIGNED), ("<u4", UNSIGNED)])
def test_32_bit_whole_numbers_by_their_range(kind, sample):
    np.testing.assert_array_equal(grey(tiff(DEEP.astype(kind), sample)), GREY)
    np.testing.assert_array_equal(grey(tiff(GREY.astype(kind), sample)), GREY)
    assert "from 0 to 65536" in refused(tiff(np.array([[0, 65536]], kind), sample))
    assert "expected 0 to 65535" in refused(tiff(np.array([[-1 if sample == SIGNED else 2**32 - 1, 9]], kind), sample))


@pytest.mark.parametrize("kind", ["<f4", ">f4"])
def test_floats_by_their_range(kind):
    np.testing.assert_array_equal(grey(tiff((GREY / 255).astype(kind), FLOAT)), GREY)
    np.testing.assert_array_equal(grey(tiff(GREY.astype(kind), FLOAT)), GREY)
    for values in ([[0.5, 3.25]], [[-0.25, 1]], [[0, 65535]], [[-1, 1]], [[1e30, 0]]):
        assert "expected 0 to 1, or whole numbers to 255" in refused(tiff(np.array(values, kind), FLOAT))
    for value in (np.nan, np.inf, -np.inf):
        assert "NaN or infinite" in refused(tiff(np.array([[0.5, value]], kind), FLOAT))


def test_floats_of_a_pfm():
    np.testing.assert_array_equal(grey(encoded(Image.fromarray((GREY / 255).astype(np.float32)), "PPM")), GREY)


@pytest.mark.parametrize("kind", ["<i1", "<i2", ">i2"])
def test_signed_values_of_fewer_bits_are_set_aside(kind):
    assert "signed" in refused(tiff(np.array([[-3, 0, 90]], kind), SIGNED))


def test_white_is_zero_is_inverted():
    np.testing.assert_array_equal(grey(tiff(DEEP, UNSIGNED, photometric=0)), 255 - GREY)
    np.testing.assert_array_equal(grey(tiff((GREY / 255).astype(np.float32), FLOAT, photometric=0)), 255 - GREY)


def test_12_bits_fill_their_own_range():
    values = np.array([[0, 4095, 2048, 819]], np.uint16)
    packed = bytes([0x00, 0x0F, 0xFF, 0x80, 0x03, 0x33])
    np.testing.assert_array_equal(grey(tiff(values, UNSIGNED, bits=12, body=packed)), [[0, 255, 128, 51]])


def test_a_transparent_value_is_white():
    image = Image.fromarray(np.array([[1000, 25700], [25700, 1000]], np.uint16))
    found = np.asarray(decode(encoded(image, "PNG", transparency=1000)))[..., 0]
    np.testing.assert_array_equal(found, [[255, 100], [100, 255]])


def test_a_flat_image_keeps_its_level():
    assert (grey(encoded(Image.new("I;16", (3, 3), 0), "PNG")) == 0).all()
    assert (grey(encoded(Image.new("I;16", (3, 3), 65535), "PNG")) == 255).all()
    assert (grey(encoded(Image.new("I;16", (3, 3), 200), "PNG")) == 1).all()
