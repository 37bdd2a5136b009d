"""Whether a sweep is finished, and what failed in it: needed before the first picture, so without the report's imports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from memjax.datasets import Failure
from memjax.storage import Place, read_json
from memjax.store import metric_variables, open_features


def finished(out: Place, run_id: str) -> dict[str, Any] | None:
    """The run.json of the same run, if it came to its end, its files are there, and its table is of all metrics.

    Other experiments add metrics to the store (`memjax.store.add_metrics`); the table and report are then made anew.
    """
    file = out / "run.json"
    if not file.is_file() or not all((out / f).is_file() for f in ("report.html", "correlations.csv", "failures.csv")):
        return None
    run = read_json(file)
    same = run.get("run_id") == run_id and run.get("metrics") == stored_metrics(open_features(out))
    return run if same else None


def stored_metrics(features: dict[str, Any]) -> dict[str, list[str]]:
    """Encoder -> the metrics that the store holds of it."""
    return {group.attrs["model"]: sorted(metric_variables(group)) for group in features.values()}


def write_failures(out: Path, failures: Sequence[Failure]) -> pd.DataFrame:
    """failures.csv: every image that could not be used, and why."""
    failed = pd.DataFrame(list(failures), columns=["image", "stage", "error"])
    failed.to_csv(out / "failures.csv", index=False)
    return failed
