"""timm and OpenCLIP in an environment with torch's CPU build: random models in their own layouts, and their inside.

torchvision's wheel is built for another torch: its compiled operators do not load, and its Python part asks for two of them by
name. They are declared here, without a body: nothing in the tests calls them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from tests.inside import Inside

_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    if not torch._C._dispatch_has_kernel(f"torchvision::{_name}"):
        _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """No parameter at its initial constant: scales of norms and branches near 1, everything else normal."""
    generator = torch.Generator().manual_seed(seed)
    near_one = ("norm", "ln_", "gamma", "ls1", "ls2")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = 0.5 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.1
            one = parameter.ndim == 1 and any(part in name for part in near_one) and not name.endswith("bias")
            parameter.copy_(noise * scale + (1.0 if one else 0.0))
    return model.eval()


def inside(
    blocks: Iterable[torch.nn.Module], pixels: np.ndarray, pooled: Callable[[torch.Tensor], torch.Tensor]
) -> Inside:
    """Hidden states by hooks on the blocks and attention by hooks on its dropout, for channels-last pixels."""
    hidden: list[torch.Tensor] = []
    attention: list[torch.Tensor] = []
    blocks = list(blocks)
    hooks = [blocks[0].register_forward_pre_hook(lambda _, given: hidden.append(given[0]))]
    for block in blocks:
        hooks.append(block.register_forward_hook(lambda _, given, made: hidden.append(made)))
        if hasattr(block.attn, "attn_drop"):
            hooks.append(block.attn.attn_drop.register_forward_hook(lambda _, given, made: attention.append(made)))
    with torch.no_grad():
        out = pooled(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
    for hook in hooks:
        hook.remove()
    stack: Any = torch.stack
    seen = stack(attention, 1).numpy() if attention else np.zeros(0)
    return Inside(stack(hidden, 1).numpy(), seen, out.numpy())


def odd_images(count: int = 6) -> list[np.ndarray]:
    """Images whose margins are odd in either direction, with edges in them."""
    rng = np.random.default_rng(5)
    sizes = [(101, 67), (67, 102), (71, 71), (90, 133), (64, 64), (203, 77)][:count]
    return [rng.integers(0, 256, (y, x, 3), dtype=np.uint8) for y, x in sizes]


def shapes(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """A model's tensors as arrays that take no memory, by their names."""
    return {name: np.broadcast_to(np.zeros((), np.float32), tuple(x.shape)) for name, x in model.state_dict().items()}
