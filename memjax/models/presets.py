"""The checkpoints that the paper and its neighbours use: a table, one row a checkpoint.

`processor` is the families' published preprocessing, for folders without a preprocessor_config.json.
"""

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """One published checkpoint.

    Attributes:
        id: on the Hugging Face hub.
        family: row of `memjax.models.families.FAMILIES`.
        width, depth, heads, patch, image: d, l, h, pixels, pixels.
        tokens: t, for an image of that size.
        paper: where it comes from.
        revision: the hub's commit that is loaded; None: the newest, whose commit is recorded with the results.
    """

    id: str
    family: str
    width: int
    depth: int
    heads: int
    patch: int
    image: int
    tokens: int
    paper: str
    revision: str | None = None


_CLIP, _SIGLIP, _SIGLIP2 = "Radford et al. 2021", "Zhai et al. 2023", "Tschannen et al. 2025"
_DINOV2, _REGISTERS, _DINOV3 = "Oquab et al. 2023", "Darcet et al. 2023", "Siméoni et al. 2025"
_VIT, _DEIT, _MAE = "Dosovitskiy et al. 2021", "Touvron et al. 2021", "He et al. 2021"

_ROWS: tuple[Preset, ...] = (
    Preset("openai/clip-vit-base-patch32", "clip", 768, 12, 12, 32, 224, 50, _CLIP),
    Preset("openai/clip-vit-base-patch16", "clip", 768, 12, 12, 16, 224, 197, _CLIP),
    Preset("openai/clip-vit-large-patch14", "clip", 1024, 24, 16, 14, 224, 257, _CLIP),
    Preset("openai/clip-vit-large-patch14-336", "clip", 1024, 24, 16, 14, 336, 577, _CLIP),
    Preset("google/siglip-base-patch16-224", "siglip", 768, 12, 12, 16, 224, 196, _SIGLIP),
    Preset("google/siglip-base-patch16-256", "siglip", 768, 12, 12, 16, 256, 256, _SIGLIP),
    Preset("google/siglip-base-patch16-384", "siglip", 768, 12, 12, 16, 384, 576, _SIGLIP),
    Preset("google/siglip-so400m-patch14-384", "siglip", 1152, 27, 16, 14, 384, 729, _SIGLIP),
    Preset("google/siglip2-base-patch16-224", "siglip", 768, 12, 12, 16, 224, 196, _SIGLIP2),
    Preset("google/siglip2-base-patch16-256", "siglip", 768, 12, 12, 16, 256, 256, _SIGLIP2),
    Preset("google/siglip2-base-patch16-384", "siglip", 768, 12, 12, 16, 384, 576, _SIGLIP2),
    Preset("google/siglip2-so400m-patch14-384", "siglip", 1152, 27, 16, 14, 384, 729, _SIGLIP2),
    Preset("facebook/dinov2-small", "dinov2", 384, 12, 6, 14, 224, 257, _DINOV2),
    Preset("facebook/dinov2-base", "dinov2", 768, 12, 12, 14, 224, 257, _DINOV2),
    Preset("facebook/dinov2-large", "dinov2", 1024, 24, 16, 14, 224, 257, _DINOV2),
    Preset("facebook/dinov2-giant", "dinov2", 1536, 40, 24, 14, 224, 257, _DINOV2),
    Preset("facebook/dinov2-with-registers-small", "dinov2_with_registers", 384, 12, 6, 14, 224, 261, _REGISTERS),
    Preset("facebook/dinov2-with-registers-base", "dinov2_with_registers", 768, 12, 12, 14, 224, 261, _REGISTERS),
    Preset("facebook/dinov2-with-registers-large", "dinov2_with_registers", 1024, 24, 16, 14, 224, 261, _REGISTERS),
    Preset("facebook/dinov2-with-registers-giant", "dinov2_with_registers", 1536, 40, 24, 14, 224, 261, _REGISTERS),
    Preset("facebook/dinov3-vits16-pretrain-lvd1689m", "dinov3_vit", 384, 12, 6, 16, 224, 201, _DINOV3),
    Preset("facebook/dinov3-vitb16-pretrain-lvd1689m", "dinov3_vit", 768, 12, 12, 16, 224, 201, _DINOV3),
    Preset("facebook/dinov3-vitl16-pretrain-lvd1689m", "dinov3_vit", 1024, 24, 16, 16, 224, 201, _DINOV3),
    Preset("google/vit-base-patch16-224", "vit", 768, 12, 12, 16, 224, 197, _VIT),
    Preset("google/vit-base-patch16-224-in21k", "vit", 768, 12, 12, 16, 224, 197, _VIT),
    Preset("google/vit-large-patch16-224", "vit", 1024, 24, 16, 16, 224, 197, _VIT),
    Preset("facebook/deit-base-distilled-patch16-224", "deit", 768, 12, 12, 16, 224, 198, _DEIT),
    Preset("facebook/vit-mae-base", "vit_mae", 768, 12, 12, 16, 224, 197, _MAE),
    Preset("facebook/vit-mae-large", "vit_mae", 1024, 24, 16, 16, 224, 197, _MAE),
    Preset("facebook/vit-mae-huge", "vit_mae", 1280, 32, 16, 14, 224, 257, _MAE),
)

REVISIONS = {
    "openai/clip-vit-base-patch32": "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
    "openai/clip-vit-large-patch14": "32bd64288804d66eefd0ccbe215aa642df71cc41",
    "facebook/dinov2-small": "ed25f3a31f01632728cabb09d1542f84ab7b0056",
    "facebook/dinov2-base": "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    "google/vit-base-patch16-224": "3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3",
}
"""Commits that are known to hold these checkpoints."""

PRESETS: tuple[Preset, ...] = tuple(row._replace(revision=REVISIONS.get(row.id)) for row in _ROWS)

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_OPENAI = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
_DINO = {
    **_IMAGENET,
    "image_processor_type": "BitImageProcessor",
    "resample": 3,
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
}


def is_ambiguous(family: str, pool: str) -> bool:
    """Whether checkpoints of this kind want their pixels made in different ways, so that a published way can't be assumed.

    Under ``vit`` go Dosovitskiy et al.'s (mean 0.5, bilinear), but also DINO's, DeiT's and fine-tuned MAE's (ImageNet's mean,
    bicubic); only the first were published with a pooler. Under ``dinov3_vit`` go models of web and of satellite images.

    Args:
        family, pool: of `memjax.models.config.ViTConfig`, without a head that the checkpoint does not hold.

    Example:
        >>> is_ambiguous("vit", "cls"), is_ambiguous("vit", "pooler"), is_ambiguous("clip", "cls")
        (True, False, False)
    """
    return family == "dinov3_vit" or (family == "vit" and pool != "pooler")


def _sides(y: int, x: int) -> dict[str, int]:
    return {"height": y, "width": x}


def processor(family: str, image: int | tuple[int, int]) -> dict[str, Any]:
    """The family's published preprocessing in the form of preprocessor_config.json.

    Args:
        family: a row of `memjax.models.families.FAMILIES`, without ``_vision_model``.
        image: size of the images that the encoder takes, one side or ``(y, x)``, in pixels.

    Raises:
        KeyError: for a family without a row.
    """
    y, x = (image, image) if isinstance(image, int) else image
    sides = _sides(y, x)
    rows: dict[str, dict[str, Any]] = {
        "clip": {
            **_OPENAI,
            "image_processor_type": "CLIPImageProcessor",
            "resample": 3,
            "size": {"shortest_edge": y} if y == x else sides,
            "crop_size": sides,
            "do_center_crop": True,
        },
        "siglip": {**_HALF, "image_processor_type": "SiglipImageProcessor", "resample": 3, "size": sides},
        "dinov2": _DINO,
        "dinov2_with_registers": _DINO,
        "dinov3_vit": {
            **_IMAGENET,
            "image_processor_type": "DINOv3ViTImageProcessorFast",
            "resample": 2,
            "size": sides,
        },
        "vit": {**_HALF, "image_processor_type": "ViTImageProcessor", "resample": 2, "size": sides},
        "deit": {
            **_IMAGENET,
            "image_processor_type": "DeiTImageProcessor",
            "resample": 3,
            "size": _sides(y * 256 // 224, x * 256 // 224),
            "crop_size": sides,
            "do_center_crop": True,
        },
        "vit_mae": {**_IMAGENET, "image_processor_type": "ViTImageProcessor", "resample": 3, "size": sides},
    }
    common = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    return {**common, **rows[family]}
