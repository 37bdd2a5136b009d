"""Which images of a sweep are nearly the same: by what their data set says, and by token vectors that were kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from memjax.stats.duplicates import NearDuplicates, near_duplicates
from memjax.stats.partitions import joined, labelled

ALIKE_IMAGES = 200_000
"""Images, at most, that are all compared with each other, in time that grows with their square."""

ALIKE_TOKENS = ("cls", "mean", "pooled")
"""Token vectors, the first of which that an encoder has is compared."""


@dataclass(frozen=True)
class Alike:
    """Images that stay in one fold: a label an image, None where nothing is known; and what the page says of them."""

    clusters: Int[np.ndarray, " n"] | None
    said: str


def alike_images(features: Mapping[str, xr.Dataset], table: pd.DataFrame) -> Alike:
    """Copies that the data set names, and images that are nearly the same to the encoders whose vectors were kept.

    Args:
        features: groups of the store.
        table: of the data set, its rows in the order of the first group.
    """
    named = copies_named(table)
    found = by_vectors(features)
    said = [_said_of_vectors(found)]
    if named is not None:
        copies = int((np.bincount(named) > 1).sum())
        said.insert(0, f"The data set names {copies} sets of copies; each stays in one fold.")
    return Alike(joined(named, None if found is None else found.clusters), " ".join(said))


def copies_named(table: pd.DataFrame) -> Int[np.ndarray, " n"] | None:
    """A label an image from the column ``duplicates``, where images without a copy have none; None without that column.

    Example:
        >>> copies_named(pd.DataFrame({"duplicates": ["a", "", "a", ""]})).tolist()
        [0, 1, 0, 2]
    """
    if "duplicates" not in table:
        return None
    names = table["duplicates"].fillna("").to_numpy(str)
    alone = names == ""
    codes = np.where(alone, len(names) + np.arange(len(names)), labelled(names, len(names)))
    return np.unique(codes, return_inverse=True)[1]


def by_vectors(features: Mapping[str, xr.Dataset]) -> NearDuplicates | None:
    """By every encoder's last vectors; None where none were kept, or of more than `ALIKE_IMAGES` images.

    Images without the vectors of some encoder are by themselves.
    """
    images = next(iter(features.values())).indexes["image"]
    if len(images) > ALIKE_IMAGES:
        return None
    kept = [last_vectors(group, images) for group in features.values() if any(token in group for token in ALIKE_TOKENS)]
    if not kept:
        return None
    known = np.all([np.isfinite(one).all(axis=1) for one in kept], axis=0)
    clusters = len(images) + np.arange(len(images))
    if not known.any():
        return None
    found = near_duplicates(*(one[known] for one in kept))
    clusters[known] = found.clusters
    return replace(found, clusters=np.unique(clusters, return_inverse=True)[1])


def last_vectors(group: xr.Dataset, images: pd.Index) -> Float[np.ndarray, "n d"]:
    """The last layer's of the first of `ALIKE_TOKENS` that was kept, in the order of ``images``; NaN of those it lacks."""
    stored = group[next(token for token in ALIKE_TOKENS if token in group)]
    values = (stored[:, -1] if stored.ndim == 3 else stored).values  # the pooled output has no layers
    places = group.indexes["image"].get_indexer_for(images)
    return np.where((places >= 0)[:, None], values[places], np.nan)


def _said_of_vectors(found: NearDuplicates | None) -> str:
    if found is None:
        return "Images were not compared with each other; near-duplicates may stand in different folds (keep token vectors)."
    whose = (
        "vectors with a cosine"
        if found.encoders == 1
        else f"cosines of vectors, in the mean of {found.encoders} encoders,"
    )
    if not found.pairs:
        return f"No two images have {whose} above {found.cosine:g}."
    return (
        f"{found.pairs:,} pairs of images have {whose} above {found.cosine:g} (mean vector taken out); "
        f"the {found.together:,} images of such pairs and chains stay together in one fold, at most {found.largest} at once."
    )
