"""What, inside a pretrained vision encoder, makes an image memorable to people.

The public names; each is imported when first used, so that ``import memjax`` stays light.
"""

import importlib
from typing import TYPE_CHECKING

_NAMES = {
    # Encoders
    "load": "memjax.encoder",
    "encoders": "memjax.encoder",
    "Encoder": "memjax.encoder",
    "encode": "memjax.models.vit",
    # Images and scores
    "read_images": "memjax.images",
    "open_dataset": "memjax.datasets",
    "open_folder": "memjax.datasets",
    "open_table": "memjax.datasets",
    "Dataset": "memjax.datasets",
    # Inside an encoder
    "trace": "memjax.encoder",
    "features": "memjax.measure",
    "METRICS": "memjax.metrics",
    "Metric": "memjax.metrics",
    # Whole studies
    "sweep": "memjax.pipelines.sweep",
    "SweepSettings": "memjax.pipelines.settings",
    "Sweep": "memjax.pipelines.sweep_result",
    "read_sweep": "memjax.pipelines.sweep_result",
    "train_saes": "memjax.pipelines.saes",
    "SAESettings": "memjax.pipelines.saes",
    "SAEResult": "memjax.pipelines.saes",
    "reproduce_paper": "memjax.pipelines.paper",
    "PaperSources": "memjax.paper.inputs",
    "PaperSettings": "memjax.paper.inputs",
    "PaperResult": "memjax.pipelines.paper",
    # Errors
    "InputError": "memjax.checks",
}
_PARTS = ("baselines", "datasets", "devices", "metrics", "models", "paper", "processes", "report", "sae", "stats")

__version__ = "0.2.0"
__all__ = [*_NAMES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _PARTS:
        return importlib.import_module(f"memjax.{name}")
    raise AttributeError(f"module 'memjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PARTS])
