"""The analysis of a sweep: its features against the scores that stand beside them in the store."""

import dataclasses

from memjax.datasets import Dataset
from memjax.measures import stored_measures
from memjax.outputs import ReadoutRecord, plain_json
from memjax.pipelines.sweep_result import Sweep
from memjax.stats.analysis import Analysis, AnalysisSettings, analyse

FOLDS = 5
"""Folds of the readout, outer and inner."""


def analyse_sweep(result: Sweep, dataset: Dataset) -> tuple[Sweep, Analysis]:
    """The result with its tables, ceiling and readouts, and the analysis that they come from."""
    measures, scores = stored_measures(result.features)
    run = result.run
    settings = AnalysisSettings(run.method, run.bootstraps, FOLDS, run.seed)
    halves = None if run.dataset.synthetic else dataset.halves  # generated scores have no human ceiling
    found = analyse(measures, scores, halves, settings, f"half-splits published with {dataset.name}")
    readout = None
    if found.readouts is not None:
        readout = ReadoutRecord(FOLDS, tuple(plain_json(row) for row in found.readouts.to_dict("records")))
    run = dataclasses.replace(run, ceiling=found.ceiling, readout=readout)
    return dataclasses.replace(
        result, run=run, table=found.table, readouts=found.readouts, weights=found.weights
    ), found
