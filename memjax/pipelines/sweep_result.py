"""What a sweep gives: its result object, and how that is read back from the folder of a finished run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import xarray as xr

from memjax.checks import expected
from memjax.outputs import FAILURES, Run, read_failures, read_run, read_table
from memjax.stats.reliability import Reliability
from memjax.storage import Place, TemporaryFolder, place
from memjax.store import metric_variables, open_features

CORRELATIONS, READOUTS, WEIGHTS, REPORT = "correlations", "readout", "readout_weights", "report.html"
"""Names of the tables (CSV and Parquet) and of the page."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep found. A notebook shows its headline, strongest correlations and lead figure.

    Attributes:
        out: the run's folder, or its place in an object store.
        run: the record of the run, as in run.json.
        table: one row an encoder, metric and layer: ``model, metric, layer, rho, ci_low, ci_high, p, q, n``; None for data
            without scores.
        features: encoder -> data set with dims ``image, layer``, one variable a metric, read when used.
        failures: columns ``image, stage, error``: every image that could not be used, and why.
        readouts: out-of-fold rho of all measures together, beside the best single one; None where there is none.
        weights: of the widest readout, by metric and layer; None where there is none.
        recognised: the run was finished before, and nothing was left to do.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    out: Place
    run: Run
    table: pd.DataFrame | None
    features: Mapping[str, xr.Dataset]
    failures: pd.DataFrame
    readouts: pd.DataFrame | None = None
    weights: pd.DataFrame | None = None
    recognised: bool = False
    kept: TemporaryFolder | None = field(default=None, repr=False)

    @property
    def ceiling(self) -> Reliability | None:
        """How far people agree, and the correlation that follows from it as the largest to expect; None where not known."""
        return self.run.ceiling

    @property
    def report(self) -> Place | None:
        """The report page; None for data without scores."""
        return None if self.table is None else self.out / REPORT

    def _repr_html_(self) -> str:
        from memjax.pipelines.sweep_report import notebook_html  # loads matplotlib; not at import

        return notebook_html(self)


def stored_metrics(features: Mapping[str, xr.Dataset]) -> dict[str, list[str]]:
    """Encoder -> the metrics that a store holds of it."""
    return {str(group.attrs["model"]): sorted(metric_variables(group)) for group in features.values()}


def features_of(out: Place, models: Sequence[str]) -> dict[str, xr.Dataset]:
    """The groups of some encoders in a run's store, by the encoders' names, in the store's order."""
    groups = {str(group.attrs["model"]): group for group in open_features(out).values()}
    return {model: group for model, group in groups.items() if model in set(models)}


def finished_run(out: Place, identity: str, scored: bool) -> Run | None:
    """The record of the same run, if it came to its end, its files are there, and its table is of all metrics.

    Autoencoders and baselines add metrics to the store (`memjax.store.add_metrics`); table and report are then made anew.
    """
    promised = [FAILURES] + [REPORT, f"{CORRELATIONS}.csv", f"{CORRELATIONS}.parquet"] * scored
    if not all((out / name).is_file() for name in promised):
        return None
    run = read_run(out)
    if run is None or run.run_id != identity:
        return None
    if run.readout is not None and not all((out / f"{name}.parquet").is_file() for name in (READOUTS, WEIGHTS)):
        return None
    return run if run.metrics == stored_metrics(open_features(out)) else None


def read_sweep(out: str | Place, run: Run | None = None) -> Sweep:
    """The result of a finished sweep, from its folder.

    Args:
        out: the run's folder.
        run: its record, where that has been read already.

    Raises:
        InputError: no finished run there.
    """
    where = place(out)
    found = run or read_run(where)
    if found is None:
        raise expected(f"out {where}", "a finished run", "none", "run the sweep to its end", argument="out")
    features = features_of(where, [model.model for model in found.models])
    tables = [read_table(where, name) for name in (CORRELATIONS, READOUTS, WEIGHTS)]
    return Sweep(where, found, tables[0], features, read_failures(where), tables[1], tables[2], recognised=True)
