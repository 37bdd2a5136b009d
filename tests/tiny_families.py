"""A tiny random checkpoint of every family, as a Hugging Face folder, made without transformers: tensors carry our own names,
which the port reads too (`tests/parity` reads the real ones)."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import save_file

from memjax.models import export, families, port, presets
from memjax.models.turns import TABLE

SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
MLP = {**SIZES, "intermediate_size": 36}
DINO = {**SIZES, "mlp_ratio": 2}
DECODER = {"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2,
           "decoder_intermediate_size": 20}  # fmt: skip

CONFIGS: dict[str, dict[str, Any]] = {
    "clip": {"projection_dim": 20, "vision_config": MLP},
    "clip_vision_model": {**MLP, "projection_dim": 20},
    "siglip": {"vision_config": MLP},
    "siglip_vision_model": MLP,
    "dinov2": DINO,
    "dinov2_with_registers": DINO,
    "dinov3_vit": {**MLP, "num_register_tokens": 3},
    "vit": MLP,
    "deit": MLP,
    "vit_mae": {**MLP, **DECODER},
}
"""``model_type`` -> config.json, without it."""


def state(config: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors that fit a config, by names of our alphabet, in the shapes of published files."""
    architecture, _ = families.read_config(config, "tiny")
    rng, made = np.random.default_rng(seed), {}

    def add(path: tuple[jax.tree_util.GetAttrKey, ...], spec: jax.ShapeDtypeStruct) -> None:
        row = TABLE[".".join(p.name for p in path)]
        shape = spec.shape[1:] if "{i}" in row.key else spec.shape
        for i in range(spec.shape[0] if "{i}" in row.key else 1):
            name = row.key.format(i=i)
            name = name.replace("final_norm.", "norm.") if config["model_type"] == "dinov3_vit" else name
            array = export.BACK[row.turn](rng.normal(0, 0.1, shape).astype(np.float32))
            made[name] = np.ascontiguousarray(array)

    jax.tree_util.tree_map_with_path(add, port.shapes_of(architecture))
    return made


def config_of(model_type: str, **changes: Any) -> dict[str, Any]:
    """The config.json of a family, with attributes of its vision half changed."""
    config = {"model_type": model_type, **CONFIGS[model_type]}
    if "vision_config" in config:
        return {**config, "vision_config": {**config["vision_config"], **changes}}
    return {**config, **changes}


def processor_of(model_type: str) -> dict[str, Any]:
    """A preprocessor_config.json whose images fit."""
    family = model_type.removesuffix("_vision_model")
    side = {"height": 32, "width": 32}
    return {
        **presets.processor(family, 32),
        "size": side,
        **({"crop_size": side} if family in ("clip", "deit") else {}),
    }


def write(folder: Path, model_type: str) -> Path:
    """The folder, with config.json, model.safetensors and preprocessor_config.json."""
    folder.mkdir(parents=True)
    config = config_of(model_type)
    save_file(state(config), folder / "model.safetensors")
    put(folder, "config.json", config)
    put(folder, "preprocessor_config.json", processor_of(model_type))
    return folder


def put(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
