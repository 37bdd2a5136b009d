"""EXIF orientation: images are measured as people saw them, once, and damaged EXIF is no reason not to measure them."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import memjax
from memjax.datasets import open_folder, open_table
from memjax.decoding import decode, decode_upright
from memjax.images import read_images
from memjax.loader import batches
from memjax.preprocessing import Preprocessing

PRE = Preprocessing(resize=(24, 24), crop=None)
WITH_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO")
EXACT = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}


def pixels(seed: int = 0, height: int = 16, width: int = 24) -> np.ndarray:
    """Smooth, so that a lossy format keeps it."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR))


def taken(orientation: int, form: str = "JPEG", seed: int = 0, mode: str = "RGB") -> bytes:
    """A file as a camera writes it that was held so."""
    image, exif, file = Image.fromarray(pixels(seed)).convert(mode), Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    options: dict = {"save_all": True, "append_images": [image]} if form == "MPO" else EXACT.get(form, {})
    image.save(file, form, exif=exif, **options)
    return file.getvalue()


def as_seen(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))


@pytest.mark.parametrize("form", WITH_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_format_is_as_pillow_turns_it(form, orientation):
    data = taken(orientation, form)
    found = decode_upright(data)
    np.testing.assert_array_equal(np.asarray(found.image), as_seen(data))
    assert found.turned == (orientation > 1)
    assert found.image.size == ((24, 16) if orientation < 5 else (16, 24))


@pytest.mark.parametrize("form", [form for form in WITH_EXIF if form != "TIFF"])
def test_the_stored_pixels_are_those_that_pillow_opens(form):
    data = taken(6, form)
    found = decode_upright(data, orient=False)
    with Image.open(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.asarray(found.image), np.asarray(opened.convert("RGB")))
    assert (found.image.size, found.turned) == ((24, 16), False)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_every_mode_is_turned(mode):
    image = Image.fromarray(pixels()).convert("L").convert("I").convert(mode) if mode == "I;16" else None
    data = taken(8, "PNG", mode=mode) if image is None else b""
    if image is not None:
        file, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 8
        image.save(file, "PNG", exif=exif)
        data = file.getvalue()
    upright = decode(data)
    np.testing.assert_array_equal(np.asarray(upright), np.rot90(np.asarray(decode(data, orient=False))))
    assert upright.size == (16, 24)


def test_an_image_that_pillow_opened_is_the_same_and_left_as_it_was(tmp_path):
    (tmp_path / "a.jpg").write_bytes(taken(6))
    with Image.open(tmp_path / "a.jpg") as opened:
        forms = [tmp_path / "a.jpg", taken(6), opened, ImageOps.exif_transpose(opened)]
        found = read_images(forms, PRE)
        assert opened.size == (24, 16)
    for row in found[1:]:
        np.testing.assert_array_equal(row, found[0])


@pytest.mark.parametrize("text", ['tiff:Orientation="6"', "<tiff:Orientation>6</tiff:Orientation>"])
def test_xmp_says_it_where_exif_does_not(text):
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "WEBP", lossless=True, xmp=text.encode())
    np.testing.assert_array_equal(np.asarray(decode(file.getvalue())), np.rot90(pixels(), -1))


def test_imagemagicks_form_in_a_png():
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 3
    block = exif.tobytes()
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{block.hex()}\n")
    Image.fromarray(pixels()).save(file, "PNG", pnginfo=info)
    np.testing.assert_array_equal(np.asarray(decode(file.getvalue())), pixels()[::-1, ::-1])


def with_block(block: bytes) -> bytes:
    """A JPEG with this as its EXIF."""
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "JPEG", quality=100, subsampling=0)
    data = file.getvalue()
    app0 = 4 + int.from_bytes(data[4:6], "big")
    return data[:app0] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + data[app0:]


def entries(order: str, *tags: tuple[int, int, int, int]) -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = struct.pack(order + "IH", 8, len(tags))
    for tag, kind, count, value in tags:
        body += struct.pack(order + "HHI", tag, kind, count)
        body += struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    return head + body + bytes(4)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_both_byte_orders_and_sizes_of_the_number(order, kind):
    data = with_block(entries(order, (0x0100, 4, 1, 24), (0x0112, kind, 1, 6)))
    assert decode_upright(data).turned
    np.testing.assert_array_equal(np.asarray(decode(data)), as_seen(data))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF|Possibly corrupt|Tag data larger|Truncated:UserWarning")
@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 90), st.integers(0, 12))
def test_damaged_exif_never_fails_an_image(junk, at, orientation):
    block = entries("<", (0x0112, 3, 1, orientation), (0x8769, 4, 1, 8), (0x010F, 2, 2**31, 2**31))
    for damaged in (block[:at], block[:at] + junk + block[at + len(junk) :], junk):
        assert sorted(decode(with_block(damaged)).size) == [16, 24]
        png = io.BytesIO()
        Image.fromarray(pixels()).save(png, "PNG", exif=b"Exif\0\0" + damaged)
        assert sorted(decode(png.getvalue()).size) == [16, 24]


def test_a_block_of_entries_over_one_another_is_read_at_once():
    tags = ((1_000 + i, 7, 2**24, 100) for i in range(60_000))
    file = io.BytesIO()
    Image.fromarray(pixels()).save(
        file, "PNG", exif=b"Exif\0\0" + entries("<", *tags, (0x0112, 3, 1, 3)) + bytes(2**25)
    )
    np.testing.assert_array_equal(np.asarray(decode(file.getvalue())), pixels()[::-1, ::-1])


@pytest.fixture
def folder(tmp_path):
    """Twelve images, of which five were taken with the camera turned."""
    home = tmp_path / "images"
    home.mkdir()
    rows = ["image,memorability"]
    for i, orientation in enumerate([1, 6, 1, 3, 8, 1, 1, 2, 1, 1, 6, 1]):
        (home / f"{i}.jpg").write_bytes(taken(orientation, seed=i))
        rows.append(f"{i}.jpg,{(7 * i) % 12 / 12}")
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_say_which_were_turned(folder, workers):
    dataset = open_folder(folder / "images", folder / "scores.csv")
    found = list(batches(dataset, PRE, 8, workers=workers))
    turned = {name for batch in found for name, was in zip(batch.ids, batch.turned) if was}
    assert turned == {"1.jpg", "3.jpg", "4.jpg", "7.jpg", "10.jpg"}
    stored = Preprocessing(resize=(24, 24), crop=None, orientation="stored")
    assert not any(batch.turned.any() for batch in batches(dataset, stored, 8))


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_counts_them_and_the_setting_is_part_of_its_identity(folder, capsys):
    from memjax.cli.terminal import show_sweep

    dataset = open_folder(folder / "images", folder / "scores.csv")
    runs = {}
    for orientation in ("exif", "stored"):
        chosen = memjax.SweepSettings(bootstraps=10, orientation=orientation)
        runs[orientation] = memjax.sweep(dataset, "memjax/tiny", folder / orientation, chosen, progress=False)
        show_sweep(runs[orientation])
        said = "5 images were turned upright by their EXIF orientation" in capsys.readouterr().out
        assert said == (orientation == "exif")
        record = json.loads((folder / orientation / "run.json").read_text())
        assert record["settings"]["orientation"] == orientation
        assert record["models"][0]["preprocessing"]["orientation"] == orientation
        assert record.get("turned") == (5 if orientation == "exif" else 0)
    assert runs["exif"].run.run_id != runs["stored"].run.run_id
    values = {name: run.features["memjax/tiny"]["cls_mean"].values for name, run in runs.items()}
    differ = (values["exif"] != values["stored"]).any(axis=1)
    assert np.flatnonzero(differ).tolist() == [1, 3, 4, 7, 10]
    with pytest.raises(memjax.InputError, match="orientation"):
        memjax.sweep(
            dataset, "memjax/tiny", folder / "exif", memjax.SweepSettings(orientation="stored"), progress=False
        )


def test_a_sweep_measures_what_an_upright_copy_gives(folder):
    dataset = open_folder(folder / "images", folder / "scores.csv")
    upright = [Image.fromarray(as_seen(dataset.records[i].data)) for i in range(len(dataset))]
    copied = open_table(dataset.table.reset_index(), upright)
    ours, theirs = (next(batches(data, PRE, 12)).pixels for data in (dataset, copied))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_no_image_of_lnsim_is_turned(lnsim_dir):
    files = sorted((lnsim_dir / "Image_data").glob("*.jpg"))
    assert len(files) == 2632
    for file in files:
        found = decode_upright(file)
        assert not found.turned
        with Image.open(file) as opened:
            np.testing.assert_array_equal(np.asarray(found.image), np.asarray(opened.convert("RGB")))
