"""The latents that an atlas shows with images: those of its largest values, and of patches where in them it fires."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from PIL import Image as PILImage

from memjax.datasets import Dataset
from memjax.images import ImageError, resize_crop
from memjax.latents.encoding import token_latents
from memjax.pipelines.atlas_scoring import Mapped
from memjax.pipelines.atlas_sources import TokenVectors
from memjax.pipelines.illustrations import find_image, thumbnails
from memjax.preprocessing import Preprocessing
from memjax.report.atlas import Card, CardImage

DIMMED = 0.4
"""Brightness of a patch that a latent does not fire for; that of its largest value is 1."""

EDGE = 168
"""Longest side of an image on a card, in pixels."""


def card_rows(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """The latents with the largest absolute rho: of each token and layer equally many, of its first seed.

    Example:
        >>> rows = {"token": "cls", "layer": [1, 1, 2], "seed": [0, 1, 0], "rho": [-0.3, 0.5, np.nan], "latent": 0}
        >>> card_rows(pd.DataFrame(rows), 4)["rho"].tolist()
        [-0.3]
    """
    places = table.groupby(["token", "layer"], sort=False)
    first = table["seed"] == places["seed"].transform("min")
    tested = table[first & table["rho"].notna()]
    tested = tested.iloc[np.argsort(-tested["rho"].abs().to_numpy(), kind="stable")]
    return tested.groupby(["token", "layer"], sort=False).head(count // max(places.ngroups, 1))


def cards_of(
    table: pd.DataFrame, found: Sequence[tuple[Mapped, TokenVectors]], dataset: Dataset | None, count: int
) -> list[Card]:
    """Cards of the strongest latents.

    Args:
        table: of the atlas; its rows are those of ``found``, one autoencoder after another.
        found: each with its vectors.
        dataset: the images; without it, or where it does not have one, a card has ids.
        count: how many, about.
    """
    owner = np.repeat(np.arange(len(found)), [one.measured.sae.config.latents for one, _ in found])
    cards = []
    for place, row in zip(*_numbered(card_rows(table, count)), strict=True):
        one, vectors = found[owner[place]]
        scores, latent = one.measured.scores, int(row["latent"])
        top = scores.top_images[latent]
        rows = one.images[top[top >= 0]]
        small = _small_images(one, vectors, latent, rows, dataset) if dataset is not None else {}
        shown = [
            CardImage(str(vectors.ids[i]), float(value), float(vectors.y[i]), small.get(str(vectors.ids[i]), b""))
            for i, value in zip(rows, scores.top_values[latent])
        ]
        cards.append(Card(int(place), row, shown))
    return cards


def _numbered(rows: pd.DataFrame) -> tuple[list[int], list[dict[str, object]]]:
    return [int(place) for place in rows.index], rows.to_dict("records")


def _small_images(
    one: Mapped, vectors: TokenVectors, latent: int, rows: np.ndarray, dataset: Dataset
) -> Mapping[str, bytes]:
    """Small JPEGs of the images that there are, by id; of patches with those lit that the latent fires for."""
    ids = [str(name) for name in vectors.ids[rows] if name in dataset.table.index]
    known = vectors.group.encoder.preprocessing
    if vectors.tokens == 1 or not known:
        orientation = "stored" if known.get("orientation") == "stored" else "exif"
        return {
            name: _jpeg(PILImage.open(io.BytesIO(data))) for name, data in thumbnails(dataset, ids, orientation).items()
        }
    pre = Preprocessing.from_json(known)
    found = {}
    for row in rows.tolist():
        name = str(vectors.ids[row])
        if name not in ids:
            continue
        try:
            pixels = resize_crop(find_image(dataset, name, pre.orientation), pre)
        except ImageError:
            continue
        values = token_latents(
            one.measured.sae, vectors.read(one.measured.sae.layer, row, row + 1)[0], np.array([latent])
        )
        found[name] = _jpeg(PILImage.fromarray(lit(pixels, values[:, 0])))
    return found


def lit(pixels: np.ndarray, values: Float[np.ndarray, " p"]) -> np.ndarray:
    """An image in which the brighter a patch the more a latent fires for it; as it is where patches are no grid of squares.

    Args:
        pixels: uint8 ``[y, x, c]``.
        values: of the patches, row by row, 0 or more.

    Example:
        >>> lit(np.full((4, 4, 3), 100, np.uint8), np.array([2.0, 0.0, 0.0, 1.0]))[::2, ::2, 0].tolist()
        [[100, 40], [40, 70]]
    """
    y, x = pixels.shape[:2]
    side = round((y * x / len(values)) ** 0.5)
    if (y // side) * (x // side) != len(values) or y % side or x % side:
        return pixels
    share = values.reshape(y // side, x // side) / max(float(values.max()), np.finfo(np.float32).tiny)
    light = np.kron(DIMMED + (1 - DIMMED) * share, np.ones((side, side)))
    return (pixels * light[..., None]).round().astype(np.uint8)


def _jpeg(image: PILImage.Image) -> bytes:
    """A small one."""
    image = image.convert("RGB")
    image.thumbnail((EDGE, EDGE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
