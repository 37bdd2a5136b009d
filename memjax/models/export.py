"""Our parameters as a Hugging Face folder: the port table read backwards.

Only families that memjax itself trains (ViT-MAE) have names to write; the result loads in transformers and in
`memjax.load`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from einops import rearrange

from memjax.models import turns
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams

# Our key (see `memjax.models.turns.TABLE`) -> transformers' name; the longest beginning that fits is replaced.
VIT_MAE_NAMES = {
    "cls": "vit.embeddings.cls_token",
    "position": "vit.embeddings.position_embeddings",
    "patch": "vit.embeddings.patch_embeddings.projection",
    "blocks": "vit.layers",
    "final_norm": "vit.layernorm",
    "decoder.embed": "decoder.decoder_embed",
    "decoder.mask_token": "decoder.mask_token",
    "decoder.position": "decoder.decoder_pos_embed",
    "decoder.blocks": "decoder.decoder_layers",
    "decoder.norm": "decoder.decoder_norm",
    "decoder.predict": "decoder.decoder_pred",
}
BLOCK_NAMES = {
    "attn.q": "attention.q_proj",
    "attn.k": "attention.k_proj",
    "attn.v": "attention.v_proj",
    "attn.o": "attention.o_proj",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "up": "mlp.fc1",
    "down": "mlp.fc2",
}


def _convolution(x: np.ndarray) -> np.ndarray:
    """`memjax.models.turns.patch_kernel` back."""
    return rearrange(x, "(y x c) d -> d c y x", y=round((x.shape[0] / 3) ** 0.5), c=3)


BACK: dict[Callable[..., np.ndarray], Callable[[np.ndarray], np.ndarray]] = {
    turns.same: lambda x: x,
    turns.transpose: lambda x: x.T,
    turns.rows: lambda x: x[None],
    turns.flat: lambda x: x[None, None],
    turns.patch_kernel: _convolution,
    turns.heads_kernel: lambda x: rearrange(x, "d h k -> (h k) d"),
    turns.heads_bias: lambda x: rearrange(x, "h k -> (h k)"),
    turns.out_kernel: lambda x: rearrange(x, "h k d -> d (h k)"),
}
"""The inverse of each transform of `memjax.models.port`."""


def theirs(key: str) -> str:
    """Our key in transformers' words for ViT-MAE.

    Raises:
        KeyError: if the key has no name there.

    Example:
        >>> theirs("blocks.3.attn.q.weight")
        'vit.layers.3.attention.q_proj.weight'
    """
    start = max((s for s in VIT_MAE_NAMES if key == s or key.startswith(f"{s}.")), key=len, default="")
    rest = key.removeprefix(start)
    if start.endswith("blocks"):
        _, index, part = rest.split(".", 2)
        name = next(n for n in BLOCK_NAMES if part == n or part.startswith(f"{n}."))
        rest = f".{index}.{BLOCK_NAMES[name]}{part.removeprefix(name)}"
    return VIT_MAE_NAMES[start] + rest


def to_state(params: ViTParams, dtype: str = "float32") -> dict[str, np.ndarray]:
    """Tensor name -> array, as transformers' ``ViTMAEForPreTraining`` names and shapes them."""
    state: dict[str, np.ndarray] = {}

    def add(path: tuple[jax.tree_util.GetAttrKey, ...], leaf: jax.Array) -> None:
        row = turns.TABLE[".".join(p.name for p in path)]
        array = np.asarray(leaf, dtype)
        pieces = enumerate(array) if "{i}" in row.key else [(0, array)]
        for i, piece in pieces:
            state[theirs(row.key.format(i=i))] = np.ascontiguousarray(BACK[row.turn](piece))

    jax.tree_util.tree_map_with_path(add, params)
    return state


def to_config(config: ViTConfig) -> dict[str, Any]:
    """The config.json of a ViT-MAE.

    Raises:
        ValueError: for another family, or without a decoder.
    """
    if config.family != "vit_mae" or config.decoder is None:
        raise ValueError(f"export: expected a vit_mae with a decoder, got {config.family}")
    decoder = config.decoder
    return {
        "architectures": ["ViTMAEForPreTraining"],
        "model_type": "vit_mae",
        "hidden_size": config.width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp_width,
        "hidden_act": "gelu",
        "layer_norm_eps": config.eps,
        "image_size": config.image[0],
        "patch_size": config.patch,
        "num_channels": 3,
        "qkv_bias": True,
        "decoder_hidden_size": decoder.width,
        "decoder_num_hidden_layers": decoder.depth,
        "decoder_num_attention_heads": decoder.heads,
        "decoder_intermediate_size": decoder.mlp_width,
        "mask_ratio": decoder.mask_ratio,
        "norm_pix_loss": decoder.norm_pix_loss,
    }


def write_folder(
    folder: Path, params: ViTParams, config: ViTConfig, processor: dict[str, Any], dtype: str = "float16"
) -> None:
    """Write config.json, model.safetensors and preprocessor_config.json.

    Args:
        folder: made if it isn't there.
        params, config: a ViT-MAE with its decoder.
        processor: the content of preprocessor_config.json.
        dtype: of the file; computing stays in float32.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(to_state(params, dtype), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to the owner alone
    for name, content in (("config.json", to_config(config)), ("preprocessor_config.json", processor)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
