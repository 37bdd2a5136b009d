"""Pixels against the library's own PIL processors: the same uint8 image after resizing, 1e-6 after normalisation."""

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="parity needs torch (CPU build) and transformers")
transformers = pytest.importorskip("transformers")

from PIL import Image

from memjax.images import decode, normalise, resize_crop
from memjax.models.presets import processor
from memjax.preprocessing import preprocessing_from_config

PROCESSORS = {
    "clip": "CLIPImageProcessorPil",
    "siglip": "SiglipImageProcessorPil",
    "dinov2": "BitImageProcessorPil",
    "vit": "ViTImageProcessorPil",
    "deit": "DeiTImageProcessorPil",
    "vit_mae": "ViTImageProcessorPil",
}


def varied(count: int) -> list[bytes]:
    """Encoded images of many sizes, kinds and contents: smooth, noisy, saturated, grey, transparent."""
    rng = np.random.default_rng(17)
    made = []
    for i in range(count):
        height, width = (int(s) for s in rng.integers(40, 620, 2))
        coarse = rng.integers(0, 256, (rng.integers(2, 60), rng.integers(2, 60), 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling(int(rng.integers(0, 4))))
        kind, options = [("PNG", {}), ("JPEG", {"quality": 60 + i % 40}), ("WEBP", {})][i % 3]
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        made.append(buffer.getvalue())
    return made


def compare(family: str, images: list[bytes]) -> None:
    config = processor(family, 224)
    ours = preprocessing_from_config(config)
    class_ = getattr(transformers, PROCESSORS[family])
    fields = {k: v for k, v in config.items() if k != "image_processor_type"}
    theirs = class_(**fields)
    levels = class_(**{**fields, "do_rescale": False, "do_normalize": False})
    for data in images:
        with Image.open(io.BytesIO(data)) as image:
            image = image.convert("RGB")
            resized = np.asarray(levels(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
            values = np.asarray(theirs(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        pixels = resize_crop(decode(data), ours)
        assert np.abs(pixels.astype(np.float64) - resized).max() == 0
        assert np.abs(normalise(pixels, ours) - values).max() <= 1e-6


@pytest.mark.parametrize("family", PROCESSORS)
def test_a_few_images(family):
    compare(family, varied(6))


@pytest.mark.slow
@pytest.mark.parametrize("family", PROCESSORS)
def test_fifty_images(family):
    compare(family, varied(50))


def test_kinds_of_images_as_the_processor_converts_them():
    """Palette, alpha, grey and CMYK go through CLIP's own conversion to RGB; 16-bit grey is that of its value / 257.

    The processor would clip 16-bit grey at 255, a white sheet; so it is given the 8-bit image that stands for it.
    """
    config = processor("clip", 224)
    theirs = transformers.CLIPImageProcessorPil(**{k: v for k, v in config.items() if k != "image_processor_type"})
    rng = np.random.default_rng(3)
    rgb = Image.fromarray(rng.integers(0, 256, (240, 260, 3), dtype=np.uint8))
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, (240, 260), dtype=np.uint8)))
    kinds = {"RGBA": (alpha, "PNG"), "P": (rgb.quantize(64), "PNG"), "L": (rgb.convert("L"), "PNG"),
             "CMYK": (rgb.convert("CMYK"), "JPEG"), "LA": (alpha.convert("LA"), "PNG"),
             "I;16": (Image.fromarray(rng.integers(0, 65536, (240, 260), dtype=np.uint16)), "PNG")}  # fmt: skip
    pre = preprocessing_from_config(config)
    for name, (image, kind) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, kind)
        with Image.open(io.BytesIO(buffer.getvalue())) as stored:
            deep = np.asarray(stored) if name == "I;16" else None
            opened = stored.copy() if deep is None else Image.fromarray(np.rint(deep / 257).astype(np.uint8))
            values = np.asarray(theirs(opened, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        ours = normalise(resize_crop(decode(buffer.getvalue()), pre), pre)
        assert np.abs(ours - values).max() <= 1e-6, name
