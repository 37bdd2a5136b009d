"""Several data sets in one table: what finished sweeps found, side by side, and its mean over data sets."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import expected
from memjax.outputs import Run, write_table
from memjax.pipelines.run_records import record_of_sweeps
from memjax.pipelines.sweep_result import Sweep, sweeps_of
from memjax.pipelines.transfer import check_alike, names_of
from memjax.promises import start_writing
from memjax.report.compare import compare_figure
from memjax.report.figures import save_figure
from memjax.showing import short_repr
from memjax.stats.across_datasets import errors_of, mean_over_sets
from memjax.stats.correlation import benjamini_hochberg
from memjax.storage import Place, TemporaryFolder, local_folder, locked

MEASURES, VECTORS = "measure", "token vectors"
"""What a row reads."""

KEYS = ["reads", "model", "what", "layer"]
BY_DATASET, MEANS = "by_dataset", "compare"
"""Names of the tables; the second is that of the figure too."""

READOUT_LEVEL = 0.95
"""Coverage of the intervals of readouts of token vectors."""


@dataclasses.dataclass(frozen=True)
class DatasetComparison:
    """What `compare_datasets` gives.

    Attributes:
        table: a row a measure or readout that two data sets or more have: ``reads`` (measure or token vectors), ``model, what``
            (metric or token), ``layer``, ``datasets`` (how many), ``rho, ci_low, ci_high, p`` (mean over data sets), ``q`` (over
            the rows of the same ``reads``), ``tau, i2, p_same`` (how far data sets differ, see
            `memjax.stats.across_datasets.MeanRho`), ``everywhere`` (whether the intervals of all lie on the same side of 0).
        by_dataset: ``dataset, reads, model, what, layer, rho, ci_low, ci_high, n``.
        run: the record, as in run.json.
        out: the results' folder.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    by_dataset: pd.DataFrame
    run: Run
    out: Path
    kept: TemporaryFolder | None = dataclasses.field(default=None, repr=False)

    __repr__ = short_repr


def compare_datasets(runs: Sequence[Sweep | str | Place], out: str | Path | None = None) -> DatasetComparison:
    """Put what finished sweeps of several data sets found into one table, with means over data sets.

    Nothing is measured again. The mean is one of random effects on the scale of Fisher's z: data sets are its units, see
    `memjax.stats.across_datasets`.

    Args:
        runs: two finished sweeps or more, or their folders: of data with scores, of the same encoders, made in the same way.
        out: the results' folder; None for a temporary one, which lives as long as the result.

    Raises:
        InputError: fewer than two sweeps, encoders, pixels or coefficients that differ, a sweep without scores.

    Example:
        >>> import memjax
        >>> settings = memjax.SweepSettings(bootstraps=50, metrics=("cls_norm",))
        >>> demo = memjax.open_dataset("demo")
        >>> halves = [memjax.open_table(demo.table.iloc[part], [demo.records[i].data for i in range(240)[part]], name=name)
        ...           for name, part in (("first", slice(0, 40)), ("second", slice(40, 80)))]
        >>> runs = [memjax.sweep(one, "memjax/tiny", settings=settings, progress=False) for one in halves]
        >>> found = memjax.compare_datasets(runs)
        >>> found.table["datasets"].unique().tolist(), found.by_dataset["dataset"].unique().tolist()
        ([2], ['first', 'second'])
    """
    found = sweeps_of(runs)
    check_comparable(found)
    named = dict(zip(names_of(found), found, strict=True))
    folder, kept = local_folder(out)
    with locked(folder):
        rows = by_dataset_of(named)
        table = means_of(rows)
        writing = start_writing(folder, folder)
        write_table(rows.drop(columns="error"), folder, BY_DATASET)
        write_table(table, folder, MEANS)
        synthetic = any(run.run.dataset.synthetic for run in found)
        save_figure(compare_figure(rows, table, found[0].run.method, synthetic), folder, MEANS)
        first, made_of = found[0].run, {name: run.run.run_id for name, run in named.items()}
        record = record_of_sweeps(first, {"runs": made_of}, " + ".join(named))
        record = writing.finish(dataclasses.replace(record, method=first.method))
    return DatasetComparison(table, rows.drop(columns="error"), record, folder, kept)


def check_comparable(runs: Sequence[Sweep]) -> None:
    """Raises `InputError` where sweeps are not of the same encoders, coefficient and kind of data."""
    check_alike(runs)
    for run in runs:
        if run.table is None:
            raise expected(f"run {run.out}", "one of data with scores", "one without", argument="runs")
        if run.run.method != runs[0].run.method:
            fix = "sweep all with the same coefficient"
            raise expected(f"run {run.out}, method", runs[0].run.method, run.run.method, fix, argument="runs")


def by_dataset_of(runs: Mapping[str, Sweep]) -> pd.DataFrame:
    """Every correlation and readout of every data set, with its standard error on the scale of Fisher's z."""
    found = []
    for name, run in runs.items():
        tables = [
            (MEASURES, "metric", run.table, run.run.level),
            (VECTORS, "token", run.representations, READOUT_LEVEL),
        ]
        for reads, what, table, level in tables:
            if table is not None:
                kept = table.rename(columns={what: "what"})[["model", "what", "layer", "rho", "ci_low", "ci_high", "n"]]
                error = errors_of(kept["ci_low"].to_numpy(float), kept["ci_high"].to_numpy(float), level)
                found.append(kept.assign(dataset=name, reads=reads, error=error))
    return pd.concat(found, ignore_index=True)[["dataset", *KEYS, "rho", "ci_low", "ci_high", "n", "error"]]


def means_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over data sets of every measure and readout that two or more have."""
    found = []
    for key, own in rows.groupby(KEYS, sort=False):
        mean = mean_over_sets(own["rho"].to_numpy(float), own["error"].to_numpy(float))
        everywhere = bool((own["ci_low"] > 0).all() or (own["ci_high"] < 0).all())
        if mean is not None:
            found.append(dict(zip(KEYS, key, strict=True)) | {
                "datasets": mean.sets, "rho": mean.rho, "ci_low": mean.low, "ci_high": mean.high, "p": mean.p, "q": np.nan,
                "tau": mean.tau, "i2": mean.i2, "p_same": mean.p_same, "everywhere": everywhere,
            })  # fmt: skip
    columns = [*KEYS, "datasets", "rho", "ci_low", "ci_high", "p", "q", "tau", "i2", "p_same", "everywhere"]
    table = pd.DataFrame(found, columns=columns)
    for _, own in table.groupby("reads"):
        table.loc[own.index, "q"] = benjamini_hochberg(own["p"].to_numpy(float))
    return table
