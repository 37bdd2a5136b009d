"""Random models of the reference library, saved in its own format, and their inside for a batch of images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

from tests.inside import Inside
from tests.inside import relative as relative


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """No parameter at its initial constant: norms near 1, everything else normal(0.1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = 0.5 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.1
            near_one = parameter.ndim == 1 and ("norm" in name or "lambda" in name) and name.endswith(("weight", "1"))
            parameter.copy_(noise * scale + (1.0 if near_one else 0.0))
    return model.eval()


def build(architecture: str, config: Any, folder: Path, seed: int = 0) -> torch.nn.Module:
    """A random model in ``folder``, as transformers saves it."""
    config._attn_implementation = "eager"
    model = randomise(getattr(transformers, architecture)(config), seed)
    model.save_pretrained(folder)
    return model


def inside(model: torch.nn.Module, pixels: np.ndarray, **options: Any) -> Inside:
    """What transformers' eager model shows for channels-last pixels."""
    vision = getattr(model, "vision_model", model)
    with torch.no_grad():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        out = vision(images, output_hidden_states=True, output_attentions=True, **options)
        pooled = getattr(out, "pooler_output", None)
        if pooled is not None and hasattr(model, "visual_projection"):
            pooled = model.visual_projection(pooled)
    stack = lambda xs: torch.stack(tuple(xs), dim=1).numpy()  # noqa: E731
    return Inside(stack(out.hidden_states), stack(out.attentions), None if pooled is None else pooled.numpy())


def rename(folder: Path, pairs: list[tuple[str, str]]) -> None:
    """Give the tensors of a saved model other names, in place."""
    state = load_file(folder / "model.safetensors")
    renamed = {}
    for key, array in state.items():
        for old, new in pairs:
            key = key.replace(old, new)
        renamed[key] = array
    save_file(renamed, folder / "model.safetensors")
