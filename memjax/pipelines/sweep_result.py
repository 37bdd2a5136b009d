"""What a sweep gives: its result object, and how that is read back from the folder of a finished run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import pandas as pd
import xarray as xr
from upath import UPath

from memjax.checks import InputError, check_kind, expected, what_is
from memjax.datasets import Failure
from memjax.naming import group_name
from memjax.outputs import FAILURES, REPORT, RUN, Run, read_failures, read_run, read_table
from memjax.promises import broken_promises
from memjax.report.labels import place_words
from memjax.stats.reliability import Reliability
from memjax.storage import Place, TemporaryFolder, place
from memjax.store import (
    MEASURED_WITH,
    SHOWN,
    found_design,
    marked_chunks,
    metric_variables,
    open_features,
    verify_group,
    versions_of,
)

CORRELATIONS, READOUTS, WEIGHTS, STRONGEST = "correlations", "readout", "readout_weights", "strongest"
LABELLED, REPRESENTATIONS = "label_baselines", "representations"
"""Names of the tables (CSV and Parquet)."""


@dataclass(frozen=True)
class Controlled:
    """Tables that control a sweep's findings, each a file of the same name; None where they were not asked for, or cannot be.

    Attributes:
        predictions: predictions from elsewhere beside the readouts (`memjax.stats.external`).
        within_groups, by_group: every measure within groups, the strongest in each (`memjax.stats.within_groups`).
        group_models: the strongest with intercepts for groups (`memjax.stats.group_models`).
        lowlevel: every measure with low-level statistics held constant (`memjax.stats.given_covariates`).
        encoders: each pair of encoders (`memjax.stats.encoder_pairs`).
        noise_corrected: the headline's rho over the ceiling (`memjax.stats.noise_corrected`).
    """

    predictions: pd.DataFrame | None = None
    within_groups: pd.DataFrame | None = None
    by_group: pd.DataFrame | None = None
    group_models: pd.DataFrame | None = None
    lowlevel: pd.DataFrame | None = None
    encoders: pd.DataFrame | None = None
    noise_corrected: pd.DataFrame | None = None

    def tables(self) -> dict[str, pd.DataFrame]:
        """Name of a file -> its table, of those that there are."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: table for name, table in found.items() if table is not None}

    @classmethod
    def read(cls, out: Place) -> "Controlled":
        """From the folder of a finished run."""
        return cls(**{one.name: read_table(out, one.name) for one in fields(cls)})


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
        representations: what can be read from token vectors, by encoder, token and layer; None where none were kept.
        rivals: the strongest correlation and each other one beside it: see `memjax.stats.strongest.StrongestFound`; None where
            there are too few images.
        controlled: tables that control these findings.
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
    representations: pd.DataFrame | None = None
    rivals: pd.DataFrame | None = None
    controlled: Controlled = field(default_factory=Controlled)
    recognised: bool = False
    kept: TemporaryFolder | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        run, of = self.run, ", ".join(one.model for one in self.run.models)
        parts = [
            f"{run.dataset.images:,} images of {run.dataset.name}{' (synthetic)' if run.dataset.synthetic else ''}"
        ]
        if self.table is None:
            parts.append("features only")
        elif (known := self.table.dropna(subset="rho")).empty:
            parts.append("no correlation")
        else:
            best = known.loc[known["rho"].abs().idxmax()]
            told = f"{best['rho']:+.3f} ({best['metric']} {place_words(best['model'], best['metric'], best['layer'])})"
            parts.append(f"{len(known)} correlations, the largest {told}")
        parts += [f"{len(self.failures)} failures"] if len(self.failures) else []
        return f"<Sweep of {of}: {'; '.join(parts)}; in {self.out}>"

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


def measured_with(features: Mapping[str, xr.Dataset]) -> tuple[dict[str, str], ...]:
    """The versions that measured the encoders' groups, each set of them once."""
    found = [one for group in features.values() for one in versions_of(group.attrs.get(MEASURED_WITH))]
    return tuple(one for place, one in enumerate(found) if one not in found[:place])


def features_of(out: Place, models: Sequence[str]) -> dict[str, xr.Dataset]:
    """The groups of some encoders in a run's store, by the encoders' names, in the store's order."""
    groups = open_features(out, [group_name(model) for model in models])
    return {str(group.attrs["model"]): group for group in groups.values()}


def finished_run(out: Place, identity: str, models: Sequence[str], scored: bool) -> tuple[Run | None, list[str]]:
    """The record of the same run, if it came to its end and all that it promised is there as it was written.

    Autoencoders and baselines add metrics to the store (`memjax.store.add_metrics`); table and report are then made anew.

    Returns:
        The record, or None; and what was found damaged, a line each.
    """
    try:
        run = read_run(out)
    except InputError as error:
        if not (out / RUN).is_file():
            raise
        return None, [f"{error.args[0].rpartition(';')[0]}; made anew"]
    if run is None or run.run_id != identity:
        return None, []
    if broken := broken_promises(out, run):
        return None, [f"{line}; made anew" for line in broken]
    promised = [FAILURES] + [REPORT, f"{CORRELATIONS}.csv", f"{CORRELATIONS}.parquet"] * scored
    promised += [f"{name}.parquet" for name in (READOUTS, WEIGHTS)] * (run.readout is not None)
    promised += [f"{STRONGEST}.{kind}" for kind in ("csv", "parquet")] * (run.strongest is not None)
    if gone := [name for name in promised if not (out / name).is_file()]:  # an earlier version promised nothing
        return None, [f"{out / name}: has gone; made anew" for name in gone]
    there = stored_metrics(features_of(out, models)) if all(measured_wholly(out, model) for model in models) else {}
    lost = [
        f"{model}, {name}" for model, names in run.metrics.items() for name in set(names) - set(there.get(model, ()))
    ]
    return (run if run.metrics == there else None), [
        f"{line}: no longer in the store" for line in sorted(lost) if there
    ]


def set_aside_since(out: Place, identity: str, rejected: Iterable[Failure]) -> list[str]:
    """Rows and images that a data set sets aside and that the list of the same run, finished before, has not: a line, or none.

    A new image without a score leaves the data set's fingerprint as it is.
    """
    try:
        run = read_run(out)
        before = set(read_failures(out)["image"]) if run is not None and run.run_id == identity else None
    except (InputError, KeyError):
        return []  # `finished_run` says that
    new = [image for image in dict.fromkeys(failure.image for failure in rejected) if image not in (before or ())]
    if before is None or not new:
        return []
    what = "1 row or image is" if len(new) == 1 else f"{len(new)} rows or images are"
    shown = ", ".join(new[:SHOWN]) + (", .." if len(new) > SHOWN else "")
    return [f"{out / FAILURES}: {what} set aside that the finished run did not know ({shown}); made anew"]


def measured_wholly(out: Place, model: str) -> bool:
    """Whether every chunk of an encoder's group is done."""
    design = found_design(out, group_name(model))
    return design is not None and len(marked_chunks(out, group_name(model))) >= -(-design.images // design.chunk)


def sweep_of(run: object, argument: str = "features") -> "Sweep":
    """A sweep, or the one in a folder.

    Args:
        run: either.
        argument: what the caller calls it, for errors.

    Raises:
        InputError: it is neither, or there is no finished sweep.
    """
    return run if isinstance(run, Sweep) else read_sweep(_folder(run, argument), argument=argument)


def place_of(run: object, argument: str = "features") -> Place:
    """The folder of a sweep, or the one that is named.

    Raises:
        InputError: it is neither.
    """
    return run.out if isinstance(run, Sweep) else place(_folder(run, argument))


def _folder(run: object, argument: str) -> str | Place:
    fix = "memjax.sweep gives one"
    check_kind(run, (str, Path, UPath), "run", "a finished sweep, or its folder", fix, argument)
    return run  # type: ignore[return-value]


def sweeps_of(runs: object, argument: str = "runs") -> "list[Sweep]":
    """Several sweeps, each by itself or by its folder.

    Raises:
        InputError: one that is not in a list, or one of them cannot be read.
    """
    fix = "write [first, second]"
    if isinstance(runs, (Sweep, str, Path, UPath)) or not isinstance(runs, Iterable):
        came = "one" if isinstance(runs, (Sweep, str, Path, UPath)) else what_is(runs)
        raise expected("runs", "two finished sweeps or more", came, fix, argument)
    return [sweep_of(run, argument) for run in runs]


def read_sweep(out: str | Place, run: Run | None = None, argument: str = "out") -> Sweep:
    """The result of a finished sweep, from its folder.

    Args:
        out: the run's folder.
        run: its record, where that has been read already.
        argument: what the caller calls the folder, for errors.

    Raises:
        InputError: no finished run there, or something of it is not as it was written.
    """
    where = place(out)
    found = run or read_run(where)
    if found is None:
        raise expected(f"{argument} {where}", "a finished run", "none", "run the sweep to its end", argument)
    models = [model.model for model in found.models]
    if run is None:  # a record that is handed in was verified
        if broken := broken_promises(where, found):
            raise InputError(f"{broken[0]}; run the same sweep again, which makes it anew", argument)
        for model in models:
            verify_group(where, group_name(model))
    features = features_of(where, models)
    table, *others = [read_table(where, name) for name in (CORRELATIONS, READOUTS, WEIGHTS, REPRESENTATIONS, STRONGEST)]
    held = Controlled.read(where)
    return Sweep(where, found, table, features, read_failures(where), *others, controlled=held, recognised=True)
