"""Predictions of many images as a run: its tables, its record and, where there are human scores, how the predictions do."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from memjax import devices
from memjax.checks import InputError, expected
from memjax.datasets import Dataset
from memjax.datasets.base import fingerprint
from memjax.outputs import (
    REPORT,
    Run,
    failure_table,
    read_failures,
    read_run,
    read_table,
    write_failures,
    write_table,
)
from memjax.pipelines.explained import FOLDER, explain_extremes
from memjax.pipelines.parts import PartFiles
from memjax.pipelines.prediction_page import write_prediction_page
from memjax.pipelines.run_records import record_of_predictor
from memjax.pipelines.scored_parts import scored_in_parts, scores_identity, stamps_of
from memjax.predictor.calibration import LEVEL
from memjax.predictor.evaluation import AgainstScores, against_scores
from memjax.predictor.predictor import Predictor
from memjax.predictor.sources import Images, named_images
from memjax.progress import ProgressCallback, tell
from memjax.promises import broken_promises, start_writing
from memjax.records import record_from
from memjax.storage import TemporaryFolder, local_folder, locked

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

    Scores are kept part by part in ``out``: the same call again goes on after the last of them, and a finished one is read.
    Images in memory cannot be told from others, and are scored again.

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
    predictor.residuals.ends(level)  # refused before the work
    (folder, kept), named = local_folder(out), named_images(images)
    with locked(folder):
        identity = scores_identity(predictor, named) if out is not None else ""
        run_id = fingerprint(identity, stamps_of(named), level, explain) if identity else ""
        if (done := finished_predictions(folder, run_id)) is not None:
            tell(f"{folder}: finished before", progress)
            return done
        files = PartFiles.of(folder, "parts", {"predictions": identity}) if identity else None
        scored, failures = scored_in_parts(predictor, named, batch_size, files, progress)
        table = predictor.table_of(named.names, scored, level)
        y, found = named.dataset.table["memorability"].to_numpy(np.float64), None
        if named.dataset.scored:
            found = against_scores(table, y, level, _same_data(predictor, named.dataset))
            table = table.assign(memorability=y)
        failed = failure_table(dict.fromkeys(failures))
        told = {"images": predictor.record.images, "source": predictor.record.source}
        run = record_of_predictor(predictor, named.dataset, failed, told)
        run = dataclasses.replace(run, level=level, run_id=run_id)
        writing = start_writing(folder, folder, (FOLDER,) if explain else ())
        write_table(table, folder, PREDICTIONS)
        if found is not None:
            write_table(pd.DataFrame([dataclasses.asdict(found)]), folder, EVALUATION)
        maps = explain_extremes(predictor, named, table, explain, folder, progress=progress) if explain else {}
        write_failures(failed, folder)
        write_prediction_page(folder / REPORT, run, predictor, named, (table, found), (failed, maps))
        run = writing.finish(run)
    return PredictedImages(table, failed, found, run, folder, kept)


def finished_predictions(folder: Path, run_id: str) -> PredictedImages | None:
    """The same predictions, where they were finished and lie there as they were written; None otherwise, and of no ``run_id``."""
    try:
        run = read_run(folder)
    except InputError:
        return None  # a damaged record is made anew
    if run is None or not run_id or run.run_id != run_id or broken_promises(folder, run):
        return None
    table, evaluation = read_table(folder, PREDICTIONS), None
    if table is None or REPORT not in run.outputs:
        return None  # of an earlier version, which wrote no page
    if f"{EVALUATION}.parquet" in run.outputs and (row := read_table(folder, EVALUATION)) is not None:
        evaluation = record_from(AgainstScores, row.to_dict("records")[0])
    return PredictedImages(table, read_failures(folder), evaluation, run, folder)


def _same_data(predictor: Predictor, dataset: Dataset) -> bool:
    """Whether the images are those that it was fitted on."""
    known = dataset.info["fingerprint"]
    return bool(known) and known == predictor.record.dataset.fingerprint
