"""The readout of representations of a sweep that kept token vectors."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from memjax.stats.analysis import Analysis
from memjax.stats.multiples import usable_columns
from memjax.stats.readout import study_of
from memjax.stats.readouts import Together
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.representations import RepresentationReadouts, Vectors, read_representations

TOKENS = ("cls", "mean", "pooled")
"""Token vectors of which an image has one a layer."""

MOST_IMAGES = 4_000
"""Images that are read from: all layers together take the products of all pairs, and time that grows with their cube."""

FEWEST_IMAGES = 50
"""With vectors and a score."""

HOW = ReadoutSettings(permutations=200, shuffles=0)
"""As many partitions as a readout of measures has. Of two, the variance between them has one degree of freedom, and the bands of
LNSIM's layers, on average 0.07 wide from ten partitions, came out up to 3.2 times as wide; of five, up to 1.4 times."""


def kept_tokens(features: Mapping[str, xr.Dataset]) -> dict[str, list[str]]:
    """Encoder -> the token vectors that were kept of it, without those that kept none."""
    found = {model: [token for token in TOKENS if token in group] for model, group in features.items()}
    return {model: tokens for model, tokens in found.items() if tokens}


def representations_of(
    features: Mapping[str, xr.Dataset],
    analysis: Analysis,
    together: Together,
    seed: int,
    report: Callable[[str], None] = lambda said: None,
) -> RepresentationReadouts | None:
    """What can be read from the token vectors of a store; None where none were kept, or of too few images.

    Args:
        features: groups of the store; the images are in the order of the first.
        analysis: of the same store: its measures are one more band.
        together: images that stay in one fold, and groups that are held out whole.
        seed: of images, where there are more than `MOST_IMAGES`, of folds and of permutations.
        report: told, a line an encoder, what is being read.
    """
    if not (kept := kept_tokens(features)):
        return None
    first = next(iter(features.values()))
    images, y = first.indexes["image"], first["memorability"].values.astype(np.float64)
    vectors = {
        model: {token: aligned_vectors(features[model], token, images.get_indexer_for) for token in tokens}
        for model, tokens in kept.items()
    }
    rows = images_to_read(vectors, y, seed)
    if len(rows) < FEWEST_IMAGES or np.ptp(y[rows]) == 0:
        return None
    of_rows = together.of(rows)
    if of_rows.groups is None:
        clusters = np.arange(len(rows)) if of_rows.clusters is None else of_rows.clusters
        study = Study(y[rows], np.unique(clusters, return_inverse=True)[1], None)
    else:
        study = study_of(y[rows], of_rows.groups, None)
    chosen = {model: {token: x[rows] for token, x in tokens.items()} for model, tokens in vectors.items()}
    measures = None if analysis.sample is not None else complete(analysis.columns.values[rows])
    found = read_representations(chosen, study, dataclasses.replace(HOW, seed=seed), measures, report)
    return dataclasses.replace(found, images=rows)


def aligned_vectors(group: xr.Dataset, token: str, place: Callable) -> Float[np.ndarray, "n l1 d"]:
    """A token's vectors, the images in the order of the first group; the pooled output has one layer, the last."""
    order = np.argsort(place(group.indexes["image"]), kind="stable")
    values = group[token].values
    values = values[:, None] if values.ndim == 2 else values
    return values if (order == np.arange(len(order))).all() else values[order]


def images_to_read(
    vectors: Vectors, y: Float[np.ndarray, " n"], seed: int, most: int = MOST_IMAGES
) -> Int[np.ndarray, " _"]:
    """Positions of the images with all vectors and a score; of more than ``most``, so many drawn at random."""
    known = np.isfinite(y)
    for tokens in vectors.values():
        for x in tokens.values():
            known &= np.isfinite(x).all(axis=(1, 2))
    rows = np.flatnonzero(known)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def complete(x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n _"]:
    """The columns with a value of every image that vary and are no multiple of another."""
    x = x[:, np.isfinite(x).all(axis=0)]
    return x[:, usable_columns(x)] if x.shape[1] else x
