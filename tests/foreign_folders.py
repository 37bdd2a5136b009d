"""Tiny folders as timm and OpenCLIP save them, made without either: config, processing, and tensors under their names."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import save_file

from memjax.models import export, port
from memjax.models.config import ViTConfig
from memjax.models.open_clip_models import read_open_clip
from memjax.models.timm_models import read_timm
from memjax.models.turns import TABLE

Arrays = dict[str, np.ndarray]

SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 2, "img_size": 32, "patch_size": 8}
TOWER = {"image_size": 32, "layers": 2, "width": 24, "head_width": 12, "patch_size": 8}
CFG = {
    "input_size": [3, 32, 32], "fixed_input_size": True, "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
    "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "first_conv": "patch_embed.proj", "classifier": "head",
}  # fmt: skip

TIMM_ENDS = {
    "cls": "cls_token", "distillation": "dist_token", "registers": "reg_token", "position": "pos_embed",
    "patch": "patch_embed.proj", "pre_norm": "norm_pre", "final_norm": "norm", "head.probe": "attn_pool.latent",
    "head.attn.q": "attn_pool.q", "head.attn.kv": "attn_pool.kv", "head.attn.o": "attn_pool.proj", "head.norm": "attn_pool.norm",
    "head.up": "attn_pool.mlp.fc1", "head.down": "attn_pool.mlp.fc2", "attn.qkv": "attn.qkv", "attn.o": "attn.proj",
    "scale1": "ls1.gamma", "scale2": "ls2.gamma", "gate_up": "mlp.fc1", "up": "mlp.fc1", "down": "mlp.fc2",
}  # fmt: skip
EVA_ENDS = {**TIMM_ENDS, "scale1": "gamma_1", "scale2": "gamma_2", "gate": "mlp.fc1_g", "up": "mlp.fc1_x", "attn.q": "attn.q",
            "attn.v": "attn.v"}  # fmt: skip
OPEN_CLIP_ENDS = {
    "cls": "visual.class_embedding", "position": "visual.positional_embedding", "patch": "visual.conv1",
    "pre_norm": "visual.ln_pre", "final_norm": "visual.ln_post", "head": "visual.proj", "norm1": "ln_1", "norm2": "ln_2",
    "attn.qkv": "attn.in_proj", "attn.o": "attn.out_proj", "up": "mlp.c_fc", "down": "mlp.c_proj", "scale1": "ls_1.gamma",
    "scale2": "ls_2.gamma",
}  # fmt: skip


def ours(config: ViTConfig, seed: int = 0) -> Arrays:
    """Random tensors of an architecture, by our own keys, in the shapes of published files."""
    rng, made = np.random.default_rng(seed), {}

    def add(path: tuple[jax.tree_util.GetAttrKey, ...], spec: jax.ShapeDtypeStruct) -> None:
        row = TABLE[".".join(p.name for p in path)]
        stacked = "{i}" in row.key
        for i in range(spec.shape[0] if stacked else 1):
            drawn = rng.normal(0, 0.1, spec.shape[1:] if stacked else spec.shape).astype(np.float32)
            made[row.key.format(i=i)] = np.ascontiguousarray(export.BACK[row.turn](drawn))

    jax.tree_util.tree_map_with_path(add, port.shapes_of(config))
    return made


def fused(arrays: Arrays, whole: str, parts: tuple[str, ...]) -> Arrays:
    """Tensors of which some stand one after another in one, as these libraries keep them."""
    out = {}
    for key, array in arrays.items():
        if key.startswith("head.") and not whole.startswith("head."):
            out[key] = array
        elif f"{parts[0]}." in key and key.replace(f"{parts[0]}.", f"{parts[1]}.") in arrays:
            out[key.replace(f"{parts[0]}.", f"{whole}.")] = np.concatenate(
                [arrays[key.replace(f"{parts[0]}.", f"{part}.")] for part in parts]
            )
        elif not any(f"{part}." in key and key.replace(f"{part}.", f"{parts[0]}.") in arrays for part in parts[1:]):
            out[key] = array
    return out


def theirs(arrays: Arrays, ends: dict[str, str], blocks: str = "blocks.") -> Arrays:
    """Our keys as another library's."""
    out = {}
    for key, array in arrays.items():
        block = ".".join(key.split(".")[:2]) + "." if key.startswith("blocks.") else ""
        name, _, leaf = key.removeprefix(block).rpartition(".")
        name, leaf = (name, leaf) if leaf in ("weight", "bias") else (key.removeprefix(block), "")
        out[block.replace("blocks.", blocks) + ends.get(name, name) + (f".{leaf}" if leaf else "")] = array
    return out


def timm_folder(folder: Path, architecture: str, cfg: dict[str, Any] | None = None, **args: Any) -> Arrays:
    """A folder as ``timm.models.save_for_hf`` writes it; what its tensors are, by our keys."""
    folder.mkdir(parents=True, exist_ok=True)
    config = timm_config(architecture, cfg, **args)
    built, keys = read_timm(config, "tiny")
    arrays = ours(built)
    eva = built.position == "rotary"
    kept = fused(arrays, "attn.qkv", ("attn.q", "attn.k", "attn.v"))
    if eva:
        weights = {k: v for k, v in arrays.items() if "attn" not in k or k.endswith("weight")}
        kept = fused(weights, "attn.qkv", ("attn.q", "attn.k", "attn.v"))
        kept |= {k: v for k, v in arrays.items() if "attn" in k and k.endswith("bias") and "attn.o" not in k}
        kept |= {k: v for k, v in arrays.items() if "attn.o.bias" in k}
    kept = fused(kept, "head.attn.kv", ("head.attn.k", "head.attn.v")) if built.pool == "attention" else kept
    kept = fused(kept, "gate_up", ("gate", "up")) if ("mlp.fc1.", "gate_up.") in keys.renames else kept
    named = theirs(kept, EVA_ENDS if eva and built.gated else {**EVA_ENDS, "up": "mlp.fc1"} if eva else TIMM_ENDS)
    named = {k.replace("attn.q.bias", "attn.q_bias").replace("attn.v.bias", "attn.v_bias") if eva else k: v
             for k, v in named.items()}  # fmt: skip
    if built.norm_last:
        named = {f"fc_{k}" if k.startswith("norm.") else k: v for k, v in named.items()}
    named["head.weight"], named["head.bias"] = np.ones((5, built.width), np.float32), np.ones(5, np.float32)
    save_file(named, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return arrays


def timm_config(architecture: str, cfg: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    """Its config.json."""
    return {"architecture": architecture, "num_classes": 5, "num_features": 24, "global_pool": "token",
            "model_args": {**SMALL, **args}, "pretrained_cfg": {**CFG, **(cfg or {})}}  # fmt: skip


def open_clip_folder(folder: Path, preprocess: dict[str, Any] | None = None, **vision: Any) -> Arrays:
    """A folder as OpenCLIP pushes it to the hub, with a text tower; what its visual tensors are, by our keys."""
    folder.mkdir(parents=True, exist_ok=True)
    model = {"embed_dim": 20, "quick_gelu": vision.pop("quick_gelu", False), "vision_cfg": {**TOWER, **vision},
             "text_cfg": {"width": 16}}  # fmt: skip
    config = {"model_cfg": model, "preprocess_cfg": preprocess or {}}
    built, _ = read_open_clip(config, "tiny")
    arrays = ours(built)
    named = theirs(
        fused(arrays, "attn.qkv", ("attn.q", "attn.k", "attn.v")), OPEN_CLIP_ENDS, "visual.transformer.resblocks."
    )
    named = {k.replace("in_proj.", "in_proj_"): v for k, v in named.items()}
    named["visual.proj"] = np.ascontiguousarray(named.pop("visual.proj.weight").T)
    named["visual.class_embedding"] = named["visual.class_embedding"].reshape(-1)
    named["visual.positional_embedding"] = named["visual.positional_embedding"].reshape(-1, built.width)
    text = ("transformer.resblocks.0.ln_1.weight", "positional_embedding", "token_embedding.weight", "text_projection")
    save_file(named | {name: np.ones((3, 4), np.float32) for name in text}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return arrays
