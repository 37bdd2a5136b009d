"""Strips of small images: of the most and least memorable beside those that a metric ranks highest and lowest, or any others."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from memjax.report.embedded import bytes_uri
from memjax.report.labels import Context, layer_words, plain

Thumbnails = Callable[[list[str]], Mapping[str, bytes]]
"""Image ids -> encoded images (any format that pillow reads); an id may be left out."""

EDGE = 288
"""Longest side of a thumbnail in the page, in pixels."""


class Tile(NamedTuple):
    """One image: its id, lines of text below it, and a data URI (empty where there is no thumbnail)."""

    image: str
    lines: Sequence[str]
    source: str


class Strip(NamedTuple):
    """A heading and its images."""

    title: str
    tiles: Sequence[Tile]


class Gallery(NamedTuple):
    """What the strips show, in a sentence, and the strips."""

    note: str
    strips: Sequence[Strip]


EXTREMES = (
    "What people remember best and worst, beside what the strongest metric puts at its ends. Below each image: its id, its "
    "score, the metric's value."
)
NOTHING = Gallery("", ())


def gallery(
    features: Mapping[str, xr.Dataset],
    best: pd.Series,
    thumbnails: Thumbnails | None,
    context: Context,
    shown: int = 6,
) -> Gallery:
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
        return NOTHING
    found = features[model][metric].sel(layer=layer)
    score, value = found["memorability"].values, found.values
    known = np.flatnonzero(~np.isnan(score) & ~np.isnan(value))
    by_score = known[np.argsort(score[known], kind="stable")]
    by_value = known[np.argsort(np.sign(best["rho"]) * value[known], kind="stable")]
    name = f"{context.label(metric).title}{layer_words(metric, layer)}"
    high, low = ("highest", "lowest") if best["rho"] >= 0 else ("lowest", "highest")
    rows = (
        ("People: most memorable", by_score[::-1][:shown]),
        (f"{name}: {high} values (read as memorable)", by_value[::-1][:shown]),
        ("People: least memorable", by_score[:shown]),
        (f"{name}: {low} values (read as forgettable)", by_value[:shown]),
    )
    lines = {
        str(found["image"][i].values): (f"score {plain(score[i])}", f"metric {plain(value[i])}")
        for _, places in rows
        for i in places
    }
    named = [(title, [str(found["image"][i].values) for i in places]) for title, places in rows]
    return Gallery(EXTREMES, strips_of(named, lines, thumbnails))


def strips_of(
    rows: Sequence[tuple[str, Sequence[str]]], lines: Mapping[str, Sequence[str]], thumbnails: Thumbnails | None
) -> list[Strip]:
    """Strips of images by id.

    Args:
        rows: heading and ids of each strip.
        lines: id -> what stands below it.
        thumbnails: gives the images; without it, ids and lines alone.

    Example:
        >>> strips_of([("Highest", ["a.jpg"])], {"a.jpg": ["0.91"]}, None)[0].tiles[0].lines
        ['0.91']
    """
    ids = list(dict.fromkeys(image for _, images in rows for image in images))
    small = thumbnails(ids) if thumbnails else {}
    sources = {image: data_uri(small[image]) if image in small else "" for image in ids}
    return [Strip(title, [Tile(image, lines[image], sources[image]) for image in images]) for title, images in rows]


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
    image.save(small, "JPEG", quality=75)
    return bytes_uri("image/jpeg", small.getvalue())
