"""A small random ViT-MAE, and the Hugging Face folder that holds it, for tests that need a checkpoint to break."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save_file

from memjax.models import export, mae, presets
from memjax.models.config import DecoderConfig, ViTConfig
from memjax.models.vit import ViTParams, init_vit

CONFIG = ViTConfig(
    family="vit_mae", width=12, depth=3, heads=3, mlp_width=20, patch=5, image=(20, 20), eps=1e-12, pool="cls",
    pool_width=12, decoder=DecoderConfig(width=8, depth=2, heads=2, mlp_width=14, mask_ratio=0.75, norm_pix_loss=True),
)  # fmt: skip


def params(config: ViTConfig = CONFIG, seed: int = 0) -> ViTParams:
    """Random everywhere: no norm or bias at its initial constant."""
    made = init_vit(jax.random.key(seed), config)
    if config.decoder:
        made = made.replace(decoder=mae.init_decoder(jax.random.key(seed + 1), config))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: x + jnp.asarray(rng.normal(0, 0.1, x.shape), jnp.float32), made)


def images(count: int, config: ViTConfig = CONFIG, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(count, *config.image, 3)), jnp.float32)


def write(folder: Path) -> Path:
    export.write_folder(folder, params(), CONFIG, presets.processor("vit_mae", 20), dtype="float32")
    return folder


def state(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model.safetensors")


def rewrite(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    save_file(tensors, folder / "model.safetensors")


def reconfigure(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
