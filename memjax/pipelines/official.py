"""How well are a data set's official test images predicted from its training images? Of a sweep that kept token vectors."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int

from memjax.checks import InputError, expected
from memjax.datasets.base import PARTS, SPLITS
from memjax.image_table import read_images_table
from memjax.outputs import Run, write_table
from memjax.pipelines.alike import alike_images
from memjax.pipelines.run_records import record_of_sweeps
from memjax.pipelines.sweep_representations import kept_tokens, readers_of
from memjax.pipelines.sweep_result import Sweep, sweep_of
from memjax.progress import ProgressCallback, tell
from memjax.promises import start_writing
from memjax.showing import short_repr
from memjax.stats.banks import bank_of
from memjax.stats.cells import MOST_BYTES
from memjax.stats.official import INNER_FOLDS, Split, SplitReadout, mean_over, read_split, rho_without
from memjax.stats.strata import rho_interval
from memjax.storage import Place, TemporaryFolder, local_folder, locked

SPLITS_TABLE, PREDICTIONS = "splits", "predictions"
"""Names of the tables."""

FEWEST_TRAINED, FEWEST_TESTED = 50, 30
"""Images of a split with token vectors and a score."""

MEAN = "mean"
"""In place of a split: the mean over all."""


@dataclasses.dataclass(frozen=True)
class OfficialResult:
    """What `official_splits` gives.

    Attributes:
        table: a row a split, and one of their mean: ``split, train, val, test`` (images), ``rho, ci_low, ci_high, penalty, seen``
            (test images that are nearly the same as one that was fitted on), ``rho_unseen`` (of the other test images).
        predictions: ``split, image, score, predicted`` of the test images.
        run: the record, as in run.json.
        out: the results' folder.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    predictions: pd.DataFrame
    run: Run
    out: Path
    kept: TemporaryFolder | None = dataclasses.field(default=None, repr=False)

    __repr__ = short_repr


def official_splits(
    run: Sweep | str | Place,
    out: str | Path | None = None,
    seed: int = 0,
    progress: bool | ProgressCallback = True,
) -> OfficialResult:
    """Fit on the training images of each official split of a data set, and predict its test images.

    A ridge regression on the token vectors of every layer and encoder that the sweep kept, fitted on all training images with
    the scores that the split has (LaMem's differ between splits), the penalty chosen by the validation images, or where there are
    none by inner folds of the training images. rho is Spearman's on the test images, as in publications on LaMem.

    Args:
        run: a finished sweep that kept token vectors, or its folder, of a data set with official splits: LaMem, or a table with a
            column ``split``, or ``split_1`` to ``split_5``, of the words train, val and test (empty: in no part). A column
            ``score_1`` has the scores of ``split_1``; without it they are those of ``memorability``.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        seed: of inner folds.
        progress: True for lines that say what is being done.

    Raises:
        InputError: no finished sweep, no official split or a word in it that is none, no token vectors, too few images.

    Reference: Khosla, Raju, Torralba & Oliva 2015, Understanding and Predicting Image Memorability at a Large Scale, ICCV.

    Example:
        >>> import memjax
        >>> demo = memjax.open_dataset("demo", limit=120)
        >>> parts = demo.table.assign(split=["train", "train", "test"] * 40)
        >>> images = [demo.records[i].data for i in range(120)]
        >>> dataset = memjax.open_table(parts, images)
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(dataset, "memjax/tiny", settings=kept, progress=False)
        >>> official_splits(run, progress=False).table[["split", "train", "test"]].values.tolist()
        [['split', 80, 40], ['mean', 80, 40]]
    """
    found = sweep_of(run, "runs")
    images = next(iter(found.features.values())).indexes["image"]
    table = read_images_table(found.out, images)
    splits = splits_of(table, found)
    folder, kept = local_folder(out)
    with locked(folder):
        rows, read, clusters = _read(found, splits, table, (seed, progress))
        result = _table(read, clusters)
        predictions = _predictions(read, images[rows])
        writing = start_writing(folder, folder)
        write_table(result, folder, SPLITS_TABLE)
        write_table(predictions, folder, PREDICTIONS)
        record = writing.finish(record_of_sweeps(found.run, {"seed": seed, "run": found.run.run_id}))
    return OfficialResult(result, predictions, record, folder, kept)


def splits_of(table: pd.DataFrame, run: Sweep) -> list[Split]:
    """The official splits of a run's images, in the order of its first group.

    Args:
        table: from `memjax.image_table.read_images_table`.
        run: the sweep, of data with scores.

    Raises:
        InputError: there is none, or a word in it that is none.
    """
    names = [name for name in SPLITS if name in table]
    if not names or run.table is None:
        fix = "sweep a table with a column split; two runs or more need none"
        raise expected(f"run {run.out}", "scores and official splits of its images", "none", fix, argument="runs")
    found = []
    for name in names:
        words = table[name].fillna("").astype(str).str.strip()
        if odd := sorted(set(words) - {*PARTS, ""}):
            raise expected(f"run {run.out}, column {name}", "train, val or test", odd[0], argument="runs")
        own = name.replace("split", "score")
        scores = table[own if own in table and own != name else "memorability"].to_numpy(np.float64)
        found.append(Split(name, *(words.to_numpy(str) == part for part in PARTS), scores))
    return found


def _read(
    run: Sweep, splits: Sequence[Split], table: pd.DataFrame, how: tuple[int, bool | ProgressCallback]
) -> tuple[Int[np.ndarray, " n"], list[SplitReadout], Int[np.ndarray, " n"]]:
    """The images with token vectors, what is predicted of them in each split, and labels of those that are nearly the same."""
    seed, progress = how
    features: Mapping[str, xr.Dataset] = run.features
    if not (kept := kept_tokens(features)):
        fix = "run the sweep again and keep cls and mean of every layer"
        raise InputError(f"run {run.out}: no token vectors were kept; {fix}", "tokens", "cls mean")
    bank = bank_of(readers_of(features, kept), next(iter(features.values()))["memorability"].values.astype(np.float64))
    columns = sum(band.width for band in bank.bands())
    if 4 * INNER_FOLDS * columns**2 > MOST_BYTES:
        most = int((MOST_BYTES / 4 / INNER_FOLDS) ** 0.5)
        raise expected(
            f"run {run.out}, columns", f"{most:,} at most", f"{columns:,}", "keep fewer tokens", argument="tokens"
        )
    alike = alike_images(features, table).clusters
    clusters = np.unique((np.arange(len(table)) if alike is None else alike)[bank.rows], return_inverse=True)[1]
    read = []
    for one in splits:
        own = one.of(bank.rows)
        _check(own, run)
        by = "its validation images" if own.validated else "inner folds"
        tell(f"{one.name}: fitting on {int(own.train.sum()):,} images, the penalty by {by}", progress)
        read.append(read_split(bank, own, clusters, seed))
    return bank.rows, read, clusters


def _check(split: Split, run: Sweep) -> None:
    for part, fewest in (("train", FEWEST_TRAINED), ("test", FEWEST_TESTED)):
        here = getattr(split, part)
        if here.sum() < fewest or np.ptp(split.scores[here]) == 0:
            wanted = f"{fewest} images or more with token vectors and scores that vary"
            raise expected(
                f"run {run.out}, {part} of {split.name}", wanted, f"{int(here.sum())} images", argument="runs"
            )


def _table(read: Sequence[SplitReadout], clusters: Int[np.ndarray, " n"]) -> pd.DataFrame:
    rows = []
    for one in read:
        ends, split = rho_interval(one.parts, clusters), one.split
        seen = split.test & np.isin(clusters, clusters[split.train])
        rows.append({
            "split": split.name, **_counts(split), "rho": ends.value, "ci_low": ends.low, "ci_high": ends.high,
            "penalty": one.model.penalty, "seen": int(seen.sum()), "rho_unseen": _unseen(one, seen),
        })  # fmt: skip
    mean, own = mean_over(read, clusters), pd.DataFrame(rows)
    counts = {name: int(own[name].mean().round()) for name in (*PARTS, "seen")}
    ends = {"rho": mean.value, "ci_low": mean.low, "ci_high": mean.high, "rho_unseen": own["rho_unseen"].mean()}
    return pd.concat([own, pd.DataFrame([{"split": MEAN, **counts, **ends}])], ignore_index=True)


def _counts(split: Split) -> dict[str, int]:
    return {part: int(getattr(split, part).sum()) for part in PARTS}


def _unseen(one: SplitReadout, seen: Bool[np.ndarray, " n"]) -> float:
    """Rho of the test images that are not nearly the same as a training image; NaN of too few."""
    left = one.split.test & ~seen
    return rho_without(one, seen) if left.sum() >= FEWEST_TESTED else float("nan")


def _predictions(read: Sequence[SplitReadout], images: pd.Index) -> pd.DataFrame:
    def of(one: SplitReadout) -> pd.DataFrame:
        here: Float[np.ndarray, " a"] = np.flatnonzero(one.split.test)
        said = {"split": one.split.name, "image": images[here], "score": one.split.scores[here]}
        return pd.DataFrame({**said, "predicted": one.predicted[here]})

    return pd.concat([of(one) for one in read], ignore_index=True)
