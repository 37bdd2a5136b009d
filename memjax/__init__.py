"""What, inside a pretrained vision encoder, makes an image memorable to people.

The public names; each is imported when first used, so that ``import memjax`` stays light.
"""

import importlib
from typing import Any

_NAMES = {
    # Encoders
    "load": "memjax.encoder",
    "encoders": "memjax.encoder",
    "Encoder": "memjax.encoder",
    "encode": "memjax.models.vit",
    # Pictures and scores
    "read_images": "memjax.images",
    "open_dataset": "memjax.datasets",
    # Inside an encoder
    "trace": "memjax.encoder",
    "features": "memjax.measure",
    "METRICS": "memjax.metrics",
    # Errors
    "InputError": "memjax.checks",
}

__version__ = "0.1.0"
__all__ = [*_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in ("datasets", "devices", "metrics", "models", "report", "sae", "stats"):
        return importlib.import_module(f"memjax.{name}")
    raise AttributeError(f"module 'memjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
