"""Which images of a sweep are nearly the same: by what their data set says, and by token vectors that were kept."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Int

from memjax.stats.duplicates import NearDuplicates, near_duplicates
from memjax.stats.partitions import joined, labelled

ALIKE_IMAGES = 20_000
"""Images, at most, that are all compared with each other."""


@dataclass(frozen=True)
class Alike:
    """Images that stay in one fold: a label an image, None where nothing is known; and what the page says of them."""

    clusters: Int[np.ndarray, " n"] | None
    said: str


def alike_images(features: Mapping[str, xr.Dataset], table: pd.DataFrame) -> Alike:
    """Copies that the data set names, and images that are nearly the same to the first encoder whose vectors were kept.

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
    """By the last layer's cls, else mean; None where no vectors were kept, or of more than `ALIKE_IMAGES` images."""
    for group in features.values():
        token = next((name for name in ("cls", "mean") if name in group), None)
        if token is not None and group.sizes["image"] <= ALIKE_IMAGES:
            vectors = group[token][:, -1].values
            known = np.isfinite(vectors).all(axis=1)
            found = near_duplicates(vectors[known])
            clusters = len(vectors) + np.arange(len(vectors))  # images without vectors, by themselves
            clusters[known] = found.clusters
            return NearDuplicates(np.unique(clusters, return_inverse=True)[1], found.cosine, found.pairs, found.largest)
    return None


def _said_of_vectors(found: NearDuplicates | None) -> str:
    if found is None:
        return "Images were not compared with each other; near-duplicates may stand in different folds (keep token vectors)."
    if not found.pairs:
        return f"No two images have vectors with a cosine above {found.cosine:g}."
    return (
        f"{found.pairs:,} pairs of images have vectors with a cosine above {found.cosine:g} (mean taken out); "
        f"the {found.together:,} images of such pairs and chains stay together in one fold, at most {found.largest} at once."
    )
