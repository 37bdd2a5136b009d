"""How an encoder's pixels are made, and how that is read from a Hugging Face ``preprocessor_config.json``.

Fields that a file leaves out, or gives as null, take the defaults of its processor's class (`PROCESSORS`), as in
transformers. A field that would change the pixels and that we do not know is refused by name.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float

from memjax.checks import InputError, expected
from memjax.schema import Allowed, check_field, shown, shown_name

Orientation: TypeAlias = Literal["exif", "stored"]
Decoder: TypeAlias = Literal["exact", "fast"]
Centre: TypeAlias = Literal["down", "even"]
Origin: TypeAlias = Literal["stated", "assumed", "unknown"]


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How an encoder's pixels are made; sizes in pixels.

    Attributes:
        resize: None, the length of the shortest edge, or ``(y, x)``.
        crop: None, or the centre crop ``(y, x)``.
        centre: half a pixel of an odd margin goes ``"down"``, as in the Hugging Face processors, or to the ``"even"`` number, in
            torchvision, with which timm and OpenCLIP crop.
        resample: Pillow's filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming.
        rescale: factor on the grey levels 0..255; None leaves them.
        mean, std: per channel, after rescaling; both None where nothing is normalised.
        convert_rgb: whether the processor itself converts to RGB (images always end as RGB here).
        orientation: ``"exif"`` turns images as their EXIF orientation says, as people saw them; ``"stored"`` leaves them.
        decoder: ``"exact"``: the pixels of the Hugging Face processors; ``"fast"``: nearly those, in a fraction of the time, with
            packages of its own (`memjax.fast_pixels`).
        origin: ``"stated"`` by a file or by hand; ``"assumed"``: the published way of the family, since nothing says;
            ``"unknown"``: nothing says, and the family's checkpoints differ, so that no image is read. Not compared.
    """

    resize: int | tuple[int, int] | None = 256
    crop: tuple[int, int] | None = (224, 224)
    resample: int = 3
    rescale: float | None = 1 / 255
    mean: tuple[float, float, float] | None = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] | None = (0.229, 0.224, 0.225)
    convert_rgb: bool = True
    orientation: Orientation = "exif"
    decoder: Decoder = "exact"
    centre: Centre = "down"
    origin: Origin = dataclasses.field(default="stated", compare=False)

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

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Size ``(y, x)`` of an image before its crop; the long edge is truncated, not rounded, as in torchvision."""
        if self.resize is None or isinstance(self.resize, tuple):
            return self.resize or (height, width)
        if width <= height:
            return int(self.resize * height / width), self.resize
        return self.resize, int(self.resize * width / height)

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Upper left pixel ``(y, x)`` of the crop of an image that is no smaller."""
        y, x = self.crop or (height, width)
        whole = round if self.centre == "even" else int
        return whole((height - y) / 2), whole((width - x) / 2)

    def to_json(self) -> dict[str, object]:
        """What makes the pixels, as JSON types, for ``run.json`` and the store; ``centre`` where it is not ``"down"``."""
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k != "origin" and (k, v) != ("centre", "down")}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    @classmethod
    def from_json(cls, found: Mapping[str, object], where: str = "preprocessing") -> "Preprocessing":
        """What `to_json` gave; ``where`` is for the error.

        Raises:
            InputError: it is not of that shape.

        Example:
            >>> Preprocessing.from_json(Preprocessing(resize=(8, 9)).to_json()).resize
            (8, 9)
        """
        names = {field.name for field in dataclasses.fields(cls)} - {"origin"}
        if found.keys() | {"centre"} != names:
            raise expected(where, f"the fields {', '.join(sorted(names))}", ", ".join(map(shown_name, sorted(found))))
        for name, value in found.items():
            row, several = JSON_FORM[name], name in ("mean", "std")
            if several and value is not None and not (isinstance(value, (list, tuple)) and len(value) == 3):
                raise expected(f"{where}, {name}", "three numbers", shown(value))
            for one in value if several and isinstance(value, (list, tuple)) else (value,):
                check_field(one, row, f"{where}, {name}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})  # type: ignore[arg-type]

    def check_known(self, whose: str = "this encoder") -> None:
        """Refuse to make pixels where nothing says how.

        Raises:
            InputError: ``origin`` is ``"unknown"``.
        """
        if self.origin == "unknown":
            raise InputError(
                f"preprocessing: no preprocessor_config.json says how the pixels of {whose} are made, and checkpoints of its "
                "family differ in it; name a preprocessor_config.json, or a family whose published way is to be taken "
                "(vit: mean 0.5, bilinear; vit_mae: ImageNet's mean, bicubic)",
                argument="preprocessing",
                value="FILE|FAMILY",
            )


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

BY_FAMILY = {
    "clip": "CLIP", "siglip": "Siglip", "dinov2": "Bit", "dinov2_with_registers": "Bit", "dinov3_vit": "DINOv3ViT",
    "vit": "ViT", "deit": "DeiT", "vit_mae": "ViT",
}  # fmt: skip
"""The processor of a family (``model_type``), for files that do not name one."""

_FLAG, _PIXELS = Allowed("flag"), Allowed("whole", 1, 16384)
_FLAGS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "default_to_square")
ALLOWED: dict[str, Allowed] = {
    **dict.fromkeys(_FLAGS, _FLAG),
    "resample": Allowed("whole", 0, 5),  # Pillow's filters
    "rescale_factor": Allowed("number", 1e-9, 1e6),
    "image_mean": Allowed("number", -1e6, 1e6),
    "image_std": Allowed("number", 1e-6, 1e6),
}
"""What a processor's field may hold; of the means and deviations, each number. Sizes have forms of their own."""

JSON_FORM: dict[str, Allowed] = {
    "resize": Allowed("side", 1, 16384, optional=True),
    "crop": Allowed("side", 1, 16384, optional=True),
    "resample": ALLOWED["resample"],
    "rescale": ALLOWED["rescale_factor"]._replace(optional=True),
    "mean": ALLOWED["image_mean"]._replace(optional=True),
    "std": ALLOWED["image_std"]._replace(optional=True),
    "convert_rgb": _FLAG,
    "orientation": Allowed("text", choices=get_args(Orientation)),
    "decoder": Allowed("text", choices=get_args(Decoder)),
    "centre": Allowed("text", choices=get_args(Centre)),
}
"""What the fields of a `Preprocessing` may hold where they come from a file of ours."""


def preprocessing_from_config(
    config: Mapping[str, object], where: str = "preprocessor_config.json", family: str = ""
) -> Preprocessing:
    """Read a ``preprocessor_config.json``, current or legacy.

    Sizes may be an int (a square or a shortest edge, as the class has it), a pair, ``{"shortest_edge"}`` or
    ``{"height", "width"}``.

    Args:
        config: the file's contents.
        where: the file, for the error.
        family: of the encoder; it says which processor is meant where the file does not.

    Raises:
        InputError: unknown processor, unknown or contradicting fields (all named), sizes that leave images unequal.

    Example:
        >>> preprocessing_from_config({"image_processor_type": "CLIPImageProcessor", "size": 224}).resize
        224
    """
    given = {key: value for key, value in config.items() if value is not None}
    fields = {**_COMMON, **_class_defaults(given, where, family)}
    unknown = sorted(set(given) - set(fields) - _NEUTRAL)
    unknown = [k for k in unknown if not (k == "do_pad" and given[k] is False)]
    if unknown:
        some = ", ".join(f"{shown_name(k)}={shown(given[k])}" for k in unknown[:8])
        more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        raise InputError(f"{where}: fields that memjax does not know: {some}{more}")
    fields.update((key, value) for key, value in given.items() if key in fields)
    for name in ALLOWED.keys() - {"image_mean", "image_std"}:
        check_field(fields[name], ALLOWED[name], f"{where}, {name}")
    try:
        pre = _made(fields)
        pre.image_size  # noqa: B018  (refuses a size that depends on the image)
    except InputError as error:
        raise InputError(f"{where}, {error}") from error
    return pre


def _made(fields: Mapping[str, object]) -> Preprocessing:
    """From all fields of a processor; the flags are known to be flags."""
    square, norm = bool(fields["default_to_square"]), bool(fields["do_normalize"])
    crop = _size(fields["crop_size"], "crop_size", True) if fields["do_center_crop"] else None
    if isinstance(crop, int):
        raise expected("crop_size", "height and width", shown(fields["crop_size"]))
    return Preprocessing(
        resize=_size(fields["size"], "size", square) if fields["do_resize"] else None,
        crop=crop,
        resample=int(fields["resample"]),  # type: ignore[call-overload]
        rescale=float(fields["rescale_factor"]) if fields["do_rescale"] else None,  # type: ignore[arg-type]
        mean=_triple(fields["image_mean"], "image_mean") if norm else None,
        std=_triple(fields["image_std"], "image_std") if norm else None,
        convert_rgb=bool(fields["do_convert_rgb"]),
    )


def _class_defaults(config: Mapping[str, object], where: str, family: str) -> dict[str, object]:
    name = config.get("image_processor_type", config.get("feature_extractor_type"))
    if name is None and family in BY_FAMILY:
        return PROCESSORS[BY_FAMILY[family]]
    suffix = next((s for s in _SUFFIXES if isinstance(name, str) and name.endswith(s)), "")
    stem = str(name).removesuffix(suffix) if suffix else ""
    if stem not in PROCESSORS:
        wanted = f"one of {', '.join(f'{known}ImageProcessor' for known in PROCESSORS)}"
        raise expected(f"{where}, image_processor_type", wanted, "none" if name is None else shown(name))
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
    raise expected(name, "an int, {'shortest_edge'} or {'height', 'width'}", shown(value))


def _pixels(value: object, name: str) -> int:
    check_field(value, _PIXELS, f"{name}, in pixels")
    return value  # type: ignore[return-value]


def _triple(value: object, name: str) -> tuple[float, float, float]:
    values = value if isinstance(value, (list, tuple)) else [value] * 3
    if len(values) != 3:
        raise expected(name, "a number or one for each of 3 channels", shown(value))
    for one in values:
        check_field(one, ALLOWED[name], name)
    first, second, third = map(float, values)
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
