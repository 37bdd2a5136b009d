"""A sweep over 2,000 generated photographs in 8 shards gives what it gives of their folder, to the last bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import memjax
from benchmarks.generated_images import jpeg
from tests.shards_made import pack_parquet, pack_tar

IMAGES, SHARDS = 2000, 8
SETTINGS = memjax.SweepSettings(metrics=["cls_mean", "attention_entropy", "delta_total"], bootstraps=20)


def swept(dataset: memjax.Dataset, out: Path) -> memjax.Sweep:
    assert len(dataset) == IMAGES
    return memjax.sweep(dataset, "memjax/tiny", out, SETTINGS, progress=False)


@pytest.mark.slow
def test_2000_images_in_8_shards_are_the_folders(tmp_path, monkeypatch, undrawn):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    photos, rng = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    names = [f"{row:05d}.jpg" for row in range(IMAGES)]
    for row, name in enumerate(names):
        (photos / name).write_bytes(jpeg(row, 256 + row % 64, 256 - row % 32))
    scores = pd.DataFrame({"image": names, "memorability": rng.uniform(0.3, 0.9, IMAGES)})
    scores.to_csv(photos / "scores.csv", index=False)
    theirs = swept(memjax.open_folder(photos, photos / "scores.csv"), tmp_path / "folder")
    for kind, pattern in {
        "tar": pack_tar(photos, tmp_path / "tars", SHARDS),
        "parquet": pack_parquet(photos, tmp_path / "parquets", SHARDS, 100),
    }.items():
        ours = swept(memjax.open_shards(pattern, photos / "scores.csv"), tmp_path / kind)
        assert ours.run.failures == 0
        wanted, found = theirs.features["memjax/tiny"].load(), ours.features["memjax/tiny"].load()
        assert found.image.values.tolist() == names
        for metric, values in wanted.data_vars.items():
            np.testing.assert_array_equal(found[metric], values, err_msg=f"{kind}: {metric}")
        tables = [(tmp_path / out / "correlations.csv").read_bytes() for out in ("folder", kind)]
        assert tables[0] == tables[1], kind
