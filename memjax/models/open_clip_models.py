"""The visual tower of an ``open_clip_config.json`` as a `ViTConfig`: OpenCLIP's own transformer, or one of timm's."""

from collections.abc import Mapping
from typing import Any

from memjax.checks import InputError, expected
from memjax.models.attributes import DEEPEST, LARGEST, WIDEST
from memjax.models.config import ViTConfig
from memjax.models.names import OPEN_CLIP_NAMES, OPEN_CLIP_TEXT
from memjax.models.port import Keys
from memjax.models.sizes import check_sizes, pair
from memjax.models.timm_models import read_timm, timm_keys
from memjax.schema import Allowed, check_field, shown, shown_name

_FLAG, _WIDTH = Allowed("flag"), Allowed("whole", 1, WIDEST)

READ: dict[str, tuple[object, Allowed]] = {
    "layers": (12, Allowed("whole", 1, DEEPEST)),
    "width": (768, _WIDTH),
    "head_width": (64, _WIDTH),
    "mlp_ratio": (4.0, Allowed("number", 0, 64)),
    "patch_size": (16, Allowed("side", 1, LARGEST)),
    "image_size": (224, Allowed("side", 1, LARGEST)),
    "ls_init_value": (None, Allowed("number", 0, 1e6, optional=True)),
    "no_ln_pre": (False, _FLAG),
    "final_ln_after_pool": (False, _FLAG),
    "pool_type": ("tok", Allowed("text", choices=("tok", "avg"))),
    "pos_embed_type": ("learnable", Allowed("text", choices=("learnable", "sin_cos_2d"))),
}
"""Fields of ``vision_cfg`` that are read: default, and what they may be."""

FIXED: dict[str, object] = {
    "attentional_pool": False, "block_type": None, "qk_norm": False, "scaled_cosine_attn": False, "scale_heads": False,
    "scale_attn_inner": False, "scale_attn": False, "scale_fc": False, "input_patchnorm": False, "global_average_pool": False,
}  # fmt: skip
"""Fields that are read at one value alone."""

HARMLESS = frozenset(
    """
    patch_dropout attn_pooler_queries attn_pooler_heads output_tokens timm_model_name timm_model_pretrained timm_pool timm_proj
    timm_proj_bias timm_drop timm_drop_path
    """.split()  # noqa: SIM905 (as in `memjax.models.attributes`)
)
"""Fields that change nothing in a tower of OpenCLIP's own."""


def vision_cfg(config: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """``model_cfg`` and its ``vision_cfg``.

    Raises:
        InputError: one of them is missing or no object.
    """
    model = config.get("model_cfg")
    vision = model.get("vision_cfg") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(vision, dict):
        name = "vision_cfg" if isinstance(model, dict) else "model_cfg"
        raise expected(f"{where}, {name}", "an object, as an OpenCLIP export has it", shown(vision if model else model))
    return model, vision


def read_open_clip(config: Mapping[str, Any], where: str) -> tuple[ViTConfig, Keys]:
    """The architecture of a visual tower, and the names of its tensors.

    Args:
        config: an open_clip_config.json.
        where: the file, for the error.

    Raises:
        InputError: a tower that is no plain vision transformer, fields that make another (all named), or a value out of its
            bounds.
    """
    model, vision = vision_cfg(config, where)
    if vision.get("timm_model_name"):
        return _timm_tower(vision, where)
    fields = _fields(vision, where)
    check_field(model.get("embed_dim"), _WIDTH, f"{where}, embed_dim")
    fixed = {
        "eps": _eps(vision, where),
        "activation": _activation(model, vision, where),
        "pool_width": model["embed_dim"],
    }
    try:
        built = ViTConfig(**_built(fields), **fixed)
        check_sizes(built)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return built, Keys((), OPEN_CLIP_NAMES, OPEN_CLIP_TEXT, input_first=("head.weight",))


def _timm_tower(vision: Mapping[str, Any], where: str) -> tuple[ViTConfig, Keys]:
    """A tower that is one of timm's, as SigLIP's are: without a head of OpenCLIP's behind it."""
    check_field(vision.get("image_size", 224), READ["image_size"][1], f"{where}, image_size")
    given = {"global_pool": vision.get("timm_pool", "avg"), "img_size": vision.get("image_size", 224)}
    config, keys = read_timm(
        {"architecture": vision["timm_model_name"], "model_args": given, "pretrained_cfg": {}}, where
    )
    if (behind := vision.get("timm_proj", "linear")) != "none":
        what = f"{where}, timm_proj of {vision['timm_model_name']}"
        raise expected(what, "'none': memjax reads no projection behind timm's", shown(behind))
    packed = ("mlp.fc1.", "gate_up.") in keys.renames
    return config, timm_keys(packed, "visual.trunk.", OPEN_CLIP_TEXT)


def _fields(vision: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields that are read, checked; those that make another tower are refused by name."""
    if isinstance(vision.get("layers"), list):
        raise InputError(
            f"{where}, layers {shown(vision['layers'])}: a ResNet of OpenCLIP's; memjax reads its transformers"
        )
    known = HARMLESS | READ.keys() | {"act_kwargs", "norm_kwargs"}
    wrong = [
        f"{shown_name(name)}={shown(value)}"
        for name, value in sorted(vision.items())
        if name not in known and not (name in FIXED and FIXED[name] == value)
    ]
    if wrong:
        raise InputError(
            f"{where}, vision_cfg: {', '.join(wrong[:12])}: fields that make a tower that memjax does not read"
        )
    fields = {name: vision.get(name, default) for name, (default, _) in READ.items()}
    for name, (_, allowed) in READ.items():
        check_field(fields[name], allowed, f"{where}, {name}")
    return fields


def _keywords(vision: Mapping[str, Any], name: str, known: str, where: str) -> Any:
    """The one keyword that is read of a layer's; None without it."""
    found = vision.get(name) or {}
    if not isinstance(found, dict) or set(found) - {known}:
        raise expected(f"{where}, {name}", f"an object with {known}", shown(found))
    return found.get(known)


def _eps(vision: Mapping[str, Any], where: str) -> float:
    value = _keywords(vision, "norm_kwargs", "eps", where)
    check_field(value, Allowed("number", 0, 1, optional=True), f"{where}, norm_kwargs, eps")
    return 1e-5 if value is None else float(value)


def _activation(model: Mapping[str, Any], vision: Mapping[str, Any], where: str) -> str:
    """Of GELU's three forms the one that a file names."""
    quick = model.get("quick_gelu", False)
    check_field(quick, _FLAG, f"{where}, quick_gelu")
    how = _keywords(vision, "act_kwargs", "approximate", where)
    choices = () if quick else ("none", "tanh")
    check_field(how, Allowed("text", choices=choices, optional=True), f"{where}, act_kwargs, approximate")
    return "quick_gelu" if quick else {"tanh": "gelu_tanh"}.get(how, "gelu")


def _built(fields: Mapping[str, Any]) -> dict[str, Any]:
    patch, width = pair(fields["patch_size"]), fields["width"]
    if patch[0] != patch[1]:
        raise ValueError(f"patch_size: expected a square, got {patch}")
    if width % fields["head_width"]:
        raise ValueError(f"width {width} is not a multiple of head_width {fields['head_width']}")
    return {
        "family": "open_clip", "width": width, "depth": fields["layers"], "heads": width // fields["head_width"],
        "mlp_width": int(width * fields["mlp_ratio"]), "patch": patch[0], "image": pair(fields["image_size"]),
        "interpolate": True, "antialias": True, "layer_scale": fields["ls_init_value"] is not None, "patch_bias": False,
        "pre_norm": not fields["no_ln_pre"], "pool": "projection",
        "pooled_from": "cls" if fields["pool_type"] == "tok" else "patches", "norm_last": fields["final_ln_after_pool"],
    }  # fmt: skip
