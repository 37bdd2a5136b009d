"""The ways to decode: simplejpeg's pixels and failures are Pillow's; ``fast`` is near, bounded, and part of a run's identity."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import memjax
from benchmarks.generated_images import draw_image
from memjax.checks import InputError
from memjax.datasets import open_folder
from memjax.decoding import ImageError, decode_upright, rgb, turbo
from memjax.images import image_levels, read_images
from memjax.loader import batches
from memjax.pipelines.settings import SweepSettings
from memjax.preprocessing import Preprocessing
from memjax.store.identity import check_identity

pytest.importorskip("simplejpeg")
FAST = Preprocessing(resize=40, crop=(32, 32), decoder="fast")
EXACT = dataclasses.replace(FAST, decoder="exact")


def jpeg(mode: str = "RGB", size: tuple[int, int] = (61, 47), orientation: int = 1, **options: object) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    image = (
        draw_image(3, 61, 47) if min(size) > 99 else draw_image(3, *size)
    )  # no detail that a scaled decoding cuts off
    image.resize(size).convert(mode).save(file, "jpeg", exif=exif, **options)
    return file.getvalue()


def outcome(data: bytes) -> tuple[object, ...]:
    """An image's pixels and turn, or what was wrong with it."""
    try:
        found = decode_upright(data)
    except ImageError as error:
        return error.stage, str(error)
    return found.levels.tobytes(), found.image.size, found.size, found.turned


@pytest.fixture
def by_both(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], tuple[tuple[object, ...], tuple[object, ...]]]:
    """`outcome` with simplejpeg and without it."""

    def both(data: bytes) -> tuple[tuple[object, ...], tuple[object, ...]]:
        monkeypatch.setattr(turbo, "turbo_is_installed", lambda: True)
        first = outcome(data)
        monkeypatch.setattr(turbo, "turbo_is_installed", lambda: False)
        return first, outcome(data)

    return both


FORMS = {
    "plain": {}, "grey": {"mode": "L"}, "CMYK": {"mode": "CMYK"}, "progressive": {"progressive": True},
    "4:4:4": {"subsampling": 0}, "4:2:2": {"subsampling": 1}, "low quality": {"quality": 12}, "one pixel": {"size": (1, 1)},
    "thin": {"size": (3, 90)}, "restarts": {"restart_marker_rows": 1}, "optimised": {"optimize": True},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_has_the_pixels_of_pillow(form, orientation, by_both):
    ours, pillow = by_both(jpeg(orientation=orientation, **FORMS[form]))
    assert ours == pillow
    assert ours[-1] is (orientation > 1)


def test_simplejpeg_is_used_where_it_applies(monkeypatch):
    monkeypatch.setattr(turbo, "turbo_is_installed", lambda: True)
    assert isinstance(decode_upright(jpeg()).made, np.ndarray)
    assert isinstance(decode_upright(jpeg("CMYK")).made, Image.Image)


@pytest.mark.parametrize("form", ["plain", "grey", "progressive", "restarts"])
def test_a_damaged_jpeg_fails_or_not_as_with_pillow(form, by_both):
    data, rng = jpeg(**FORMS[form]), np.random.default_rng(5)
    cut = [data[:at] for at in (len(data) - 1, len(data) - 2, len(data) - 40, len(data) // 2, 300, 30, 3)]
    for _ in range(60):
        spoilt = bytearray(data)
        spoilt[rng.integers(2, len(data))] = rng.integers(0, 256)
        cut.append(bytes(spoilt))
    outcomes = [by_both(one) for one in [*cut, data + b"more", data + data]]
    assert [ours for ours, _ in outcomes] == [pillow for _, pillow in outcomes]
    assert {len(ours) for ours, _ in outcomes} == {2, 4}  # some fail, some do not


def test_a_jpeg_is_not_decoded_beyond_the_bounds(monkeypatch):
    monkeypatch.setattr(rgb, "turbo_levels", lambda *given: pytest.fail("decoded before its size was checked"))
    with pytest.raises(ImageError, match="more than the limit of 100"):
        decode_upright(jpeg(), max_pixels=100, least=4)


class TestFast:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("cykooz_resizer")

    @pytest.mark.parametrize("size", [(61, 47), (47, 61), (300, 200), (40, 40), (33, 41), (1000, 700), (2000, 90)])
    @pytest.mark.parametrize("orientation", [1, 6])
    @pytest.mark.parametrize("resample", [0, 1, 2, 3, 4, 5])
    def test_its_pixels_are_near_the_exact_ones(self, size, orientation, resample):
        data = jpeg(size=size, orientation=orientation)
        fast, exact = (image_levels(data, dataclasses.replace(pre, resample=resample)) for pre in (FAST, EXACT))
        assert (fast.pixels.shape, fast.turned) == (exact.pixels.shape, exact.turned)
        apart = np.abs(fast.pixels.astype(int) - exact.pixels)
        assert apart.mean() < 1.5
        assert resample in (1, 2, 3) or not apart.any()  # the other filters are Pillow's

    @pytest.mark.parametrize(
        "pre",
        [
            Preprocessing(resize=(24, 40), crop=None, decoder="fast"),
            Preprocessing(resize=(24, 40), crop=(30, 50), decoder="fast"),
            Preprocessing(resize=None, crop=(30, 50), decoder="fast"),
        ],
        ids=["stretched", "padded", "only cropped"],
    )
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    def test_every_geometry(self, pre, mode):
        data = jpeg(mode)
        fast, exact = (image_levels(data, dataclasses.replace(pre, decoder=kind)).pixels for kind in ("fast", "exact"))
        assert fast.shape == exact.shape == (*pre.image_size, 3)
        assert np.abs(fast.astype(int) - exact).max() <= (12 if pre.resize and pre.crop is None else 0)

    def test_other_formats_and_forms(self):
        image = draw_image(1, 90, 70)
        file = io.BytesIO()
        image.save(file, "png")
        several = [read_images([one], FAST) for one in (image, np.asarray(image), file.getvalue())]
        assert np.array_equal(several[0], several[1])
        assert np.array_equal(several[0], several[2])

    def test_a_large_jpeg_is_decoded_smaller_but_never_below_twice_the_size(self):
        assert decode_upright(jpeg(size=(1000, 700)), least=80).made.shape == (88, 125, 3)
        assert decode_upright(jpeg(size=(1000, 700)), least=88).made.shape == (175, 250, 3)
        assert decode_upright(jpeg(size=(100, 70)), least=80).made.shape == (70, 100, 3)

    def test_an_image_too_thin_is_refused_before_it_is_allocated(self):
        with pytest.raises(ImageError, match="would be resized"):
            image_levels(np.zeros((1, 30_000), np.uint8), dataclasses.replace(FAST, resize=4000))


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr("memjax.fast_pixels.turbo_is_installed", lambda: False)
    with pytest.raises(InputError, match=r"simplejpeg and cykooz-resizer; pip install 'memjax\[fast\]'") as caught:
        memjax.sweep(memjax.open_dataset("demo", limit=4), "memjax/tiny", settings=SweepSettings(decoder="fast"))
    assert caught.value.argument == "decoder"
    with pytest.raises(InputError, match="simplejpeg"):
        read_images([np.zeros((4, 4), np.uint8)], FAST)


@pytest.fixture
def photographs(tmp_path):
    """Twelve JPEG files with scores."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(12):
        draw_image(i, 80 + 5 * i, 70).save(folder / f"{i}.jpg")
    (tmp_path / "scores.csv").write_text("\n".join(["image,memorability", *(f"{i}.jpg,{i / 12}" for i in range(12))]))
    return open_folder(folder, tmp_path / "scores.csv")


def test_the_decoder_is_part_of_a_runs_identity(photographs, tmp_path, undrawn):
    pytest.importorskip("cykooz_resizer")
    exact, fast = (SweepSettings(bootstraps=20, decoder=kind) for kind in ("exact", "fast"))
    first = memjax.sweep(photographs, "memjax/tiny", tmp_path / "out", exact, progress=False)
    with pytest.raises(InputError, match="'decoder': 'fast'"):
        memjax.sweep(photographs, "memjax/tiny", tmp_path / "out", fast, progress=False)
    other = memjax.sweep(photographs, "memjax/tiny", tmp_path / "other", fast, progress=False)
    assert other.run.run_id != first.run.run_id
    assert other.run.settings["decoder"] == "fast"
    assert other.run.models[0].preprocessing["decoder"] == "fast"
    ours, theirs = (run.features["memjax/tiny"]["cls_norm"].values for run in (first, other))
    np.testing.assert_allclose(ours, theirs, rtol=0.05)
    assert not np.array_equal(ours, theirs)


def test_a_store_from_before_there_was_a_choice_was_exact(tmp_path):
    now = {"preprocessing": EXACT.to_json()}
    before = {"preprocessing": {name: value for name, value in now["preprocessing"].items() if name != "decoder"}}
    check_identity(tmp_path, "group", before, now)
    with pytest.raises(InputError, match="preprocessing was"):
        check_identity(tmp_path, "group", before, {"preprocessing": FAST.to_json()})


def test_batches_are_read_by_it(photographs):
    pytest.importorskip("cykooz_resizer")
    (batch,) = batches(photographs, FAST, 12)
    for row in range(12):
        assert np.array_equal(batch.pixels[row], image_levels(photographs.records[row].data, FAST).pixels)
