"""The analysis of a sweep: its features against the scores that stand beside them in the store."""

import dataclasses

from memjax.datasets import Dataset
from memjax.datasets.observers import observers_of
from memjax.measures import stored_measures
from memjax.outputs import ReadoutRecord, plain_json
from memjax.pipelines.sweep_result import Sweep
from memjax.stats.analysis import Analysis, AnalysisSettings, analyse
from memjax.stats.correlation import EXACT_IMAGES

FOLDS = 5
"""Folds of the readout, outer and inner."""

LINEARISED = f"of correlations over more than {EXACT_IMAGES:,} images: the bootstrap's linear part, no resamples drawn"
"""How intervals are made of very many images, see `memjax.stats.influence`."""


def analyse_sweep(result: Sweep, dataset: Dataset) -> tuple[Sweep, Analysis]:
    """The result with its tables, ceiling and readouts, and the analysis that they come from."""
    measures, scores = stored_measures(result.features)
    run = result.run
    settings = AnalysisSettings(run.method, run.bootstraps, FOLDS, run.seed)
    halves, source = (
        (None, "") if run.dataset.synthetic else observers_of(dataset)
    )  # generated scores have no human ceiling
    found = analyse(measures, scores, halves, settings, source)
    readout = None
    if found.readouts is not None:
        readout = ReadoutRecord(FOLDS, tuple(plain_json(row) for row in found.readouts.to_dict("records")))
    many = bool((found.table["n"] > EXACT_IMAGES).any()) and run.bootstraps > 0
    run = dataclasses.replace(run, ceiling=found.ceiling, readout=readout, intervals=LINEARISED if many else "")
    return dataclasses.replace(
        result, run=run, table=found.table, readouts=found.readouts, weights=found.weights
    ), found
