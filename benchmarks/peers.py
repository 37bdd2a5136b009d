"""What a user would run instead, in PyTorch and transformers: three ways to the same numbers, written anew.

`authors` is the published scripts' protocol: image by image, eager attention, each patch's mean cosine with all
others in a loop that leaves it out. `forward` is batched scaled-dot-product attention and computes no metric at all.
`vectorised` is batched and eager, with hidden states, attentions, and the metrics over the whole batch at once.
"""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyrefly: ignore[missing-import] (not in the environment that types are checked in)
import transformers  # pyrefly: ignore[missing-import]
from torch.nn.functional import cosine_similarity  # pyrefly: ignore[missing-import]

Model = Any
Run = Callable[[], Any]

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where PyTorch computes: on the accelerator that memjax is timed on, if this build of it can."""


def save_random(config: dict[str, Any], folder: Path) -> None:
    """A model of this config with transformers' own initialisation, in its own format."""
    torch.manual_seed(0)
    kind = config["model_type"]
    made = transformers.AutoConfig.for_model(**config)
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModel.from_config(made)
    model.save_pretrained(folder)
    stored = json.loads((folder / "config.json").read_text())
    assert stored["model_type"] == kind, "transformers writes the config that it was given"


def load(folder: str, attention: str, dtype: str) -> Model:
    """The vision tower of a folder, in evaluation mode, with ``"eager"`` or ``"sdpa"`` attention."""
    transformers.logging.disable_progress_bar()
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation=attention, dtype=getattr(torch, dtype))
    return getattr(model, "vision_model", model).eval().to(DEVICE)


def to_torch(pixels: np.ndarray, dtype: str) -> Any:
    """``[b, y, x, 3]`` to ``[b, 3, y, x]``, contiguous, where PyTorch computes."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().to(DEVICE, getattr(torch, dtype))


def inside(model: Model, pixels: Any) -> tuple[Any, Any]:
    """Hidden states ``[b, l+1, t, d]`` and attention ``[b, l, h, t, s]``."""
    out = model(pixels, output_hidden_states=True, output_attentions=True)
    return torch.stack(out.hidden_states, 1).float(), torch.stack(out.attentions, 1).float()


def forward(model: Model, pixels: Any, batch: int, threads: int) -> Run:
    """No metric at all."""

    def run() -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            last = [model(part).last_hidden_state for part in pixels.split(batch)][-1]
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        return last

    return run


def vectorised(model: Model, pixels: Any, batch: int, threads: int, cls: bool) -> Run:
    """All metrics of all layers, batch by batch."""

    def run() -> dict[str, np.ndarray]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            tables = [metrics(*inside(model, part), cls) for part in pixels.split(batch)]
        return {name: torch.cat([t[name] for t in tables]).cpu().numpy() for name in tables[0]}

    return run


def metrics(hidden: Any, attention: Any, cls: bool) -> dict[str, Any]:
    """metric -> ``[b, layers]``, as `memjax.features` but for the layers without a value, which are left out."""
    token = hidden[:, :, 0] if cls else hidden.mean(2)
    patches = hidden[:, :, int(cls) :]
    unit = patches / patches.norm(dim=-1, keepdim=True).clamp_min(1e-8)
    count = patches.shape[2]
    rows = attention.mean(2)
    seen = (rows[:, :, 0] if cls else rows.mean(2))[..., int(cls) :]
    p = seen / seen.sum(-1, keepdim=True)
    return {
        "cls_mean": token.mean(-1),
        "cls_sum": token.sum(-1),
        "cls_max": token.amax(-1),
        "cls_max_abs": token.abs().amax(-1),
        "cls_norm": token.norm(dim=-1),
        "attention_entropy": -(p * p.log2()).nan_to_num(0.0).sum(-1),
        "patch_uniformity": (unit.sum(2).square().sum(-1) - unit.square().sum((-1, -2))) / (count * (count - 1)),
        "layer_delta": 1 - cosine_similarity(token[:, 1:], token[:, :-1], dim=-1),
    }


def authors(model: Model, pixels: Any, threads: int) -> Run:
    """One image after the other; token 0 is read as cls whether it is one or not, as the authors' scripts do."""

    def run() -> list[dict[str, list[float]]]:
        torch.set_num_threads(threads)
        with torch.no_grad():
            return [one_image(model, pixels[i : i + 1]) for i in range(len(pixels))]

    return run


def one_image(model: Model, image: Any) -> dict[str, list[float]]:
    """The authors' statistics of one image, layer by layer."""
    out = model(image, output_hidden_states=True, output_attentions=True)
    states = [h[0] for h in out.hidden_states]
    tokens = [state[0] for state in states]
    entropies = []
    for attention in out.attentions:
        row = attention[0].mean(dim=0)[0, 1:]
        p = row / row.sum()
        entropies.append(-(p * torch.log2(p)).sum().item())
    return {
        "mean": [t.mean().item() for t in tokens],
        "sum": [t.sum().item() for t in tokens],
        "max": [t.max().item() for t in tokens],
        "max_abs": [t.abs().max().item() for t in tokens],
        "entropy": entropies,
        "delta": [1 - cosine_similarity(a, b, dim=0).item() for a, b in itertools.pairwise(tokens)],
        "uniformity": [leave_one_out(state[1:]) for state in states],
    }


def leave_one_out(patches: Any) -> float:
    """Mean over patches of the mean cosine with all others."""
    means = []
    for i in range(len(patches)):
        others = torch.cat([patches[:i], patches[i + 1 :]])
        means.append(cosine_similarity(patches[i].unsqueeze(0), others, dim=1).mean().item())
    return float(np.mean(means))
