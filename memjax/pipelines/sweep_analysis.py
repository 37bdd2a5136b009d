"""The analysis of a sweep: its features against the scores that stand beside them in the store."""

import dataclasses

from memjax.datasets import Dataset
from memjax.measures import stored_measures
from memjax.outputs import ReadoutRecord, plain_json
from memjax.pipelines.sweep_result import Sweep
from memjax.stats.analysis import Analysis, AnalysisSettings, analyse
from memjax.stats.correlation import EXACT_IMAGES
from memjax.stats.exact import MOST_IMAGES

FOLDS = 5
"""Folds of the readout, outer and inner."""

LINEARISED = f"of correlations over more than {EXACT_IMAGES:,} images: the bootstrap's linear part, no resamples drawn"
"""How intervals are made of very many images, see `memjax.stats.influence`."""

COUNTED = (
    f"of correlations over fewer than {MOST_IMAGES + 1} images: ends of Fisher's z or the bootstrap's, the further ones"
)
"""How intervals are made of few images, see `memjax.stats.exact`."""


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
    n, strongest = found.table["n"], found.strongest
    kinds = [words for words, of in ((COUNTED, n <= MOST_IMAGES), (LINEARISED, n > EXACT_IMAGES)) if of.any()]
    run = dataclasses.replace(
        run,
        ceiling=found.ceiling,
        readout=readout,
        intervals="; ".join(kinds) if run.bootstraps else "",
        strongest=strongest.strongest if strongest else None,
    )
    return dataclasses.replace(
        result,
        run=run,
        table=found.table,
        readouts=found.readouts,
        weights=found.weights,
        rivals=strongest.table if strongest else None,
    ), found
