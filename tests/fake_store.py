"""A run's feature store with token vectors, made without an encoder."""

from pathlib import Path

import numpy as np
import pandas as pd

from memjax.store import Variable, open_writer

N, D = 30, 6


def make_store(folder: Path, score: float | None = None) -> Path:
    """A store of thirty images whose second layer's outliers are the memorable ones; image 3 could not be read.

    With a ``score`` all images have that one.
    """
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 3, D)).astype(np.float32)
    x[:, 0] = 0.5
    y = rng.uniform(size=N)
    x[:, 2] *= (1 + 3 * y[:, None]).astype(np.float32)
    x[3] = np.nan
    y = y if score is None else np.full(N, score)
    table = pd.DataFrame({"memorability": y}, index=pd.Index([f"i{j}" for j in range(N)], name="image"))
    patches = x[:, [1, 2], None] + rng.normal(0, 0.1, (N, 2, 4, D)).astype(np.float32)
    made = {"model": "enc", "dataset": "made up", "patch_layers": [1, 2]}
    kept = {
        "cls": Variable({"layer": 3, "width": D}),
        "patches": Variable({"patch_layer": 2, "patch": 4, "width": D}),
    }
    writer = open_writer(folder, "enc", table, kept, made, N)
    writer.write(0, {"cls": x, "patches": patches}, [])
    return folder / "features.zarr"
