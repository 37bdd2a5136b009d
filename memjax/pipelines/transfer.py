"""Does what makes images memorable in one data set do so in another? Predictors of each sweep, held against every other."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from memjax.checks import InputError, expected, settings_of
from memjax.outputs import Run, write_table
from memjax.pipelines.alike import ALIKE_IMAGES
from memjax.pipelines.predictors import fit_predictor
from memjax.pipelines.run_records import record_of_sweeps
from memjax.pipelines.sweep_result import Sweep, sweeps_of
from memjax.predictor.evaluation import against_scores
from memjax.predictor.fitting import Values
from memjax.predictor.linear import weighted_sums
from memjax.predictor.places import values_at
from memjax.predictor.predictor import COLUMNS, Predictor
from memjax.predictor.settings import PredictorSettings
from memjax.progress import ProgressCallback, tell
from memjax.promises import start_writing
from memjax.report.figures import save_figure
from memjax.report.transfer import transfer_figure
from memjax.showing import short_repr
from memjax.stats.duplicates import near_duplicates
from memjax.storage import Place, TemporaryFolder, local_folder, locked

TRANSFER = "transfer"
"""Name of the table and of the figure."""

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class TransferResult:
    """What `transfer` gives.

    Attributes:
        table: a row a pair: ``train, test, within, rho, ci_low, ci_high, n, share_of_ceiling, coverage, bias, out_of_domain,
            left_out``; ``within``: of one data set itself, out of fold.
        predictors: by data set.
        run: the record, as in run.json.
        out: the results' folder.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    predictors: dict[str, Predictor]
    run: Run
    out: Path
    kept: TemporaryFolder | None = dataclasses.field(default=None, repr=False)

    __repr__ = short_repr


def transfer(
    runs: Sequence[Sweep | str | Place],
    out: str | Path | None = None,
    settings: PredictorSettings | None = None,
    progress: bool | ProgressCallback = True,
) -> TransferResult:
    """Fit a predictor on each of some sweeps, and hold it against the human scores of every other.

    Images are not read again: the sweeps have kept the token vectors. An image of the test set that is nearly the same as one of
    the training set is left out.

    Args:
        runs: two finished sweeps or more, or their folders: of the same encoders, with the same tokens, of different data.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        settings: of the predictors; by default `PredictorSettings()`.
        progress: True for lines that say what is being done.

    Raises:
        InputError: fewer than two sweeps, encoders or pixels that differ, a sweep that a predictor cannot be fitted on.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> demo = memjax.open_dataset("demo")
        >>> halves = [memjax.open_table(demo.table.iloc[part], [demo.records[i].data for i in range(240)[part]], name=name)
        ...           for name, part in (("first", slice(0, 60)), ("second", slice(60, 120)))]
        >>> runs = [memjax.sweep(one, "memjax/tiny", settings=kept, progress=False) for one in halves]
        >>> transfer(runs, progress=False).table[["train", "test"]].values.tolist()
        [['first', 'first'], ['first', 'second'], ['second', 'first'], ['second', 'second']]
    """
    found = sweeps_of(runs)
    check_alike(found)
    names = names_of(found)
    folder, kept = local_folder(out)
    with locked(folder):
        predictors = {}
        for name, run in zip(names, found, strict=True):
            tell(f"{name}: fitting on {run.run.dataset.images:,} images", progress)
            predictors[name] = fit_predictor(run, settings, progress)
        named = dict(zip(names, found, strict=True))
        table = pd.DataFrame([row for name in names for row in _rows(name, predictors[name], named)])
        made_of = {name: one.record.run_id for name, one in predictors.items()}
        record = record_of_sweeps(
            found[0].run,
            dataclasses.asdict(settings_of(settings, PredictorSettings)) | {"runs": made_of},
            " + ".join(names),
        )
        writing = start_writing(folder, folder)
        write_table(table, folder, TRANSFER)
        save_figure(transfer_figure(table, any(run.run.dataset.synthetic for run in found)), folder, TRANSFER)
        record = writing.finish(record)
    return TransferResult(table, predictors, record, folder, kept)


def names_of(runs: Sequence[Sweep]) -> list[str]:
    """What each sweep's data set is called: by its name, and where two have the same, with the run's folder.

    Raises:
        InputError: two folders of the same name, of the same data set.
    """
    plain = [run.run.dataset.name for run in runs]
    names = [
        name if plain.count(name) == 1 else f"{name} ({run.out.name})" for name, run in zip(plain, runs, strict=True)
    ]
    if len(set(names)) < len(names):
        raise expected("runs", "folders or data sets of different names", ", ".join(names), argument="runs")
    return names


def check_alike(runs: Sequence[Sweep]) -> None:
    """Raises `InputError` where there are not two sweeps or more, or their encoders, or how they read images, differ."""
    if len(runs) < 2:
        fix = "for one whose data set has official splits there is memjax.official_splits"
        raise expected("runs", "two or more", len(runs), fix, argument="runs")
    first = _made_by(runs[0])
    for run in runs[1:]:
        for model, how in _made_by(run).items():
            if first.get(model) != how:
                raise InputError(
                    f"run {run.out}: encoder {model} is not as in {runs[0].out} (weights, pixels, protocol or type); "
                    "sweep both in the same way",
                    "runs",
                )
        if missing := sorted(first.keys() - _made_by(run).keys()):
            raise expected(f"run {run.out}", f"encoder {missing[0]}, as in {runs[0].out}", "none", argument="runs")


def _made_by(run: Sweep) -> dict[str, tuple[object, ...]]:
    how = (run.run.protocol, run.run.dtype, run.run.precision)
    return {one.model: (one.sha256, dict(one.preprocessing), *how) for one in run.run.models}


def stored_values(predictor: Predictor, run: Sweep) -> Values:
    """What a predictor reads, of every image of a sweep, in the order of its first group.

    Raises:
        InputError: the sweep did not keep it.
    """
    images, found = next(iter(run.features.values())).indexes["image"], Values()
    for one in predictor.record.encoders:
        group = run.features[one.model]
        order = group.indexes["image"].get_indexer_for(images)
        names = {
            *predictor.weights.get(one.model, {}),
            *(p.name for p in predictor.record.domain if p.model == one.model),
        }
        if missing := sorted(names - set(map(str, group.data_vars))):
            raise InputError(
                f"run {run.out}: {missing[0]} of {one.model} was not kept; sweep with the same tokens", "tokens"
            )
        found[one.model] = {name: group[name].values[order] for name in sorted(names)}
    return found


def predictions_of(predictor: Predictor, values: Values) -> pd.DataFrame:
    """As `memjax.predictor.Predictor.predict`, of values that are stored; ``image`` is the image's place."""
    score = predictor.record.intercept + np.sum(
        [weighted_sums(predictor.weights.get(model, {}), own) for model, own in values.items()], axis=0
    )
    low, high = predictor.residuals.ends(LEVEL)
    outside = predictor.domain.outside(values_at(values, predictor.record.domain))
    return pd.DataFrame(dict(zip(COLUMNS, (range(len(score)), score, score + low, score + high, outside), strict=True)))


def seen_before(train: Float[np.ndarray, "n k"], test: Float[np.ndarray, "m k"]) -> Bool[np.ndarray, " m"] | None:
    """Which test images are nearly the same as an image of the training set; None where there are too many to compare."""
    known = np.isfinite(train).all(axis=1), np.isfinite(test).all(axis=1)
    if len(train) + len(test) > ALIKE_IMAGES:
        return None
    clusters = near_duplicates(np.concatenate([train[known[0]], test[known[1]]])).clusters
    count = int(known[0].sum())
    found = np.zeros(len(test), bool)
    found[known[1]] = np.isin(clusters[count:], clusters[:count])
    return found


def _within(name: str, predictor: Predictor) -> dict[str, object]:
    of = predictor.record
    return {
        "train": name, "test": name, "within": True, "rho": of.rho, "ci_low": of.ci_low, "ci_high": of.ci_high, "n": of.images,
        "share_of_ceiling": of.share_of_ceiling, "coverage": of.coverage, "bias": np.nan, "out_of_domain": np.nan, "left_out": 0,
    }  # fmt: skip


def _rows(name: str, predictor: Predictor, runs: Mapping[str, Sweep]) -> list[dict[str, object]]:
    """Of one predictor: its own data set, and every other."""
    train = values_at(stored_values(predictor, runs[name]), predictor.record.domain)
    return [
        _within(name, predictor) if test == name else _across((name, test), predictor, train, run)
        for test, run in runs.items()
    ]


def _across(
    names: tuple[str, str], predictor: Predictor, train: Float[np.ndarray, "n k"], test: Sweep
) -> dict[str, object]:
    """One predictor against the scores of another sweep; ``train``: columns of the domain of its own images."""
    values = stored_values(predictor, test)
    seen = seen_before(train, values_at(values, predictor.record.domain))
    y = next(iter(test.features.values()))["memorability"].values.astype(np.float64)
    table = predictions_of(predictor, values)
    left_out = np.zeros(len(y), bool) if seen is None else seen & np.isfinite(y)
    found = against_scores(table, np.where(left_out, np.nan, y), LEVEL)
    if found is None:
        raise InputError(f"run {test.out}: too few images with features and a score that are not in {names[0]}", "runs")
    ceiling = test.run.ceiling.ceiling if test.run.ceiling else None
    return {
        "train": names[0], "test": names[1], "within": False, "rho": found.rho, "ci_low": found.ci_low,
        "ci_high": found.ci_high, "n": found.n,
        "share_of_ceiling": found.rho / ceiling if ceiling and found.ci_low > 0 else None,
        "coverage": found.coverage, "bias": found.bias, "out_of_domain": found.out_of_domain,
        "left_out": np.nan if seen is None else int(left_out.sum()),
    }  # fmt: skip
