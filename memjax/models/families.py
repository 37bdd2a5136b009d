"""The families as rows: how a Hugging Face config.json reads as a `ViTConfig`, and how its tensors are named.

Adding a family is adding a row here; `memjax.models.attributes` has the bounds of what is read, and what changes nothing.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from memjax.checks import InputError, expected
from memjax.models.attributes import ACTS, ALLOWED, check_attributes, check_switches
from memjax.models.config import DecoderConfig, ViTConfig
from memjax.models.names import CLASSIFIERS, DINO_NAMES, SIMMIM, TEXT, TWO_TOWER_NAMES, VIT_NAMES
from memjax.models.port import Keys
from memjax.models.sizes import check_sizes, pair
from memjax.schema import check_field, shown


class Family(NamedTuple):
    """One row.

    Attributes:
        read: field of `ViTConfig` -> (attribute of config.json, its default in transformers).
        fixed: fields that every member shares.
        keys: the names of its tensors.
    """

    read: dict[str, tuple[str, object]]
    fixed: dict[str, Any]
    keys: Keys


_SIZES = {
    "width": ("hidden_size", 768),
    "depth": ("num_hidden_layers", 12),
    "heads": ("num_attention_heads", 12),
    "image": ("image_size", 224),
    "patch": ("patch_size", 16),
    "channels": ("num_channels", 3),
}
_VIT = {
    **_SIZES,
    "mlp_width": ("intermediate_size", 3072),
    "activation": ("hidden_act", "gelu"),
    "eps": ("layer_norm_eps", 1e-12),
    "qkv_bias": ("qkv_bias", True),
}
_DINOV2 = {
    **_SIZES,
    "patch": ("patch_size", 14),
    "mlp_ratio": ("mlp_ratio", 4),
    "activation": ("hidden_act", "gelu"),
    "eps": ("layer_norm_eps", 1e-6),
    "qkv_bias": ("qkv_bias", True),
    "swiglu": ("use_swiglu_ffn", False),
}

_CLIP = Family(
    read={**_SIZES, "patch": ("patch_size", 32), "mlp_width": ("intermediate_size", 3072),
          "activation": ("hidden_act", "quick_gelu"), "eps": ("layer_norm_eps", 1e-5),
          "pool_width": ("projection_dim", 512)},
    fixed={"patch_bias": False, "pre_norm": True, "pool": "projection"},
    keys=Keys(("vision_model.",), TWO_TOWER_NAMES, (*TEXT, *CLASSIFIERS)),
)  # fmt: skip
_SIGLIP = Family(
    read={**_SIZES, "mlp_width": ("intermediate_size", 3072), "activation": ("hidden_act", "gelu_pytorch_tanh"),
          "eps": ("layer_norm_eps", 1e-6), "use_head": ("vision_use_head", True)},
    fixed={"cls": False, "pool": "attention"},
    keys=Keys(("vision_model.",), TWO_TOWER_NAMES, (*TEXT, *CLASSIFIERS)),
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "dinov2": Family(
        read=_DINOV2,
        fixed={"layer_scale": True, "interpolate": True, "pool": "cls"},
        keys=Keys(("dinov2.",), DINO_NAMES, ("embeddings.mask_token", *CLASSIFIERS)),
    ),
    "dinov2_with_registers": Family(
        read={**_DINOV2, "patch": ("patch_size", 16), "registers": ("num_register_tokens", 4)},
        fixed={"layer_scale": True, "interpolate": True, "antialias": True, "pool": "cls"},
        keys=Keys(("dinov2_with_registers.",), DINO_NAMES, ("embeddings.mask_token", *CLASSIFIERS)),
    ),
    "dinov3_vit": Family(
        read={**_SIZES, "width": ("hidden_size", 384), "heads": ("num_attention_heads", 6),
              "mlp_width": ("intermediate_size", 1536), "activation": ("hidden_act", "gelu"),
              "eps": ("layer_norm_eps", 1e-5), "rope_theta": ("rope_theta", 100.0), "gated": ("use_gated_mlp", False),
              "registers": ("num_register_tokens", 0), "query_bias": ("query_bias", True),
              "key_bias": ("key_bias", False), "value_bias": ("value_bias", True), "out_bias": ("proj_bias", True),
              "mlp_bias": ("mlp_bias", True)},
        fixed={"layer_scale": True, "position": "rotary", "interpolate": True, "pool": "cls"},
        keys=Keys(
            (),
            (("model.layer.", "blocks."), ("layer.", "blocks."), *DINO_NAMES, ("norm.", "final_norm."),
             ("embeddings.patch_embeddings", "patch")),
            ("embeddings.mask_token", "rope_embeddings.", *CLASSIFIERS),
        ),
    ),
    "vit": Family(
        read={**_VIT, "pool_width": ("pooler_output_size", None), "pooler_act": ("pooler_act", "tanh")},
        fixed={"pool": "pooler"},
        keys=Keys(("vit.",), VIT_NAMES, ("embeddings.mask_token", *CLASSIFIERS, *SIMMIM)),
    ),
    "deit": Family(
        read={**_VIT, "pool_width": ("pooler_output_size", None), "pooler_act": ("pooler_act", "tanh")},
        fixed={"pool": "pooler", "distillation": True},
        keys=Keys(("deit.",), VIT_NAMES, ("embeddings.mask_token", *CLASSIFIERS, *SIMMIM)),
    ),
    "vit_mae": Family(
        read={**_VIT, "decoder_width": ("decoder_hidden_size", 512), "decoder_depth": ("decoder_num_hidden_layers", 8),
              "decoder_heads": ("decoder_num_attention_heads", 16),
              "decoder_mlp_width": ("decoder_intermediate_size", 2048), "mask_ratio": ("mask_ratio", 0.75),
              "norm_pix_loss": ("norm_pix_loss", False)},
        fixed={"pool": "cls"},
        keys=Keys(("vit.",), VIT_NAMES, ()),
    ),
}  # fmt: skip


TWO_TOWERS = ("clip", "siglip")


def read_config(config: Mapping[str, Any], where: str) -> tuple[ViTConfig, Keys]:
    """The architecture that a config.json states, and its family's tensor names.

    Args:
        config: the parsed file; for CLIP and SigLIP the vision half is taken, if it holds both.
        where: the file, for the error.

    Raises:
        InputError: unknown ``model_type``, unknown attributes (all named), or a value that is not as
            `memjax.models.attributes.ALLOWED` has it.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise InputError(f"{where}: model_type {shown(model_type)} is not one of {', '.join(sorted(FAMILIES))}")
    family = FAMILIES[model_type]
    vision = vision_half(config, model_type, where)
    read = dict(family.read.values())
    check_attributes(vision, read, model_type, where)
    values = {}
    for field, (attribute, default) in family.read.items():
        values[field] = vision.get(attribute, default)
        called = (
            attribute
            if field in attribute or field not in ViTConfig.__dataclass_fields__
            else f"{attribute}, the {field}"
        )
        check_field(values[field], ALLOWED[attribute], f"{where}, {called}")
        if ALLOWED[attribute].kind == "number":
            values[field] = float(values[field])
    try:
        built = _build(model_type, values, family.fixed)
        _check_whole(built, vision)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return built, family.keys


def vision_half(config: Mapping[str, Any], model_type: str, where: str) -> dict[str, Any]:
    """The attributes of the vision encoder, as transformers takes them from a config of one or two towers.

    A CLIP config may hold ``vision_config_dict``: what it leaves out is then at its default, whatever ``vision_config`` says.

    Raises:
        InputError: a half that is no object, or an attribute that changes both towers.
    """
    if model_type not in TWO_TOWERS or not {"vision_config", "vision_config_dict"} & set(config):
        return dict(config)
    check_switches(config, where)
    vision = _half(config, "vision_config", where) or {}
    over = _half(config, "vision_config_dict", where) if model_type == "clip" else None
    if over is not None:
        vision = {**vision, **dict(FAMILIES[model_type].read.values()), **over}
    if model_type == "clip":
        vision["projection_dim"] = config.get("projection_dim", 512)
    return vision


def _half(config: Mapping[str, Any], name: str, where: str) -> dict[str, Any] | None:
    value = config.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise expected(f"{where}, {name}", "an object", shown(value))


def check_towers(config: Mapping[str, Any], where: str) -> None:
    """Refuse a file of two towers whose sizes stand outside ``vision_config``, where transformers does not look.

    Raises:
        InputError: naming them.
    """
    model_type = config.get("model_type")
    if model_type not in TWO_TOWERS or isinstance(config.get("vision_config"), dict):
        return
    outside = sorted(set(dict(FAMILIES[model_type].read.values())) & set(config) - {"projection_dim"})
    if outside:
        fix = f"put them there, or make model_type {model_type}_vision_model"
        raise InputError(f"{where}: {', '.join(outside)}: outside vision_config, where they are not read; {fix}")


def _build(model_type: str, values: dict[str, Any], fixed: dict[str, Any]) -> ViTConfig:
    """Derived fields: sizes as pairs, the MLP's width from its ratio, one bias flag for three projections."""
    fields = {**values, **fixed, "family": model_type.removesuffix("_vision_model")}
    del fields["channels"]
    fields["image"] = pair(fields["image"])
    patch = pair(fields["patch"])
    if patch[0] != patch[1]:
        raise ValueError(f"patch_size: expected a square, got {patch}")
    fields["patch"] = patch[0]
    fields["activation"] = ACTS[fields["activation"]]
    if "qkv_bias" in fields:
        bias = fields.pop("qkv_bias")
        fields |= {"query_bias": bias, "key_bias": bias, "value_bias": bias}
    if "mlp_ratio" in fields:
        wide = int(fields["width"] * fields.pop("mlp_ratio"))
        fields["gated"] = fields.pop("swiglu")
        fields["mlp_width"] = (int(wide * 2 / 3) + 7) // 8 * 8 if fields["gated"] else wide
        fields["activation"] = "silu" if fields["gated"] else fields["activation"]  # transformers' SwiGLU fixes silu
    fields.pop("pooler_act", None)
    if not fields.pop("use_head", True):
        fields["pool"] = "none"
    if "decoder_width" in fields:
        names = ("width", "depth", "heads", "mlp_width")
        sizes = {n: fields.pop(f"decoder_{n}") for n in names}
        fields["decoder"] = DecoderConfig(
            **sizes, mask_ratio=fields.pop("mask_ratio"), norm_pix_loss=fields.pop("norm_pix_loss")
        )
    fields["pool_width"] = fields.get("pool_width") or fields["width"]
    return ViTConfig(**fields)


def _check_whole(config: ViTConfig, vision: Mapping[str, Any]) -> None:
    """What the bounds of single attributes do not say.

    Raises:
        ValueError: sizes that contradict each other, or together are too large.
    """
    check_sizes(config)
    if config.decoder and config.decoder.width % config.decoder.heads:
        raise ValueError(
            f"decoder_hidden_size {config.decoder.width} is not a multiple of heads {config.decoder.heads}"
        )
    if vision.get("head_dim", config.head_width) != config.head_width:
        raise ValueError(f"head_dim {shown(vision['head_dim'])}: memjax computes hidden_size / num_attention_heads")
