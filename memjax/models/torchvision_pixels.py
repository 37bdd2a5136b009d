"""How timm and OpenCLIP make pixels, in the fields of a Hugging Face processor (`memjax.preprocessing` reads them).

Both resize and crop with torchvision on Pillow images. Ways that would pad an image are refused by name.
"""

import math
from collections.abc import Mapping
from typing import Any

from memjax.checks import expected
from memjax.models.timm_models import input_size
from memjax.schema import Allowed, check_field, shown

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Names of interpolations in timm and OpenCLIP -> Pillow's filters."""

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
OPENAI = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
CROP_PCT = 0.875
"""What timm resizes to, where nothing says: this share of it is cropped."""


def timm_pixels(pretrained: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What ``timm.data.create_transform`` makes of a ``pretrained_cfg``.

    The sides are floored: 224 pixels at ``crop_pct`` 0.9 are cropped of 248.

    Args:
        pretrained: of a config.json.
        where: the file, for the error.

    Raises:
        InputError: a field out of its bounds, or a way to crop that pads the image.

    Example:
        >>> timm_pixels({"input_size": [3, 224, 224], "crop_pct": 0.9}, "config.json")["size"]
        {'shortest_edge': 248}
    """
    y, x = input_size(pretrained, where)
    share = pretrained.get("crop_pct") or CROP_PCT
    check_field(share, Allowed("number", 0.05, 1), f"{where}, crop_pct")
    mode = pretrained.get("crop_mode") or "center"
    check_field(mode, Allowed("text", choices=("center", "squash")), f"{where}, crop_mode")
    high, wide = math.floor(y / share), math.floor(x / share)
    if mode == "center" and high != wide:
        raise expected(f"{where}, input_size", "a square where crop_mode is center", shown(pretrained["input_size"]))
    size = {"shortest_edge": high} if mode == "center" else _sides(high, wide)
    return _fields(pretrained, IMAGENET, where) | {"size": size, "crop_size": _sides(y, x), "do_center_crop": True}


def open_clip_pixels(config: Mapping[str, Any], vision: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What OpenCLIP's ``image_transform`` makes of a ``preprocess_cfg``, for images of the tower's size.

    Args:
        config: an open_clip_config.json.
        vision: its ``vision_cfg``, whose ``image_size`` is known to be one.
        where: the file, for the error.

    Raises:
        InputError: a field out of its bounds, or a way to resize that pads the image.
    """
    given = config.get("preprocess_cfg") or {}
    if not isinstance(given, dict):
        raise expected(f"{where}, preprocess_cfg", "an object", shown(given))
    mode = given.get("resize_mode") or "shortest"
    check_field(mode, Allowed("text", choices=("shortest", "squash")), f"{where}, resize_mode")
    check_field(given.get("mode", "RGB"), Allowed("text", choices=("RGB",)), f"{where}, mode")
    size = vision.get("image_size", 224)
    y, x = (size, size) if isinstance(size, int) else size
    fields = _fields(given, OPENAI, where)
    if mode == "squash":
        return fields | {"size": _sides(y, x), "do_center_crop": False}
    if y != x:
        raise expected(f"{where}, image_size", "a square where resize_mode is shortest", shown(size))
    return fields | {"size": {"shortest_edge": y}, "crop_size": _sides(y, x), "do_center_crop": True}


def _sides(y: int, x: int) -> dict[str, int]:
    return {"height": y, "width": x}


def _fields(given: Mapping[str, Any], default: tuple[list[float], list[float]], where: str) -> dict[str, Any]:
    """What both say with the same words."""
    name = given.get("interpolation") or "bicubic"
    check_field(name, Allowed("text", choices=tuple(FILTERS)), f"{where}, interpolation")
    return {
        "image_processor_type": "BitImageProcessor",
        "resample": FILTERS[name],
        "image_mean": _triple(given, "mean", default[0], where),
        "image_std": _triple(given, "std", default[1], where),
        "do_convert_rgb": True,
    }


def _triple(given: Mapping[str, Any], name: str, default: list[float], where: str) -> list[float]:
    found = given.get(name) or default
    values = found if isinstance(found, (list, tuple)) else [found] * 3
    if len(values) != 3:
        raise expected(f"{where}, {name}", "a number for each of 3 channels", shown(found))
    for value in values:
        check_field(value, Allowed("number", 1e-6 if name == "std" else -1e6, 1e6), f"{where}, {name}")
    return [float(value) for value in values]
