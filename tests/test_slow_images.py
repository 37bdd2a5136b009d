"""Images that never end: each is told within seconds, and what real files have passes."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from memjax import decoding
from memjax.decoding import ImageError, decode, jpeg, jpeg2000, tiff, work
from tests.slow_images import IMAGE, KINDS, encoded, segment

SECONDS = 20
"""Of processor time, for a file of `SIZE` bytes; an idle machine takes at most five."""
SIZE = 200_000_000


def told(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.stage == "decode"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def low_bounds(monkeypatch):
    """The bounds, for files of a hundredth of the size and less."""
    for module, bounds in {
        work: {"MAX_READS": 5_000, "ALLOWANCE": 2**16, "MAX_TEXTS": 20},
        jpeg: {"MAX_METADATA": 2**17, "MAX_SEGMENTS": 1_000},
        tiff: {"MAX_TAG_VALUES": 10_000},
    }.items():
        for name, bound in bounds.items():
            monkeypatch.setattr(module, name, bound)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told(kind, low_bounds):
    started = time.process_time()
    told(KINDS[kind](1_000_000))
    assert time.process_time() - started < SECONDS / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_within_seconds(kind):
    data = KINDS[kind](SIZE)
    started = time.process_time()
    told(data)
    assert time.process_time() - started < SECONDS


def test_there_are_many_kinds():
    assert len(KINDS) >= 40


def test_an_image_with_much_beside_its_pixels_passes():
    data, video = encoded(IMAGE, "JPEG"), bytes(50_000_000)
    much = data[:2] + 200 * segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) + data[2:] + video
    np.testing.assert_array_equal(np.asarray(decode(much)), np.asarray(decode(data)))


@pytest.mark.parametrize("kind", decoding.FORMATS)
def test_a_large_image_stays_far_below_the_bounds(kind, monkeypatch):
    """Noise, the most bytes a pixel; a bound twentieth of the real one would do for an image of this size."""
    for name in ("MAX_READS", "MAX_TEXTS"):
        monkeypatch.setattr(work, name, getattr(work, name) // 20)
    monkeypatch.setattr(work, "ALLOWANCE", 2**16)
    monkeypatch.setattr(jpeg2000, "MAX_PACKETS", jpeg2000.MAX_PACKETS // 20)
    noise = np.random.default_rng(1).integers(0, 256, (1_500, 1_500, 3), dtype=np.uint8)
    options = {"progressive": True} if kind == "JPEG" else {"speed": 10} if kind == "AVIF" else {}
    data = encoded(Image.fromarray(noise), {"MPO": "JPEG"}.get(kind, kind), **options)
    assert decode(data).size == (1_500, 1_500)


@pytest.mark.parametrize("white", [100, 300, 1_023, 65_535])
@pytest.mark.parametrize(("form", "channels"), [(b"P5", 1), (b"P6", 3)])
def test_a_ppm_of_another_range_is_scaled_at_once_and_as_pillow_does(form, channels, white):
    values = np.random.default_rng(2).integers(0, white + 1, 20 * 30 * channels)
    kind = ">u2" if white > 255 else "u1"
    data = form + f" 30 20 {white}\n".encode() + values.astype(kind).tobytes()
    found = np.asarray(decode(data))
    with Image.open(io.BytesIO(data)) as opened:
        wanted = np.asarray(opened)
    wanted = np.rint(wanted / 257) if wanted.dtype != np.uint8 else wanted
    np.testing.assert_array_equal(found, np.broadcast_to(wanted.reshape(20, 30, channels), found.shape))
    told(data[:-1])
    large = form + f" 8000 8000 {white}\n".encode() + values.astype(kind)[:1].tobytes() * 64_000_000 * channels
    if len(large) < decoding.MAX_BYTES:
        started = time.process_time()
        assert decode(large).size == (8_000, 8_000)
        assert time.process_time() - started < SECONDS


def test_scans_are_bounded_by_the_pixels_too():
    whole = encoded(Image.new("L", (8_000, 8_000), 128), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    assert "more than 46 scans" in told(whole[:-2] + 60 * last + whole[-2:])


def test_a_metered_file_says_that_it_is_read_too_much():
    file = work.Metered(b"abc")
    file.bytes = 5
    assert file.read() == b"abc"
    file.seek(0)
    with pytest.raises(ImageError, match="too many parts"):
        file.read()


def test_a_tag_larger_than_its_file_is_no_reason_to_refuse_it():
    data = bytearray(encoded(IMAGE, "TIFF"))
    at = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, at)[0]
    tags = [struct.unpack_from("<HHI", data, at + 2 + 12 * i) for i in range(entries)]
    place = at + 2 + 12 * [tag for tag, _, _ in tags].index(284)  # planar configuration, whose default is what it says
    struct.pack_into("<HHI", data, place, 40_000, 4, 10**9)
    tiff.check_tiff(bytes(data))
