"""What run.json says of a run that passes images through a predictor's encoders."""

from collections.abc import Mapping

import pandas as pd

from memjax.datasets import Dataset
from memjax.outputs import DatasetRecord, Json, Run, count_failed, now, record_of, started, versions
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
