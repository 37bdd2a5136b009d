"""A run's token vectors with a planted direction, and images of it, for tests of the atlas of latents."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from memjax.datasets import Dataset, open_table
from memjax.preprocessing import Preprocessing
from memjax.store import Variable, open_writer

N, D, PATCHES = 120, 6, 4
IDS = [f"<i{place}>.jpg" for place in range(N)]


def make_run(folder: Path) -> Path:
    """Images with a direction that goes with the scores, in one category more than in the other; image 3 is unread."""
    rng = np.random.default_rng(5)
    y = rng.uniform(size=N)
    x = rng.normal(size=(N, 2, D)).astype(np.float32)
    x[:, 1, 0] += 6 * (y > 0.6)
    x[3] = np.nan
    patches = np.repeat(x[:, 1:, None], PATCHES, axis=2) * np.array([1, 0.2, 0.2, 0.2], np.float32)[:, None]
    table = pd.DataFrame({"memorability": y}, index=pd.Index(IDS, name="image"))
    kept = {
        "cls": Variable({"layer": 2, "width": D}),
        "patches": Variable({"patch_layer": 1, "patch": PATCHES, "width": D}),
    }
    writer = open_writer(folder, "enc", table, kept, {"model": "enc", "dataset": "made up", "patch_layers": [1]}, N)
    writer.write(0, {"cls": x, "patches": patches}, [])
    table.assign(category=np.where(y > 0.6, "high", "low")).to_parquet(folder / "images.parquet")
    pre = Preprocessing(resize=(16, 16), crop=(16, 16)).to_json()
    model = {"model": "enc", "name": "enc", "preprocessing": pre}
    about = {"name": "made up", "images": N}
    run = {"dataset": about, "models": [model], "ceiling": {"consistency": 0.6}}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def make_images() -> Dataset:
    """Noise, one image for each id."""
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)) for _ in IDS]
    return open_table(pd.DataFrame({"image": IDS, "memorability": 0.5, "shown": images}), "shown")
