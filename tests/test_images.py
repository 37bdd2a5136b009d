"""Images as people have them: every kind has a defined outcome, everything unusable one clear line."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memjax import decoding
from memjax.checks import InputError
from memjax.images import ImageError, decode, normalise, read_image, read_images, resize_crop
from memjax.preprocessing import Preprocessing, preprocessing_from_config


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_rgb_is_kept_bit_for_bit():
    pixels = noise(5, 7)
    np.testing.assert_array_equal(np.asarray(decode(encoded(Image.fromarray(pixels)))), pixels)


def test_grey_is_repeated():
    grey = noise(4, 6, channels=1)
    out = np.asarray(decode(encoded(Image.fromarray(grey))))
    np.testing.assert_array_equal(out, np.repeat(grey[..., None], 3, axis=2))


def test_transparency_is_laid_over_white():
    pixels = np.zeros((3, 4, 4), np.uint8)
    pixels[0, :, :3], pixels[0, :, 3] = 80, 255  # opaque row; the rest is fully transparent black
    out = np.asarray(decode(encoded(Image.fromarray(pixels, "RGBA"))))
    assert (out[0] == 80).all()
    assert (out[1:] == 255).all()


def test_palette_with_a_transparent_colour():
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    out = np.asarray(decode(encoded(image, "PNG", transparency=0)))
    assert out[0, 0].tolist() == [255, 255, 255]
    assert out[0, 1].tolist() == [200, 100, 50]


def test_cmyk_is_converted_by_pillow():
    image = Image.fromarray(noise(5, 5, 4), "CMYK")
    with Image.open(io.BytesIO(encoded(image, "JPEG"))) as opened:
        wanted = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(np.asarray(decode(encoded(image, "JPEG"))), wanted)


@pytest.mark.parametrize("kind", decoding.FORMATS)
def test_every_format_that_is_named_opens_in_a_new_process(kind):
    kind = {"MPO": "JPEG"}.get(kind, kind)  # a phone's JPEG with one image
    assert decode(encoded(Image.fromarray(noise(8, 8)), kind)).size == (8, 8)


def refused(data: bytes, stage: str = "decode", **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, **options)
    assert caught.value.stage == stage
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_decoded_is_one_line():
    whole = encoded(Image.fromarray(noise(40, 40)), "JPEG")
    assert "empty" in refused(b"")
    refused(whole[: len(whole) // 2])
    assert "format" in refused(b"this is no image")
    assert "format" in refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>")


def test_animations_and_bombs_are_refused():
    frames = [Image.fromarray(noise(6, 6, seed=i)) for i in range(3)]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert "animation" in refused(animated)
    bomb = encoded(Image.new("1", (4000, 4000)))
    assert len(bomb) < 10_000
    assert "pixels" in refused(bomb, max_pixels=1_000_000)
    thin = Image.new("RGB", (1, 60_000))
    with pytest.raises(ImageError, match="resized"):
        resize_crop(thin, Preprocessing(resize=256, crop=(224, 224)))


def test_what_would_take_for_ever_is_refused():
    progressive = encoded(Image.fromarray(noise(16, 16, 1)), "JPEG", progressive=True)
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    assert decode(progressive[:-2] + 5 * last + progressive[-2:]).size == (16, 16)
    assert "scans" in refused(progressive[:-2] + decoding.MAX_SCANS * last + progressive[-2:])
    after = progressive + decoding.MAX_SCANS * last  # trailing bytes are not part of the image, as in a phone's video
    assert decode(after).size == (16, 16)
    assert "text form" in refused(b"P3 1 1 255\n1 2 3\n")
    pages = [Image.fromarray(noise(4, 4, seed=i)) for i in range(2)]
    assert "stack" in refused(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))


def test_files_that_cannot_be_read_name_the_path(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    for name in ("none.jpg", "folder.jpg"):
        with pytest.raises(ImageError, match=name) as caught:
            decode(tmp_path / name)
        assert caught.value.stage == "read"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]))
def test_damaged_files_never_crash(junk, cut, kind):
    whole = encoded(Image.fromarray(noise(12, 12)), kind)
    damaged = whole[:cut] + junk + whole[cut + len(junk) :]
    try:
        image = decode(damaged)
    except ImageError:
        return  # any other exception fails the test
    assert image.mode == "RGB"


@pytest.mark.parametrize(("height", "width"), [(50, 80), (80, 50), (64, 64), (20, 300)])
def test_shortest_edge_then_centre_crop(height, width):
    out = resize_crop(Image.fromarray(noise(height, width)), Preprocessing(resize=40, crop=(32, 24)))
    assert out.shape == (32, 24, 3)


def test_a_crop_larger_than_the_image_is_padded_with_zeros():
    pixels = np.full((10, 10, 3), 200, np.uint8)
    out = resize_crop(Image.fromarray(pixels), Preprocessing(resize=None, crop=(14, 14)))
    assert (out[2:12, 2:12] == 200).all()
    assert out.sum() == 200 * 300


def test_normalise_follows_its_formula():
    pre = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
    pixels = noise(3, 4)
    wanted = (pixels / 255 - np.array(pre.mean)) / np.array(pre.std)
    np.testing.assert_allclose(normalise(pixels, pre), wanted, rtol=1e-6, atol=1e-6)


def test_a_batch_is_its_images(tmp_path):
    pre = Preprocessing(resize=(16, 20), crop=None)
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(noise(30 + i, 30, seed=i)).save(paths[-1])
    batch = read_images(paths, pre)
    assert batch.shape == (3, 16, 20, 3)
    assert batch.dtype == np.float32
    for row, path in zip(batch, paths):
        np.testing.assert_array_equal(row, read_image(path, pre))


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 1), (30, 40, 3), (30, 40, 4)])
def test_an_image_gives_the_same_pixels_in_every_form(tmp_path, shape):
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if shape[2:] == (1,) else pixels)
    path = tmp_path / "a.png"
    image.save(path)
    with Image.open(path) as opened:
        forms = [path, str(path), path.read_bytes(), image, opened, pixels, pixels[:, ::-1][:, ::-1]]
        found = read_images(forms, Preprocessing(resize=(16, 20), crop=None))
    for row in found:
        np.testing.assert_array_equal(row, found[0])
    np.testing.assert_array_equal(np.asarray(image), pixels.reshape(np.asarray(image).shape), "and is left as it was")


def unchecked(function):
    """A function as a user calls it: without the checks of types that the tests add."""
    return function.__wrapped__


@pytest.mark.parametrize(
    ("source", "came"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]"),
        (np.zeros((3, 4, 6), np.uint8), r"uint8 \[3, 4, 6\]"),
        (np.zeros((0, 4), np.uint8), r"uint8 \[0, 4\]"),
        (np.zeros(4, np.uint8), r"uint8 \[4\]"),
        (3.5, "3.5"),
        (None, "None"),
        ({"image": 1}, "a dict"),
    ],
)
def test_what_is_no_form_of_an_image_is_one_line(source, came):
    with pytest.raises(ImageError, match=rf"a uint8 array \[y, x\].* got {came}(; .*)?$") as caught:
        unchecked(decode)(source)
    assert caught.value.stage == "decode"


def test_a_list_says_which_of_its_images_is_none():
    images = [noise(4, 4), np.zeros((4, 4, 3), np.float32)]
    with pytest.raises(
        ImageError, match=r"^images\[1\]: expected an image .* got float32 \[4, 4, 3\]; write .*uint8\)$"
    ):
        read_images(images, Preprocessing(resize=(4, 4), crop=None))


def test_one_image_where_a_list_is_expected_is_refused(tmp_path):
    image = Image.fromarray(noise(4, 4))
    for one in ("a.jpg", tmp_path / "a.jpg", b"bytes", image, noise(4, 4)):
        with pytest.raises(InputError, match=r"^images: expected a list of images, got .*; write \[(image|'.*')\]$"):
            unchecked(read_images)(one, Preprocessing())
    batch = np.stack([noise(4, 4, seed=i) for i in range(2)])
    pre = Preprocessing(resize=(4, 4), crop=None)
    np.testing.assert_array_equal(read_images(batch, pre), read_images(list(batch), pre))


def test_config_with_unknown_fields_is_refused_by_name():
    config = {"image_processor_type": "CLIPImageProcessor", "do_sharpen": True}
    with pytest.raises(InputError, match="do_sharpen"):
        preprocessing_from_config(config)


def test_config_forms_of_sizes():
    def made(**fields: object) -> Preprocessing:
        return preprocessing_from_config({"image_processor_type": "CLIPImageProcessor", **fields})

    assert made(size=200).resize == made(size={"shortest_edge": 200}).resize == 200
    assert made(size={"height": 30, "width": 40}).resize == (30, 40)
    assert made(crop_size=100).crop == made(crop_size={"height": 100, "width": 100}).crop == (100, 100)
    assert made(do_center_crop=False, size={"height": 30, "width": 40}).crop is None
    with pytest.raises(InputError, match="differ in size"):
        made(do_center_crop=False)
