"""The analysis of a sweep: its features against the scores that stand beside them in the store."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from memjax.datasets import Dataset
from memjax.datasets.base import label_columns
from memjax.datasets.observers import observers_of
from memjax.measures import stored_measures
from memjax.outputs import ReadoutRecord, plain_json
from memjax.pipelines.sweep_representations import representations_of
from memjax.pipelines.sweep_result import Sweep
from memjax.stats.analysis import AboutImages, Analysis, AnalysisSettings, analyse
from memjax.stats.correlation import EXACT_IMAGES
from memjax.stats.duplicates import NearDuplicates, near_duplicates
from memjax.stats.exact import MOST_IMAGES
from memjax.stats.readouts import Together
from memjax.stats.representations import together_rows

FOLDS = 5
"""Folds of the readout, outer and inner."""

ALIKE_IMAGES = 20_000
"""Images, at most, that are all compared with each other."""

LINEARISED = f"of correlations over more than {EXACT_IMAGES:,} images: the bootstrap's linear part, no resamples drawn"
"""How intervals are made of very many images, see `memjax.stats.influence`."""

COUNTED = (
    f"of correlations over fewer than {MOST_IMAGES + 1} images: ends of Fisher's z or the bootstrap's, the further ones"
)
"""How intervals are made of few images, see `memjax.stats.exact`."""


def analyse_sweep(
    result: Sweep, dataset: Dataset, report: Callable[[str], None] = lambda said: None
) -> tuple[Sweep, Analysis]:
    """The result with its tables, ceiling and readouts, and the analysis that they come from.

    Args:
        result: as measured.
        dataset: its images.
        report: told which token vectors are being read.
    """
    measures, scores = stored_measures(result.features)
    run = result.run
    settings = AnalysisSettings(run.method, run.bootstraps, FOLDS, seed=run.seed)
    # generated scores have no human ceiling
    halves, source = (None, "") if run.dataset.synthetic else observers_of(dataset)
    alike = alike_images(result.features)
    labels = label_columns(dataset.table.reindex(next(iter(result.features.values())).indexes["image"]))
    about = AboutImages(Together(clusters=None if alike is None else alike.clusters), labels)
    found = analyse(measures, scores, halves, settings, source, about)
    found = dataclasses.replace(
        found, representations=representations_of(result.features, found, alike, run.seed, report)
    )
    n, strongest = found.table["n"], found.strongest
    kinds = [words for words, of in ((COUNTED, n <= MOST_IMAGES), (LINEARISED, n > EXACT_IMAGES)) if of.any()]
    run = dataclasses.replace(
        run,
        ceiling=found.ceiling,
        readout=record_of_readouts(found, alike),
        intervals="; ".join(kinds) if run.bootstraps else "",
        strongest=strongest.strongest if strongest else None,
    )
    return dataclasses.replace(
        result,
        run=run,
        table=found.table,
        readouts=found.readouts,
        weights=found.weights,
        representations=None if found.representations is None else found.representations.table,
        rivals=strongest.table if strongest else None,
    ), found


def record_of_readouts(found: Analysis, alike: NearDuplicates | None) -> ReadoutRecord | None:
    """The readouts as run.json has them."""
    if found.readouts is None:
        return None
    widest = found.readouts["model"].iloc[-1]
    labels = () if found.labels is None else found.labels[found.labels["model"] == widest].to_dict("records")
    read = () if found.representations is None else together_rows(found.representations.table).to_dict("records")
    tables = [tuple(plain_json(row) for row in rows) for rows in (found.readouts.to_dict("records"), labels, read)]
    return ReadoutRecord(FOLDS, *tables, said_of_alike(alike))


def alike_images(features: Mapping[str, xr.Dataset]) -> NearDuplicates | None:
    """Images that are nearly the same to the first encoder whose token vectors were kept: by the last layer's cls, else mean.

    None where no vectors were kept, where an image has none, or where there are more than `ALIKE_IMAGES`.
    """
    for group in features.values():
        token = next((name for name in ("cls", "mean") if name in group), None)
        if token is not None and group.sizes["image"] <= ALIKE_IMAGES:
            vectors = group[token][:, -1].values
            known = np.isfinite(vectors).all(axis=1)
            found = near_duplicates(vectors[known])
            clusters = np.arange(len(vectors)) + len(vectors)  # images without vectors, by themselves
            clusters[known] = found.clusters
            return dataclasses.replace(found, clusters=np.unique(clusters, return_inverse=True)[1])
    return None


def said_of_alike(found: NearDuplicates | None) -> str:
    """What the page says of them."""
    if found is None:
        return "Images were not compared with each other; near-duplicates may stand in different folds (keep token vectors)."
    if not found.pairs:
        return f"No two images have vectors with a cosine above {found.cosine:g}."
    return (
        f"{found.pairs:,} pairs of images have vectors with a cosine above {found.cosine:g} (mean taken out); "
        f"the {found.together:,} images of such pairs and chains stay together in one fold, at most {found.largest} at once."
    )
