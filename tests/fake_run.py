"""A run as the sweep would hand it to the report: 2 encoders, 10 metrics, 13 layers, from a seeded generator."""

import io

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from memjax.outputs import DatasetRecord, ModelRecord, Run
from memjax.report.labels import Context
from memjax.stats.reliability import Reliability

MODELS = ("facebook/dinov2-small", "openai/clip-vit-base-patch32")
METRICS = (
    "cls_mean", "cls_sum", "cls_max", "cls_max_abs", "cls_norm",
    "attention_entropy", "patch_uniformity", "layer_delta", "delta_total", "delta_first_last",
)  # fmt: skip
LAYERS = 13
COLUMNS = ["model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n"]


CEILING = Reliability(0.779, 0.765, 0.792)
CONTEXT = Context(ceiling=CEILING)


def has_value(metric: str, layer: int) -> bool:
    """Where the contract gives a metric a value: not at layer 0 for attention, at the last alone for ``delta_*``."""
    if metric.startswith("delta_"):
        return layer == LAYERS - 1
    return layer > 0 or metric not in {"attention_entropy", "layer_delta"}


def table(seed: int = 1, n: int = 2632, strength: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for model in MODELS:
        for metric in METRICS:
            walk = np.clip(np.cumsum(rng.normal(0, 0.07, LAYERS)) + rng.normal(0, 0.1), -1, 1) * strength / 0.3
            for layer in range(LAYERS):
                rho = float(walk[layer]) if has_value(metric, layer) else np.nan
                half, p = 1.96 / np.sqrt(n), float(np.exp(-n * rho**2 / 2))
                rows.append((model, metric, layer, rho, rho - half, rho + half, p, min(1.0, 1.3 * p), n))
    return pd.DataFrame(rows, columns=COLUMNS)


def features(ids: list[str], seed: int = 1) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(8, 4, len(ids))
    mask = {m: np.where([has_value(m, i) for i in range(LAYERS)], 1.0, np.nan) for m in METRICS}
    return {
        model: xr.Dataset(
            {
                m: (("image", "layer"), (rng.normal(size=(len(ids), LAYERS)) * mask[m]).astype(np.float32))
                for m in METRICS
            },
            coords={"image": ids, "layer": range(LAYERS), "memorability": ("image", scores)},
        )
        for model in MODELS
    }


def thumbnails(ids: list[str]) -> dict[str, bytes]:
    """A small scene for each id: sky, ground, a blob."""
    found = {}
    for image in ids:
        rng = np.random.default_rng(sum(map(ord, image)))
        pixels = np.empty((90, 120, 3), np.uint8)
        horizon = int(rng.integers(30, 60))
        pixels[:horizon], pixels[horizon:] = rng.integers(120, 255, 3), rng.integers(20, 160, 3)
        y, x = np.mgrid[:90, :120]
        pixels[(y - horizon) ** 2 + (x - rng.integers(20, 100)) ** 2 < rng.integers(60, 900)] = rng.integers(0, 255, 3)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        found[image] = buffer.getvalue()
    return found


RUN = Run(
    dataset=DatasetRecord(
        name="lnsim",
        citation="Lu, J., Xu, M., Yang, R., & Wang, Z. (2020). Understanding and predicting the memorability of "
        "outdoor natural scenes. IEEE Transactions on Image Processing, 29.",
        fingerprint="9f2c" * 16,
    ),
    command=" ".join(["python experiments/sweep_layers.py --dataset lnsim --models", *MODELS]),
    protocol="native",
    models=tuple(
        ModelRecord(name, name, "0123abcd" * 5, "77aa" * 16, preprocessing={"resize": 256, "crop": 224})
        for name in MODELS
    ),
    versions={"memjax": "0.1.0", "jax": "0.10.2", "numpy": "2.4.1"},
    ceiling=CEILING,
)

FAILURES = pd.DataFrame(
    [("0031.jpg", "decode", "truncated image"), ("0977.jpg", "read", "no bytes")], columns=["image", "stage", "error"]
)
