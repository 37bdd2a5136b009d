"""What run.json says of a run that begins where another has ended: with a predictor, or with finished sweeps."""

import dataclasses
from collections.abc import Mapping

import pandas as pd

from memjax.datasets import Dataset
from memjax.outputs import DatasetRecord, Json, Run, count_failed, now, plain_json, record_of, started, versions
from memjax.predictor.predictor import Predictor


def record_of_predictor(
    predictor: Predictor, dataset: Dataset, failures: pd.DataFrame, settings: Mapping[str, Json]
) -> Run:
    """The record of such a run.

    Args:
        predictor: whose encoders.
        dataset: the images.
        failures: from `memjax.outputs.failure_table`.
        settings: the run's own, beside the predictor's.
    """
    of, made = predictor.record, dataset.info.get("source") is None
    return Run(
        dataset=DatasetRecord(dataset.name, len(dataset)) if made else record_of(dataset),
        models=of.encoders,
        protocol=of.protocol,
        dtype=of.dtype,
        precision=of.precision,
        settings={"fitted_on": of.dataset.name, "run_id": of.run_id, **settings},
        failures=count_failed(failures),
        command=started(),
        finished=now(),
        versions=versions(),
    )


def record_of_sweeps(first: Run, settings: Mapping[str, object], name: str = "") -> Run:
    """The record of an analysis of finished sweeps, which are of the same encoders, made in the same way.

    Args:
        first: the record of one of them.
        settings: the analysis' own, and which sweeps they are.
        name: of their data sets together; by default that of the first.
    """
    return Run(
        dataset=dataclasses.replace(first.dataset, name=name or first.dataset.name),
        models=first.models,
        protocol=first.protocol,
        dtype=first.dtype,
        precision=first.precision,
        settings={key: plain_json(value) for key, value in settings.items()},
        command=started(),
        finished=now(),
        versions=versions(),
    )
