"""The readout of representations of a sweep that kept token vectors."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from memjax.stats.analysis import Analysis
from memjax.stats.banks import Reader, Readers, bank_of
from memjax.stats.cells import cells_that_fit
from memjax.stats.many_images import read_many
from memjax.stats.multiples import usable_columns
from memjax.stats.readout import study_of
from memjax.stats.readouts import Together
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.representations import RepresentationReadouts, Vectors, read_representations

TOKENS = ("cls", "mean", "pooled")
"""Token vectors of which an image has one a layer."""

MOST_IMAGES = 4_000
"""Images that are read from by the products of all pairs, in time that grows with their cube; more are read in blocks."""

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
    y = first["memorability"].values.astype(np.float64)
    bank = bank_of(readers_of(features, kept), y)
    if len(bank.rows) < FEWEST_IMAGES or np.ptp(y[bank.rows]) == 0:
        return None
    measured = None if analysis.sample is not None else analysis.columns.values
    columns = sum(band.width for band in bank.bands()) + (0 if measured is None else measured.shape[1])
    streamed = len(bank.rows) > MOST_IMAGES and cells_that_fit(columns) > 0
    rows = bank.rows if streamed else drawn(bank.rows, seed, MOST_IMAGES)
    study, how = study_of_rows(y, together, rows), dataclasses.replace(HOW, seed=seed)
    measures = None if measured is None else complete(measured[rows])
    if streamed:
        found = read_many(bank, study, how, measures, report)
    else:
        vectors = {
            model: {token: read(rows) for token, read in tokens.items()} for model, tokens in bank.readers.items()
        }
        found = read_representations(vectors, study, how, measures, report, penalties=True)
        said = said_of_pairs(len(rows), len(bank.rows), columns) + said_of_shares(found.shares)
        found = dataclasses.replace(found, how=said)
    return dataclasses.replace(found, images=rows)


def said_of_pairs(images: int, known: int, columns: int) -> str:
    """By what way few images were read, or some of very many."""
    if images == known:
        return f"All {images:,} images were read, from the products of all pairs."
    return f"{images:,} of {known:,} images were drawn at random and read: {columns:,} columns are too many for sums over images."


def said_of_shares(shares: Mapping[str, float] | None) -> str:
    """How the weight fell to encoders with penalties of their own.

    Example:
        >>> said_of_shares({"deit": 0.625, "dinov2": 0.375})
        ' With a penalty for each encoder the weight fell to deit (62 %), dinov2 (38 %), on average over models.'
    """
    if shares is None:
        return ""
    named = ", ".join(f"{model} ({share:.0%})".replace("%", " %") for model, share in shares.items())
    return f" With a penalty for each encoder the weight fell to {named}, on average over models."


def study_of_rows(y: Float[np.ndarray, " a"], together: Together, rows: Int[np.ndarray, " n"]) -> Study:
    """Scores of some images, and which of these belong together."""
    own = together.of(rows)
    if own.groups is not None:
        return study_of(y[rows], own.groups, None)
    clusters = np.arange(len(rows)) if own.clusters is None else own.clusters
    return Study(y[rows], np.unique(clusters, return_inverse=True)[1], None)


def readers_of(features: Mapping[str, xr.Dataset], kept: Mapping[str, list[str]]) -> Readers:
    """What reads the token vectors of some images, by their positions in the first group."""
    place = next(iter(features.values())).indexes["image"].get_indexer_for
    return {
        model: {token: reader_of(features[model], token, place) for token in tokens} for model, tokens in kept.items()
    }


def reader_of(group: xr.Dataset, token: str, place: Callable) -> Reader:
    """What reads a token's vectors, see `aligned_vectors`, without the rest of the store."""
    order, stored = np.argsort(place(group.indexes["image"]), kind="stable"), group[token]

    def read(rows: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b l1 d"]:
        at = order[rows]
        low, high = int(at.min()), int(at.max()) + 1
        near = high - low <= 2 * len(at)  # what lies close together is read at one go
        values = stored[low:high].values[at - low] if near else stored[at].values
        return values[:, None] if values.ndim == 2 else values

    return read


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
    return drawn(np.flatnonzero(known), seed, most)


def drawn(rows: Int[np.ndarray, " a"], seed: int, most: int) -> Int[np.ndarray, " _"]:
    """All of some positions; of more than ``most``, so many drawn at random, ascending."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def complete(x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n _"]:
    """The columns with a value of every image that vary and are no multiple of another."""
    x = x[:, np.isfinite(x).all(axis=0)]
    return x[:, usable_columns(x)] if x.shape[1] else x
