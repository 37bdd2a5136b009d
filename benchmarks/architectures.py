"""The encoders that are timed, as Hugging Face configs: real sizes, random weights (speed does not depend on them)."""

import dataclasses
from pathlib import Path
from typing import Any

_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_CLIP = {**_BASE, "model_type": "clip_vision_model", "image_size": 224, "hidden_act": "quick_gelu"}

CONFIGS: dict[str, dict[str, Any]] = {
    # DINOv2's positions are of 518 pixels and are stretched; its images are 224 pixels wide.
    "dinov2-s14": {
        "model_type": "dinov2", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "mlp_ratio": 4,
        "image_size": 518, "patch_size": 14,
    },
    "dinov2-b14": {
        "model_type": "dinov2", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "mlp_ratio": 4,
        "image_size": 518, "patch_size": 14,
    },
    "clip-b32": {**_CLIP, "patch_size": 32},
    "clip-b16": {**_CLIP, "patch_size": 16},
    "clip-l14-336": {
        **_CLIP, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
        "image_size": 336, "patch_size": 14,
    },
    # Without its pooling head, which no metric reads: neither side spends time on it.
    "siglip2-b16": {
        **_BASE, "model_type": "siglip_vision_model", "image_size": 224, "patch_size": 16, "vision_use_head": False,
    },
    "siglip2-so400m-384": {
        "model_type": "siglip_vision_model", "hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16,
        "intermediate_size": 4304, "image_size": 384, "patch_size": 14, "vision_use_head": False,
    },
    "vitmae-b16": {**_BASE, "model_type": "vit_mae", "image_size": 224, "patch_size": 16},
    "tiny": {
        "model_type": "dinov2", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2,
        "image_size": 224, "patch_size": 56,
    },
}  # fmt: skip
SIDE = 224
"""Pixels of an image's edge, except where `SIDES` says another."""
SIDES = {"clip-l14-336": 336, "siglip2-so400m-384": 384}


def random_encoder(name: str, dtype: str) -> Any:
    """A `memjax.Encoder` of a config of the table, its weights made here: what is timed where torch is not installed."""
    import jax
    import jax.numpy as jnp

    import memjax
    from memjax.models import families, presets
    from memjax.models.vit import init_vit
    from memjax.preprocessing import preprocessing_from_config

    config, _ = families.read_config(CONFIGS[name], name)
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), init_vit(jax.random.key(0), config))
    pre = preprocessing_from_config(presets.processor(config.family, SIDES.get(name, SIDE)))
    return memjax.Encoder(config, params, pre, name, "random", "random")


def open_encoder(source: str, dtype: str) -> Any:
    """The encoder of a folder, or a random one of the table."""
    import memjax

    return random_encoder(source, dtype) if source in CONFIGS else memjax.load(source, dtype)


@dataclasses.dataclass(frozen=True)
class Work:
    """Floating-point operations of one image (a multiply and an add are two), matrix products alone."""

    tokens: int
    flops: float


def work(config: Any, side: int = SIDE) -> Work:
    """Of a `memjax.models.config.ViTConfig`, without its head."""
    patches = (side // config.patch) ** 2
    t, d = patches + config.layout.prefix, config.width
    dense = 4 * d * d + (3 if config.gated else 2) * d * config.mlp_width
    block = 2.0 * t * dense + 4.0 * t * t * d
    return Work(t, config.depth * block + 2.0 * patches * config.patch**2 * 3 * d)


def local_folder(path: Path) -> str:
    """A checked model folder, as `memjax.load` takes it."""
    from memjax.checks import check_folder

    return str(check_folder(path, "--model-folder").resolve())
