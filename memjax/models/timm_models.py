"""A config.json of timm's as a `ViTConfig`: the row of its architecture, over which its ``model_args`` are laid.

Only plain vision transformers are read (`memjax.models.timm_table`); arguments that would make another model are refused by
name. What timm leaves to the checkpoint (the image's size) is taken as timm takes it.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from memjax.checks import InputError, expected
from memjax.models.attributes import DEEPEST, LARGEST, MOST_HEADS, WIDEST
from memjax.models.config import ViTConfig
from memjax.models.names import TIMM_CLASSIFIERS, TIMM_NAMES
from memjax.models.port import Keys
from memjax.models.sizes import check_sizes, pair
from memjax.models.timm_table import EVA, VIT
from memjax.schema import Allowed, check_field, shown, shown_name

_FLAG, _WIDTH, _TOKENS = Allowed("flag"), Allowed("whole", 1, WIDEST), Allowed("whole", 0, 1024)
_POOLS = Allowed("text", choices=("", "token", "avg", "map"))

_BOTH: dict[str, tuple[object, Allowed]] = {
    "img_size": (None, Allowed("side", 1, LARGEST, optional=True)),
    "patch_size": (16, Allowed("side", 1, LARGEST)),
    "embed_dim": (768, _WIDTH),
    "depth": (12, Allowed("whole", 1, DEEPEST)),
    "num_heads": (12, Allowed("whole", 1, MOST_HEADS)),
    "mlp_ratio": (4.0, Allowed("number", 0, 64)),
    "qkv_bias": (True, _FLAG),
    "init_values": (None, Allowed("number", 0, 1e6, optional=True)),
    "class_token": (True, _FLAG),
    "eps": (1e-6, Allowed("number", 0, 1)),
}
VIT_ARGS: dict[str, tuple[object, Allowed]] = {
    **_BOTH,
    "global_pool": (None, _POOLS._replace(optional=True)),
    "proj_bias": (True, _FLAG),
    "no_embed_class": (False, _FLAG),
    "reg_tokens": (0, _TOKENS),
    "pre_norm": (False, _FLAG),
    "final_norm": (True, _FLAG),
    "fc_norm": (None, Allowed("flag", optional=True)),
    "pool_include_prefix": (False, _FLAG),
    "act_layer": (None, Allowed("text", choices=("gelu", "gelu_tanh", "quick_gelu", "silu"), optional=True)),
    "swiglu": (False, _FLAG),
    "distilled": (False, _FLAG),
}
"""Arguments of timm's VisionTransformer that are read: its default, and what it may be."""

EVA_ARGS: dict[str, tuple[object, Allowed]] = {
    **_BOTH,
    "global_pool": (None, _POOLS._replace(choices=("", "token", "avg"), optional=True)),
    "num_reg_tokens": (0, _TOKENS),
    "rope_temperature": (10.0, Allowed("number", 1e-3, 1e9)),
    "swiglu_mlp": (False, _FLAG),
    "swiglu_align_to": (0, Allowed("whole", 0, 1024)),
    "use_fc_norm": (None, Allowed("flag", optional=True)),
    "rope_type": ("cat", Allowed("text", choices=("dinov3",))),
    "rope_rotate_half": (False, _FLAG),
    "use_abs_pos_emb": (True, _FLAG),
    "use_rot_pos_emb": (False, _FLAG),
}
"""The same of its class Eva, as far as DINOv3 needs it."""

OURS = ("eps", "swiglu", "distilled")
"""Words of the table that are no arguments of timm's, so that a file may not have them."""

FIXED: dict[str, object] = {
    "in_chans": 3, "dynamic_img_pad": False, "qk_norm": False, "scale_attn_norm": False, "scale_mlp_norm": False,
    "pos_embed": "learn", "norm_layer": None, "embed_norm_layer": None, "mlp_layer": None, "block_fn": None,
    "attn_layer": "", "embed_layer": None, "qkv_fused": True, "scale_mlp": False, "scale_attn_inner": False,
    "attn_type": "eva", "use_post_norm": False, "use_pre_transformer_norm": False, "use_post_transformer_norm": None,
    "rope_grid_offset": 0.0, "rope_grid_indexing": "ij", "gated_attn": False, "num_kv_heads": None,
    "attn_only_layer_scale": False, "ref_feat_shape": None,
}  # fmt: skip
"""Arguments that are read at one value alone."""

HARMLESS = frozenset(
    """
    num_classes dynamic_img_size strict_img_size drop_rate pos_drop_rate patch_drop_rate proj_drop_rate attn_drop_rate
    drop_path_rate weight_init fix_init head_init_scale rope_shift_coords rope_jitter_coords rope_rescale_coords
    """.split()  # noqa: SIM905 (as in `memjax.models.attributes`)
)
"""Arguments without influence on what an image makes in a trained model."""

PLAIN = "vit_*, deit_*, deit3_*, eva_large_*, flexivit_*, vit_*_dinov3"
"""What the names of those that are read look like, for errors."""


def read_timm(config: Mapping[str, Any], where: str) -> tuple[ViTConfig, Keys]:
    """The architecture of a folder that timm saved, and the names of its tensors.

    Args:
        config: its config.json, which has ``architecture``.
        where: the file, for the error.

    Raises:
        InputError: an architecture that is no plain vision transformer, arguments that make another model (all named), or a
            value out of its bounds.
    """
    name = config.get("architecture")
    if not isinstance(name, str) or (name not in VIT and name not in EVA):
        near = difflib.get_close_matches(name, [*VIT, *EVA], n=2, cutoff=0.8) if isinstance(name, str) else []
        raise InputError(
            f"{where}: a timm export of architecture {shown(name)}, which memjax does not read; of timm's it reads the plain "
            f"vision transformers ({PLAIN})" + (f"; it knows {' and '.join(near)}" if near else "")
        )
    rows, known = (VIT, VIT_ARGS) if name in VIT else (EVA, EVA_ARGS)
    given = model_args(config, where)
    _check_args(given, known, f"{where}, model_args")
    args = {arg: default for arg, (default, _) in known.items()} | rows[name]
    args |= {arg: value for arg, value in given.items() if arg in known}
    pretrained = pretrained_cfg(config, where)
    if args["img_size"] is None:
        fixed = pretrained.get("fixed_input_size") and not _resizes(given)
        args["img_size"] = list(input_size(pretrained, where)) if fixed else 224
    if args["global_pool"] is None:
        args["global_pool"] = pretrained.get("global_pool") or ("token" if name in VIT else "avg")
    for arg, (_, allowed) in known.items():
        check_field(args[arg], allowed, f"{where}, {arg}")
    try:
        built = ViTConfig(**(_vit(args) if name in VIT else _eva(args)))
        check_sizes(built)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return built, timm_keys(packed=bool(args.get("swiglu")) or _packs(args))


def timm_keys(packed: bool, prefix: str = "", ignored: tuple[str, ...] = ()) -> Keys:
    """timm's names of tensors.

    Args:
        packed: whether gate and value of a gated MLP lie in one tensor.
        prefix: before every name of the encoder.
        ignored: beginnings of names of others, beside the classifiers.
    """
    first = ("mlp.fc1.", "gate_up." if packed else "up.")
    return Keys((prefix,) if prefix else (), (*TIMM_NAMES, first), (*TIMM_CLASSIFIERS, *ignored))


def _resizes(args: Mapping[str, Any]) -> bool:
    return bool(args.get("dynamic_img_size")) or args.get("strict_img_size") is False


def model_args(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Arguments that a config.json gives beside its architecture.

    Raises:
        InputError: they are no object.
    """
    found = config.get("model_args")
    if found is None or isinstance(found, dict):
        return dict(found or {})
    raise expected(f"{where}, model_args", "an object", shown(found))


def pretrained_cfg(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a config.json says of the checkpoint; older files have it at the top.

    Raises:
        InputError: it is no object.
    """
    found = config.get("pretrained_cfg", config)
    if isinstance(found, Mapping):
        return dict(found)
    raise expected(f"{where}, pretrained_cfg", "an object", shown(found))


def input_size(pretrained: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Size ``(y, x)`` of the images that a checkpoint takes.

    Raises:
        InputError: not three whole numbers, or not three channels.
    """
    found = pretrained.get("input_size") or [3, 224, 224]
    side = Allowed("side", 1, LARGEST)
    if not (isinstance(found, (list, tuple)) and len(found) == 3 and found[0] == 3 and side.holds(found[1:])):
        raise expected(f"{where}, input_size", f"[3, y, x] with sides up to {LARGEST}", shown(found))
    return found[1], found[2]


def _check_args(given: Mapping[str, Any], known: Mapping[str, object], where: str) -> None:
    """Refuse arguments that make another model, all named."""
    wrong = [
        f"{shown_name(arg)}={shown(value)}"
        for arg, value in sorted(given.items())
        if (arg in OURS or arg not in known) and arg not in HARMLESS and not (arg in FIXED and FIXED[arg] == value)
    ]
    if wrong:
        more = f" and {len(wrong) - 12} more" if len(wrong) > 12 else ""
        raise InputError(
            f"{where}: {', '.join(wrong[:12])}{more}: arguments that make a model that memjax does not read"
        )


def _common(args: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that both classes read in the same way."""
    patch = pair(args["patch_size"])
    if patch[0] != patch[1]:
        raise ValueError(f"patch_size: expected a square, got {patch}")
    bias = args["qkv_bias"]
    return {
        "family": "timm", "width": args["embed_dim"], "depth": args["depth"], "heads": args["num_heads"],
        "mlp_width": int(args["embed_dim"] * args["mlp_ratio"]), "patch": patch[0], "image": pair(args["img_size"]),
        "eps": float(args["eps"]), "cls": args["class_token"], "interpolate": True, "antialias": True, "query_bias": bias,
        "value_bias": bias, "pool_width": args["embed_dim"],
    }  # fmt: skip


def _vit(args: Mapping[str, Any]) -> dict[str, Any]:
    fields = _common(args) | {
        "activation": args["act_layer"] or "gelu", "distillation": args["distilled"], "registers": args["reg_tokens"],
        "placed": "patches" if args["no_embed_class"] else "all", "gated": args["swiglu"],
        "layer_scale": bool(args["init_values"]), "key_bias": args["qkv_bias"], "out_bias": args["proj_bias"],
        "mlp_bias": args["proj_bias"], "patch_bias": not args["pre_norm"], "pre_norm": args["pre_norm"],
        "final_norm": args["final_norm"],
    }  # fmt: skip
    if args["swiglu"]:
        fields["mlp_width"] = _halved(fields["mlp_width"])
    last = args["global_pool"] == "avg" if args["fc_norm"] is None else args["fc_norm"]
    return fields | _pool(args, last)


def _eva(args: Mapping[str, Any]) -> dict[str, Any]:
    if not args["rope_rotate_half"] or not args["use_rot_pos_emb"] or args["use_abs_pos_emb"]:
        raise ValueError("rope_rotate_half, use_rot_pos_emb, use_abs_pos_emb: expected DINOv3's (true, true, false)")
    fields = _common(args) | {
        "registers": args["num_reg_tokens"], "position": "rotary", "rope_theta": float(args["rope_temperature"]),
        "gated": args["swiglu_mlp"], "activation": "silu" if args["swiglu_mlp"] else "gelu",
        "layer_scale": args["init_values"] is not None, "key_bias": False,
    }  # fmt: skip
    if args["swiglu_mlp"] and args["swiglu_align_to"]:
        fields["mlp_width"] += -fields["mlp_width"] % args["swiglu_align_to"]
    last = args["global_pool"] == "avg" if args["use_fc_norm"] is None else args["use_fc_norm"]
    return fields | _pool(args, last)


def _packs(args: Mapping[str, Any]) -> bool:
    """Whether gate and value of Eva's MLP lie in one tensor."""
    return bool(args.get("swiglu_mlp")) and not args.get("swiglu_align_to")


def _halved(hidden: int) -> int:
    if hidden % 2:
        raise ValueError(f"mlp_ratio: a packed gated MLP wants an even width, got {hidden}")
    return hidden // 2


def _pool(args: Mapping[str, Any], last: bool) -> dict[str, Any]:
    """What timm's ``forward_head(pre_logits=True)`` makes: without the classifier."""
    of, some = args["global_pool"], "all" if args.get("pool_include_prefix") else "patches"
    if of == "token" and not args["class_token"]:
        raise ValueError("global_pool 'token': this architecture has no class token")
    if of == "map" and last:
        raise ValueError("fc_norm with global_pool 'map': memjax norms before attention pooling")
    rows: dict[str, dict[str, Any]] = {
        "": {"pool": "none"},
        "token": {"pool": "cls", "pooled_from": "pair" if args.get("distilled") else "cls"},
        "avg": {"pool": "cls", "pooled_from": some, "norm_last": last},
        "map": {"pool": "attention", "pooled_from": some},
    }
    return rows[of]
