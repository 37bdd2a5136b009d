"""What a sweep writes beside the store: the table, figures, failures, the report page, and where it all came from."""

import io
import json
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL.Image import Image

from experiments.outputs import write_table
from experiments.sweep_state import stored_metrics, write_failures
from memjax.correlations import measures_of
from memjax.datasets import Dataset, Failure
from memjax.encoder import Encoder, trace
from memjax.images import ImageError, decode, normalise, resize_crop
from memjax.report import figures as draw
from memjax.report.page import Section, write_report
from memjax.report.readout import READOUT, readout_section, sentences
from memjax.stats.readouts import readout_table, readouts, weight_table
from memjax.stats.reliability import Reliability, split_half
from memjax.stats.table import columns_of
from memjax.stats.table import correlation_table as table_of
from memjax.storage import write_atomically

PACKAGES = ("memjax", "jax", "jaxlib", "flax", "numpy", "scipy", "pillow", "xarray", "zarr", "tensorflow-datasets")
FOLDS, READOUT_IMAGES = 5, 50
"""Folds of the readout, and the images from which it is made."""

THUMBNAIL = 224
"""Longest side of a picture in the report, in pixels."""


def provenance(
    args: Any,
    dataset: Dataset,
    encoders: Sequence[Encoder],
    run_id: str,
    failures: Sequence[Failure],
    seconds: float,
    stored: dict[str, Any],
) -> dict[str, Any]:
    """The content of run.json: everything that is needed to trace a number."""
    return {
        "run_id": run_id,
        "command": " ".join(["python", *sys.argv]),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "dataset": {"name": dataset.name, "images": len(dataset), **dataset.info},
        "models": [
            {
                "model": e.label,
                "name": e.name,
                "revision": e.revision,
                "sha256": e.checksum,
                "family": e.config.family,
                "preprocessing": e.preprocessing.to_json(),
            }
            for e in encoders
        ],
        "protocol": args.protocol,
        "dtype": args.dtype,
        "method": args.method,
        "level": 0.95,
        "bootstraps": args.bootstraps,
        "seed": args.seed,
        "metrics": stored_metrics(stored),
        "failures": len(failures),
        "seconds": round(seconds, 1),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def ceiling_of(dataset: Dataset, method: str) -> Reliability | None:
    """How well one half of the observers predicts the other; None without half-splits or observers.

    None too for Kendall's tau: a ceiling follows from product-moment correlations (of scores or of ranks) alone.
    """
    if dataset.halves is None or dataset.info["synthetic"] or method == "kendall":
        return None
    return split_half(dataset.halves, method)


def readout_of(
    features: dict[str, Any], table: pd.DataFrame, run: dict[str, Any], ceiling: Reliability | None
) -> tuple[Section, list[str]]:
    """The cross-validated readout of all measures: a section of the report, and its finding in sentences.

    Its rows join ``run`` as ``readout``. Always Spearman's rho, and so are ``ceiling`` and the single measures beside it.
    """
    measures, scores = measures_of(features)
    y = scores.to_numpy()
    images = int((np.isfinite(columns_of(measures)[0]).all(axis=1) & np.isfinite(y)).sum())
    if images < READOUT_IMAGES or table["rho"].isna().all():
        few = f"Left out: it needs {READOUT_IMAGES} images with every measure, and one that varies; there are {images}."
        return Section(READOUT, [few]), []
    found = readouts(measures, y, n_folds=FOLDS, n_boot=run["bootstraps"], seed=run["seed"])
    ranked = table if run["method"] == "spearman" else table_of(measures, y, n_boot=0)
    rows = readout_table(found, ranked, ceiling.ceiling if ceiling else None)
    run["readout"] = {"folds": FOLDS, "rows": rows.to_dict("records")}
    how = f"{FOLDS} outer and {FOLDS} inner folds of pictures, drawn at random (seed {run['seed']})."
    synthetic = bool(run["dataset"]["synthetic"])
    return readout_section(rows, weight_table(found, measures), ceiling, how, synthetic), sentences(rows, ceiling)


def write(
    out: Path,
    run: dict[str, Any],
    table: pd.DataFrame,
    features: dict[str, Any],
    failures: Sequence[Failure],
    dataset: Dataset,
    encoders: Sequence[Encoder],
) -> None:
    """Everything of a run but its store; run.json last, so that it marks the end."""
    write_table(table, out, "correlations")
    failed = write_failures(out, failures)
    ceiling = ceiling_of(dataset, run["method"])
    if ceiling is not None:
        run["ceiling"] = ceiling.to_json(f"half-splits published with {dataset.name}")
    part, findings = readout_of(features, table, run, ceiling_of(dataset, "spearman"))
    look = {"ceiling": ceiling, "method": run["method"], "synthetic": bool(dataset.info["synthetic"])}
    drawn = {"overview": draw.overview(table, **look)}
    drawn |= {name: draw.rho_by_layer(table, name, **look) for name in dict.fromkeys(table["metric"])}
    for name, figure in {**drawn, **part.figures}.items():
        draw.save(figure, out / "figures", name.replace("/", "--"))
    pages = attention_maps(dataset, encoders[0])
    for name, figure in pages.items():
        draw.save(figure, out / "figures", f"attention_{Path(name).stem}")
    write_report(
        out / "report.html",
        run=run,
        table=table,
        features=features,
        figures=drawn,
        failures=failed,
        ceiling=ceiling,
        thumbnails=lambda ids: thumbnails(dataset, ids),
        attention=pages,
        sections=[part],
        findings=findings,
    )
    write_atomically(out / "run.json", json.dumps(run, indent=1, ensure_ascii=False, default=str) + "\n")


def picture_of(dataset: Dataset, name: str) -> Image:
    """An image of the data set by its id, decoded. Raises `ImageError`."""
    return decode(dataset.records[list(dataset.table.index).index(name)].data)


def thumbnails(dataset: Dataset, ids: list[str]) -> dict[str, bytes]:
    """Small JPEG pictures of some images; those that can't be read are left out (they are in failures.csv)."""
    found = {}
    for name in ids:
        try:
            picture = picture_of(dataset, name)
        except ImageError:
            continue
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        found[name] = buffer.getvalue()
    return found


def attention_maps(dataset: Dataset, encoder: Encoder) -> dict[str, Any]:
    """Where the encoder looks in the most and the least memorable picture, by layer: image id -> figure."""
    order = dataset.table["memorability"].sort_values().index
    found = {}
    for name in dict.fromkeys([order[-1], order[0]]):
        try:
            pixels = resize_crop(picture_of(dataset, name), encoder.preprocessing)
        except ImageError:
            continue
        maps = cls_attention(encoder, normalise(pixels, encoder.preprocessing))
        synthetic = bool(dataset.info["synthetic"])
        found[name] = draw.attention_over_picture(pixels, maps, name, encoder.label, synthetic=synthetic)
    return found


def cls_attention(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    """Attention to the patches at each block, ``[l, rows, columns]``: heads averaged, of cls (or of all queries)."""
    layout, patch = encoder.config.layout, encoder.config.patch
    attention = np.asarray(trace(encoder, pixels[None]).attention[0]).mean(axis=1)
    rows = attention[:, 0] if layout.cls else attention.mean(axis=1)
    return rows[:, layout.prefix :].reshape(-1, pixels.shape[0] // patch, pixels.shape[1] // patch)
