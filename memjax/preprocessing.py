"""How an encoder's pixels are made, and how that is read from a Hugging Face ``preprocessor_config.json``.

Fields that a file leaves out, or gives as null, take the defaults of its processor's class (`PROCESSORS`), as in
transformers. A field that would change the pixels and that we do not know is refused by name.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from memjax.checks import InputError, expected

Orientation: TypeAlias = Literal["exif", "stored"]


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How an encoder's pixels are made; sizes in pixels.

    Attributes:
        resize: None, the length of the shortest edge, or ``(y, x)``.
        crop: None, or the centre crop ``(y, x)``.
        resample: Pillow's filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming.
        rescale: factor on the grey levels 0..255; None leaves them.
        mean, std: per channel, after rescaling; both None where nothing is normalised.
        convert_rgb: whether the processor itself converts to RGB (images always end as RGB here).
        orientation: ``"exif"`` turns images as their EXIF orientation says, as people saw them; ``"stored"`` leaves them.
    """

    resize: int | tuple[int, int] | None = 256
    crop: tuple[int, int] | None = (224, 224)
    resample: int = 3
    rescale: float | None = 1 / 255
    mean: tuple[float, float, float] | None = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] | None = (0.229, 0.224, 0.225)
    convert_rgb: bool = True
    orientation: Orientation = "exif"

    @property
    def image_size(self) -> tuple[int, int]:
        """Size ``(y, x)`` of every prepared image.

        Raises:
            InputError: the size would depend on the image.
        """
        if self.crop is not None:
            return self.crop
        if isinstance(self.resize, tuple):
            return self.resize
        raise InputError(
            f"preprocessing: images would differ in size (resize {self.resize}, no crop); "
            "give a crop size, or a resize to height and width"
        )

    def to_json(self) -> dict[str, object]:
        """The fields as JSON types, for ``run.json`` and the store."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}


HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

_CLIP: dict[str, object] = {
    "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "size": {"shortest_edge": 224},
    "default_to_square": False, "crop_size": 224, "do_center_crop": True, "do_convert_rgb": True,
}  # fmt: skip
_VIT: dict[str, object] = {"resample": 2, "image_mean": HALF, "image_std": HALF, "size": 224}

PROCESSORS: dict[str, dict[str, object]] = {
    "CLIP": _CLIP,
    "Bit": _CLIP,
    "Siglip": {**_VIT, "resample": 3, "size": {"height": 224, "width": 224}, "default_to_square": False,
               "do_convert_rgb": True},
    "ViT": _VIT,
    "DeiT": {**_VIT, "resample": 3, "size": 256, "crop_size": 224, "do_center_crop": True},
    "DINOv3ViT": {**_VIT, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD},
}  # fmt: skip
"""Class defaults of transformers' processors, by the stem of the class name (``<stem>ImageProcessor``)."""

_COMMON = {
    "do_resize": True, "do_center_crop": False, "do_rescale": True, "do_normalize": True, "do_convert_rgb": False,
    "rescale_factor": 1 / 255, "default_to_square": True, "crop_size": None,
}  # fmt: skip
# Fields that say how arrays are handed over or which class reads the file; they do not touch the pixels of one image.
_NEUTRAL = {
    "_processor_class", "_valid_processor_keys", "auto_map", "data_format", "device", "disable_grouping",
    "feature_extractor_type", "image_processor_type", "image_seq_length", "input_data_format", "processor_class",
    "return_tensors", "use_fast",
}  # fmt: skip
_SUFFIXES = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor")


def preprocessing_from_config(config: Mapping[str, object]) -> Preprocessing:
    """Read a ``preprocessor_config.json``, current or legacy.

    Sizes may be an int (a square or a shortest edge, as the class has it), a pair, ``{"shortest_edge"}`` or
    ``{"height", "width"}``.

    Args:
        config: the file's contents.

    Raises:
        InputError: unknown processor, unknown or contradicting fields (all named), sizes that leave images unequal.

    Example:
        >>> preprocessing_from_config({"image_processor_type": "CLIPImageProcessor", "size": 224}).resize
        224
    """
    given = {key: value for key, value in config.items() if value is not None}
    fields = {**_COMMON, **_class_defaults(given)}
    unknown = sorted(set(given) - set(fields) - _NEUTRAL)
    unknown = [k for k in unknown if not (k == "do_pad" and given[k] is False)]
    if unknown:
        shown = ", ".join(f"{k}={given[k]!r}" for k in unknown)
        raise InputError(f"preprocessor_config.json: fields that memjax does not know: {shown}")
    fields.update((key, value) for key, value in given.items() if key in fields)
    square = bool(fields["default_to_square"])
    norm, rgb = _flag(fields, "do_normalize"), _flag(fields, "do_convert_rgb")
    crop = _size(fields["crop_size"], "crop_size", True) if _flag(fields, "do_center_crop") else None
    if isinstance(crop, int):
        raise expected("preprocessor_config.json, crop_size", "height and width", fields["crop_size"])
    pre = Preprocessing(
        resize=_size(fields["size"], "size", square) if _flag(fields, "do_resize") else None,
        crop=crop,
        resample=_resample(fields["resample"]),
        rescale=_number(fields["rescale_factor"], "rescale_factor") if _flag(fields, "do_rescale") else None,
        mean=_triple(fields["image_mean"], "image_mean") if norm else None,
        std=_triple(fields["image_std"], "image_std", positive=True) if norm else None,
        convert_rgb=rgb,
    )
    pre.image_size  # noqa: B018  (refuses a size that depends on the image)
    return pre


def _class_defaults(config: Mapping[str, object]) -> dict[str, object]:
    name = str(config.get("image_processor_type", config.get("feature_extractor_type", "")))
    suffix = next((s for s in _SUFFIXES if name.endswith(s)), None)
    stem = name.removesuffix(suffix) if suffix else ""
    if stem not in PROCESSORS:
        wanted = f"one of {', '.join(f'{known}ImageProcessor' for known in PROCESSORS)}"
        raise expected("preprocessor_config.json, image_processor_type", wanted, repr(name) if name else "none")
    return PROCESSORS[stem]


def _size(value: object, name: str, square: bool) -> int | tuple[int, int]:
    """A size field as a shortest edge (int) or ``(y, x)``."""
    if isinstance(value, Mapping):
        given = {k: v for k, v in value.items() if v is not None}
        if set(given) == {"shortest_edge"}:
            return _pixels(given["shortest_edge"], name)
        if set(given) == {"height", "width"}:
            return _pixels(given["height"], name), _pixels(given["width"], name)
    elif isinstance(value, (list, tuple)) and len(value) == 2:
        return _pixels(value[0], name), _pixels(value[1], name)
    elif isinstance(value, int):
        return (_pixels(value, name),) * 2 if square else _pixels(value, name)
    wanted = "an int, {'shortest_edge'} or {'height', 'width'}"
    raise expected(f"preprocessor_config.json, {name}", wanted, repr(value))


def _pixels(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 16384:
        return value
    raise expected(f"preprocessor_config.json, {name}", "a number of pixels from 1 to 16384", repr(value))


def _resample(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 5:
        return int(value)
    raise expected("preprocessor_config.json, resample", "Pillow's filter number, 0 to 5", repr(value))


def _flag(fields: Mapping[str, object], name: str) -> bool:
    if isinstance(fields[name], bool):
        return fields[name]
    raise expected(f"preprocessor_config.json, {name}", "true or false", repr(fields[name]))


def _number(value: object, name: str, positive: bool = False) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if usable and (value > 0 or not positive):
        return float(value)
    raise expected(f"preprocessor_config.json, {name}", f"a {'positive ' * positive}number", repr(value))


def _triple(value: object, name: str, positive: bool = False) -> tuple[float, float, float]:
    values = value if isinstance(value, (list, tuple)) else [value] * 3
    if len(values) != 3:
        raise expected(f"preprocessor_config.json, {name}", "a number or one for each of 3 channels", repr(value))
    first, second, third = (_number(v, name, positive) for v in values)
    return first, second, third


def normalise_table(pre: Preprocessing) -> Float[np.ndarray, "256 3"]:
    """What each grey level becomes in each channel: float32 ``[256, 3]``; the whole of `memjax.images.normalise` in one table.

    ``float32(level * rescale)``, the product in float64; then ``(value - mean) / std`` in float32.
    """
    levels = np.arange(256, dtype=np.float64)[:, None].repeat(3, axis=1)
    values = (levels if pre.rescale is None else levels * pre.rescale).astype(np.float32)
    if pre.mean is None or pre.std is None:
        return values
    return (values - np.asarray(pre.mean, np.float32)) / np.asarray(pre.std, np.float32)
