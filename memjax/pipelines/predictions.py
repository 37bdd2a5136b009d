"""Predictions of many images as a run: its tables, its record and, where there are human scores, how the predictions do."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from memjax import devices
from memjax.checks import expected
from memjax.datasets import Dataset, Failure
from memjax.outputs import (
    DatasetRecord,
    Run,
    count_failed,
    failure_table,
    now,
    record_of,
    started,
    versions,
    write_failures,
    write_table,
)
from memjax.pipelines.explained import FOLDER, explain_extremes
from memjax.predictor.calibration import LEVEL
from memjax.predictor.evaluation import AgainstScores, against_scores
from memjax.predictor.predictor import Predictor
from memjax.predictor.sources import Images, named_images
from memjax.progress import ProgressCallback
from memjax.promises import start_writing
from memjax.storage import TemporaryFolder, locked, results_folder

PREDICTIONS, EVALUATION = "predictions", "evaluation"
"""Names of the tables."""


@dataclasses.dataclass(frozen=True)
class PredictedImages:
    """What `predict_images` gives.

    Attributes:
        table: as `memjax.predictor.Predictor.predict` gives it; ``memorability`` beside it where there are human scores.
        failures: columns ``image, stage, error``.
        evaluation: against the human scores; None without, or of too few.
        run: the record, as in run.json.
        out: the results' folder.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    failures: pd.DataFrame
    evaluation: AgainstScores | None
    run: Run
    out: Path
    kept: TemporaryFolder | None = dataclasses.field(default=None, repr=False)


def predict_images(
    predictor: Predictor,
    images: Images,
    out: str | Path | None = None,
    level: float = LEVEL,
    progress: bool | ProgressCallback = True,
    batch_size: int | None = None,
    explain: int = 0,
) -> PredictedImages:
    """Predict how memorable images are, and write it: predictions, failures, run.json and, with human scores, evaluation.

    Args:
        predictor: from `memjax.fit_predictor` or `memjax.load_predictor`.
        images: see `memjax.predictor.Predictor.predict`; a data set with scores is evaluated.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        level, progress, batch_size: see there.
        explain: draw where in the image the score comes from, for so many of the highest and of the lowest scores.

    Raises:
        InputError: as there; another run in ``out``; or explanations of a predictor in bfloat16, whose derivatives are too
            coarse.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> predictor = memjax.fit_predictor(run, progress=False)
        >>> predict_images(predictor, memjax.open_dataset("demo"), progress=False).table.shape[1]
        6
    """
    devices.use_cores()
    if explain and predictor.record.dtype != "float32":
        raise expected("explain", "a predictor in float32", predictor.record.dtype, "leave it out", argument="explain")
    where, kept = results_folder(None if out is None else Path(out).expanduser())
    folder = Path(where)
    named = named_images(images)
    failures: list[Failure] = list(named.dataset.rejected)
    with locked(folder):
        table = predictor.predict(named, level, progress, failures, batch_size)
        scored = named.dataset.scored
        y = named.dataset.table["memorability"].to_numpy(np.float64)
        same = bool(named.dataset.info["fingerprint"]) and (
            named.dataset.info["fingerprint"] == predictor.record.dataset.fingerprint
        )
        found = against_scores(table, y, level, same) if scored else None
        table = table.assign(memorability=y) if scored else table
        failed = failure_table(dict.fromkeys(failures))
        run = _record(predictor, named.dataset, failed, level)
        writing = start_writing(folder, folder, (FOLDER,) if explain else ())
        write_table(table, folder, PREDICTIONS)
        if found is not None:
            write_table(pd.DataFrame([dataclasses.asdict(found)]), folder, EVALUATION)
        if explain:
            explain_extremes(predictor, named, table, explain, folder, progress=progress)
        write_failures(failed, folder)
        run = writing.finish(run)
    return PredictedImages(table, failed, found, run, folder, kept)


def _record(predictor: Predictor, dataset: Dataset, failures: pd.DataFrame, level: float) -> Run:
    """As run.json has it."""
    of, made = predictor.record, dataset.info.get("source") is None
    return Run(
        dataset=DatasetRecord(dataset.name, len(dataset)) if made else record_of(dataset),
        models=of.encoders,
        protocol=of.protocol,
        dtype=of.dtype,
        precision=of.precision,
        level=level,
        settings={"fitted_on": of.dataset.name, "images": of.images, "source": of.source, "run_id": of.run_id},
        failures=count_failed(failures),
        command=started(),
        finished=now(),
        versions=versions(),
    )
