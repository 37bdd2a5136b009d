"""The analysis of a sweep: its features against the scores that stand beside them in the store."""

import dataclasses
from collections.abc import Callable

import numpy as np

from memjax.datasets import Dataset
from memjax.datasets.base import label_columns
from memjax.datasets.observers import observers_of
from memjax.measures import stored_measures
from memjax.outputs import ReadoutRecord, plain_json
from memjax.pipelines.alike import alike_images
from memjax.pipelines.control_tables import control_tables
from memjax.pipelines.controls import Controls
from memjax.pipelines.sweep_representations import representations_of
from memjax.pipelines.sweep_result import Sweep
from memjax.stats.analysis import AboutImages, Analysis, AnalysisSettings, analyse
from memjax.stats.correlation import EXACT_IMAGES
from memjax.stats.exact import MOST_IMAGES
from memjax.stats.readouts import Together
from memjax.stats.representations import together_rows

FOLDS = 5
"""Folds of the readout, outer and inner."""

LINEARISED = f"of correlations over more than {EXACT_IMAGES:,} images: the bootstrap's linear part, no resamples drawn"
"""How intervals are made of very many images, see `memjax.stats.influence`."""

COUNTED = (
    f"of correlations over fewer than {MOST_IMAGES + 1} images: ends of Fisher's z or the bootstrap's, the further ones"
)
"""How intervals are made of few images, see `memjax.stats.exact`."""


def analyse_sweep(
    result: Sweep, dataset: Dataset, controls: Controls, report: Callable[[str], None] = lambda said: None
) -> tuple[Sweep, Analysis]:
    """The result with its tables, ceiling and readouts, and the analysis that they come from.

    Args:
        result: as measured.
        dataset: its images.
        controls: what its findings are controlled by.
        report: told which token vectors are being read.
    """
    measures, scores = stored_measures(result.features)
    run = result.run
    settings = AnalysisSettings(run.method, run.bootstraps, FOLDS, seed=run.seed)
    # generated scores have no human ceiling
    halves, source = (None, "") if run.dataset.synthetic else observers_of(dataset)
    images = next(iter(result.features.values())).indexes["image"]
    table = dataset.table.reindex(images)
    alike = alike_images(result.features, table)
    together = Together(controls.labels_of(images), alike.clusters)
    about = AboutImages(together, label_columns(table))
    found = analyse(measures, scores, halves, settings, source, about)
    found = dataclasses.replace(
        found, representations=representations_of(result.features, found, together, run.seed, report)
    )
    held = control_tables(found, np.asarray(scores), images, (controls, dataset, halves), run)
    n, strongest = found.table["n"], found.strongest
    kinds = [words for words, of in ((COUNTED, n <= MOST_IMAGES), (LINEARISED, n > EXACT_IMAGES)) if of.any()]
    run = dataclasses.replace(
        run,
        ceiling=found.ceiling,
        readout=record_of_readouts(found, alike.said),
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
        controlled=held,
    ), found


def record_of_readouts(found: Analysis, together: str) -> ReadoutRecord | None:
    """The readouts as run.json has them."""
    if found.readouts is None:
        return None
    widest = found.readouts["model"].iloc[-1]
    labels = () if found.labels is None else found.labels[found.labels["model"] == widest].to_dict("records")
    read = () if found.representations is None else together_rows(found.representations.table).to_dict("records")
    tables = [tuple(plain_json(row) for row in rows) for rows in (found.readouts.to_dict("records"), labels, read)]
    how = "" if found.representations is None else found.representations.how
    return ReadoutRecord(FOLDS, *tables, together, how)
