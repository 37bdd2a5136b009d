"""The most and least memorable images beside those that a metric ranks highest and lowest."""

import base64
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from memjax.report.labels import Context, plain

Thumbnails = Callable[[list[str]], Mapping[str, bytes]]
"""Image ids -> encoded images (any format that pillow reads); an id may be left out."""

EDGE = 168
"""Longest side of a thumbnail in the page, in pixels."""


class Tile(NamedTuple):
    """One image: its id, score and metric as text, and a data URI (empty where there is no thumbnail)."""

    image: str
    score: str
    value: str
    source: str


class Strip(NamedTuple):
    """A heading and its images."""

    title: str
    tiles: Sequence[Tile]


def gallery(
    features: Mapping[str, xr.Dataset],
    best: pd.Series,
    thumbnails: Thumbnails | None,
    context: Context,
    shown: int = 6,
) -> Sequence[Strip]:
    """Four strips of images: extremes of the score, then of the metric (which end is which follows the sign of rho).

    Args:
        features: one data set for each encoder: dims image, layer; coords image, memorability.
        best: the row of the correlation table whose metric, layer and encoder to show.
        thumbnails: gives the images; without it, ids and numbers alone.
        context: labels of the metrics.
        shown: images in a strip.
    """
    model, metric, layer = str(best["model"]), str(best["metric"]), best["layer"]
    if model not in features or metric not in features[model]:
        return ()
    found = features[model][metric].sel(layer=layer)
    score, value = found["memorability"].values, found.values
    known = np.flatnonzero(~np.isnan(score) & ~np.isnan(value))
    by_score = known[np.argsort(score[known], kind="stable")]
    by_value = known[np.argsort(np.sign(best["rho"]) * value[known], kind="stable")]
    name = f"{context.label(metric).title}, layer {layer}"
    high, low = ("highest", "lowest") if best["rho"] >= 0 else ("lowest", "highest")
    rows = (
        ("People: most memorable", by_score[::-1][:shown]),
        (f"{name}: {high} values (read as memorable)", by_value[::-1][:shown]),
        ("People: least memorable", by_score[:shown]),
        (f"{name}: {low} values (read as forgettable)", by_value[:shown]),
    )
    ids = {int(i): str(found["image"][i].values) for _, places in rows for i in places}
    small = thumbnails(list(ids.values())) if thumbnails else {}
    sources = {image: data_uri(small[image]) if image in small else "" for image in ids.values()}
    return [
        Strip(title, [Tile(ids[i], plain(score[i]), plain(value[i]), sources[ids[i]]) for i in map(int, places)])
        for title, places in rows
    ]


def data_uri(data: bytes) -> str:
    """A JPEG of bounded size as a data URI, without the image's metadata; empty if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata, or a large image: it is only shown
            image = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    image.thumbnail((EDGE, EDGE))
    small = io.BytesIO()
    image.save(small, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode("ascii")
