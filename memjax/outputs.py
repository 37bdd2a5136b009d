"""What every run writes beside its store, and reads back: tables, failures.csv, and run.json, the record of its origin."""

import dataclasses
import io
import json
import math
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from memjax.checks import InputError, expected, misplaced
from memjax.datasets import Dataset, Failure
from memjax.datasets.base import ABSENT
from memjax.naming import as_utf8, printable
from memjax.records import fields_of, list_of, object_of, record_from
from memjax.seals import seal_holds, sealed
from memjax.showing import short_repr
from memjax.spreadsheets import as_written, write_csv
from memjax.stats.reliability import Reliability
from memjax.stats.strongest import Strongest
from memjax.storage import Place, read_json, write_atomically

RUN, FAILURES, REPORT = "run.json", "failures.csv", "report.html"
PACKAGES = (
    "memjax", "jax", "jaxlib", "flax", "numpy", "scipy", "pillow", "pandas", "xarray", "zarr", "scikit-learn",
    "statsmodels", "tensorflow-datasets",
)  # fmt: skip

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True)
class DatasetRecord:
    """The data set of a run; see `memjax.datasets.Dataset`. What is None is not known, or there is nothing to say."""

    name: str
    images: int = 0
    synthetic: bool = False
    citation: str = ""
    licence: str = ""
    source: str = ""
    fingerprint: str = ""
    images_published: int | None = None
    images_listed: int | None = None
    images_absent: int | None = None
    table_form: str | None = None
    ids_matched: str | None = None


@dataclass(frozen=True)
class ModelRecord:
    """An encoder of a run: its name in the tables, as it was asked for, what identifies its weights, how its pixels are made,
    and what a reader has to know of it."""

    model: str
    name: str = ""
    revision: str = ""
    sha256: str = ""
    family: str = ""
    preprocessing: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class ReadoutRecord:
    """The cross-validated readout: its folds, its tables (`memjax.stats.readouts`; of labels, beside the widest readout), of the
    readout of token vectors the rows of all layers together, what was found of near-duplicates, in a sentence, and by what way
    token vectors were read, in another."""

    folds: int
    rows: tuple[Mapping[str, Json], ...] = ()
    labels: tuple[Mapping[str, Json], ...] = ()
    representations: tuple[Mapping[str, Json], ...] = ()
    together: str = ""
    vectors: str = ""


@dataclass(frozen=True)
class Run:
    """The content of run.json: everything that is needed to trace a number. Fields that a kind of run has not are empty.

    Attributes:
        dataset: what it is of.
        run_id: what identifies the run: the same settings, data, weights and version give the same.
        command, finished: as the process was started; when it came to its end, in UTC.
        models: the encoders.
        protocol, dtype, precision, method, bootstraps, seed: of the settings, those that a reader asks for first.
        level: of the intervals.
        settings: all of the settings.
        metrics: encoder -> the metrics that the store holds of it.
        failures: images that could not be used, without those of a published data set that are not there.
        turned: images that were turned upright by their EXIF orientation.
        seconds: of the measuring.
        versions: of Python and the packages.
        measured_with: the versions that measured what is in the store; several where it was gone on with by others.
        files: name -> SHA-256 of what was read, where that is few files.
        outputs: name -> SHA-256 of every file that the run wrote beside its store.
        repaired: what was damaged or replaced since it was measured, and made anew in this run, a line each.
        ceiling: None where it is not known.
        readout: None where there is none.
        intervals: how they were made, where that is not by drawing resamples.
        strongest: what the tests of the strongest correlation say; None where there are too few images.
        notes: what a reader has to know of what the run was given beside its images, a line each.
    """

    dataset: DatasetRecord
    run_id: str = ""
    command: str = ""
    finished: str = ""
    models: tuple[ModelRecord, ...] = ()
    protocol: str = ""
    dtype: str = ""
    precision: str = ""
    method: str = "spearman"
    level: float = 0.95
    bootstraps: int = 0
    seed: int = 0
    settings: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    failures: int = 0
    turned: int = 0
    seconds: float = 0.0
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    measured_with: tuple[Mapping[str, str], ...] = ()
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    repaired: tuple[str, ...] = ()
    ceiling: Reliability | None = None
    readout: ReadoutRecord | None = None
    intervals: str = ""
    strongest: Strongest | None = None
    notes: tuple[str, ...] = ()

    __repr__ = short_repr

    @property
    def measured_by_others(self) -> str:
        """The versions that measured what is in the store, where they are not all those of the run itself; else empty."""
        pairs = [pair for one in self.measured_with for pair in one.items()]
        if all(self.versions.get(name, value) == value for name, value in pairs):
            return ""
        return "; ".join(", ".join(f"{name} {value}" for name, value in one.items()) for one in self.measured_with)

    def to_json(self) -> dict[str, Json]:
        """As JSON types; what is empty is left out, NaN and infinity become null."""
        found = dataclasses.asdict(self) | {"ceiling": self.ceiling.to_json() if self.ceiling else None}
        return {name: plain for name, value in found.items() if (plain := plain_json(value)) not in (None, "", {}, [])}

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> "Run":
        """What `to_json` gave.

        Raises:
            InputError: it is not of that shape.

        Example:
            >>> Run.from_json(Run(DatasetRecord("demo", 3)).to_json()).dataset.images
            3
        """
        try:
            values = fields_of(cls, found)
            parts: dict[str, object] = {"dataset": record_from(DatasetRecord, found["dataset"])}
            parts["models"] = tuple(record_from(ModelRecord, model) for model in list_of(found.get("models", ())))
            if "ceiling" in found:
                parts["ceiling"] = Reliability.from_json(object_of(found["ceiling"]))
            if "readout" in found:
                readout = record_from(ReadoutRecord, found["readout"])
                parts["readout"] = dataclasses.replace(readout, rows=tuple(map(_readout_row, readout.rows)))
            if "strongest" in found:
                parts["strongest"] = record_from(Strongest, found["strongest"])
            return cls(**(values | parts))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise expected(RUN, "the record of a run", f"something else ({error})", "run again") from error


def _readout_row(row: Mapping[str, Json]) -> Mapping[str, Json]:
    """A row that has what is shown of it."""
    if {"model", "columns", "rho", "ci_low", "ci_high", "best_single_rho"} - object_of(row).keys():
        raise TypeError("a readout without its numbers")
    return row


def plain_json(value: object) -> Json:
    """Anything that a record may hold, as JSON types: tuples become lists, NaN and infinity null, the rest text (of UTF-8).

    Example:
        >>> plain_json({"a": (1, float("nan"), Path("b"))})
        {'a': [1, None, 'b']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else as_utf8(str(value))


def record_of(dataset: Dataset) -> DatasetRecord:
    """A data set as a run records it."""
    known = {name: value for name, value in dataset.info.items() if name in DatasetRecord.__dataclass_fields__}
    return DatasetRecord(dataset.name, len(dataset), **known)


def started() -> str:
    """How this process was started."""
    return printable(" ".join(["python", *sys.argv]))


def now() -> str:
    """The time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def versions() -> dict[str, str]:
    """Of Python and the packages that numbers depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def write_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """``name.csv`` and ``name.parquet`` in a folder that exists; text in the CSV file as `memjax.spreadsheets` says."""
    write_csv(table, folder / f"{name}.csv")
    table.to_parquet(folder / f"{name}.parquet", index=False)


def read_table(folder: Place, name: str) -> pd.DataFrame | None:
    """A table that `write_table` wrote, to the last digit; None if it is not there.

    Raises:
        InputError: it can't be read.
    """
    file = folder / f"{name}.parquet"
    if not file.is_file():
        return None
    try:
        return pd.read_parquet(io.BytesIO(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a whole table ({error}); delete it and run again") from error


def failure_table(failures: Iterable[Failure]) -> pd.DataFrame:
    """Every image that could not be used, and why: columns ``image, stage, error``."""
    return pd.DataFrame(list(failures), columns=["image", "stage", "error"])


def failed_images(failures: pd.DataFrame) -> pd.DataFrame:
    """The rows of `failure_table` that are failures: an absent image of a published data set is none."""
    return failures[failures["stage"] != ABSENT]


def count_failed(failures: pd.DataFrame) -> int:
    """How many images failed, each counted once."""
    return int(failed_images(failures)["image"].nunique())


def write_failures(failures: pd.DataFrame, folder: Path) -> None:
    """failures.csv, from `failure_table`; its text as `memjax.spreadsheets` says."""
    write_csv(failures, folder / FAILURES)


def read_failures(folder: Place) -> pd.DataFrame:
    """failures.csv as it was given to `write_failures`.

    Raises:
        InputError: it can't be read.
    """
    file = folder / FAILURES
    try:
        return as_written(pd.read_csv(io.BytesIO(file.read_bytes()), dtype=str, keep_default_na=False))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a whole table ({error}); delete it and run again") from error


def write_run(run: Run, folder: Path) -> None:
    """run.json, with its own checksum; written last, so that it marks the end."""
    record = sealed(run.to_json())
    write_atomically(folder / RUN, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_run(folder: Place) -> Run | None:
    """The record of the run in a folder; None where no run has come to its end.

    Raises:
        InputError: run.json is there and not one, or not as it was written.
    """
    file = folder / RUN
    if file.is_dir():
        raise misplaced(file, "file")
    if not file.is_file():
        return None
    found = read_json(file)
    if seal_holds(found) is False:
        raise InputError(f"{file}: not as it was written; run the same command again, which makes it anew", "out")
    return Run.from_json(found)
