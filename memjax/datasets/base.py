"""What a data set is: a table of scores joined to images by id, and what could not be used.

A file per data set gives a `Source` (where the published files are and what they say); `memjax.datasets.builder` opens
sources, `open_folder` and `open_table` one's own images. Nothing here imports tfds or JAX.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_kind, expected
from memjax.decoding import ImageSource

N_OFFICIAL = 5
"""Official splits of LaMem."""

PARTS = ("train", "val", "test")
"""What an image is in an official split."""

SPLITS = ("split", *(f"split_{k}" for k in range(1, N_OFFICIAL + 1)))
"""Columns of official splits."""

SPLIT_SCORES = tuple(f"score_{k}" for k in range(1, N_OFFICIAL + 1))
"""Columns of the scores that an official split has, where each has its own."""

COLUMNS: dict[str, type] = {
    "memorability": float,  # the score that is correlated
    "category": str,
    "subcategory": str,
    "source": str,  # MemCat: the collection that the image was taken from
    "hits": float,  # repeats that were recognised
    "false_alarms": float,  # first showings that were taken for repeats
    "responses": float,  # repeats shown, of which ``hits``
    "first_showings": float,  # of which ``false_alarms``; where it is absent: as many as ``responses``
    "hit_rate": float,
    "false_alarm_rate": float,
    "duplicates": str,  # copies of one image share a label; "" for an image without a copy
    "memorability_within": float,  # FIGRIM: among images of the same category
    "concept_memorability": float,  # THINGS: mean over the images of the concept
    **dict.fromkeys(SPLITS, str),  # LaMem: "train", "val" or "test" in official split k; "split": of a single one
    **dict.fromkeys(SPLIT_SCORES, float),  # LaMem: the score in the files of split k
}
"""Columns a table may have, in this order, and their types; only the first is always there."""


Column: TypeAlias = Sequence[str] | Sequence[float] | np.ndarray | pd.Series
"""Values of a column, one per image."""


class Record(NamedTuple):
    """One image: its id, and the bytes of its file; or whatever other form (`ImageSource`) it was given in."""

    image: str
    data: ImageSource


ABSENT = "absent"
"""The stage of an image of a published data set that is not in the folder: listed, and no failure."""


class Failure(NamedTuple):
    """An image that could not be used: its id, the stage, the reason.

    The stage is ``scores``, ``read``, ``decode`` or ``resize``; or `ABSENT`, where only a part of a published data set is
    there.
    """

    image: str
    stage: str
    error: str


@runtime_checkable
class Records(Protocol):
    """Random access to images. ``records[i]`` may raise `memjax.decoding.ImageError`; records can be pickled."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and human scores.

    Attributes:
        name: as in `memjax.datasets.names`, ``folder``, or as `open_table` was told.
        table: index ``image`` (unique ids, text); ``memorability`` (float64; all NaN without scores), and of the other
            `COLUMNS` those that are known. The images of an official test split of LaMem: ``table[table["split_1"] == "test"]``.
        records: the images, in the order of ``table``.
        info: ``citation``, ``licence``, ``source``, ``synthetic`` (bool), ``fingerprint`` (SHA-256 in hex), and of a
            published one ``images_published`` (how many its authors count), ``images_listed`` (how many its files
            name here, used or not) and ``images_absent`` (how many of those are not in the folder). Where there is
            something to say: ``table_form`` (what was recognised in the table of scores, such as decimal commas) and
            ``ids_matched`` (ids that are no paths, and how their files were found).
        halves: scores from two halves of the observers, float64 ``[2, splits, n]``, or None.
        rejected: rows and images that could not be used, with the reason.
    """

    name: str
    table: pd.DataFrame
    records: Records
    info: dict[str, str | bool | int]
    halves: np.ndarray | None = None
    rejected: list[Failure] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        scores = self.table["memorability"]
        said = f"scores {scores.min():.3g} to {scores.max():.3g}" if self.scored else "no scores"
        others = ", ".join(name for name in self.table if name != "memorability")
        parts = [f"{len(self):,} images", said, f"also {others}" if others else ""]
        parts += [f"{len(self.rejected):,} set aside" if self.rejected else ""]
        return f"<Dataset {self.name}{' (synthetic)' if self.info.get('synthetic') else ''}: {', '.join(filter(None, parts))}>"

    @property
    def scored(self) -> bool:
        """Whether there are human scores; where there are none, ``memorability`` is NaN throughout."""
        return bool(self.table["memorability"].notna().any())


@dataclasses.dataclass(frozen=True)
class Source:
    """The published form of a data set, read but not yet copied.

    Attributes:
        table: as in `Dataset`.
        read: the bytes of image ``i``; raises `memjax.decoding.ImageError`.
        rejected: rows that cannot be used.
        halves: as in `Dataset`.
        form: what was recognised in its tables; see `memjax.datasets.scores.ScoreFile`.
    """

    table: pd.DataFrame
    read: Callable[[int], bytes]
    rejected: list[Failure] = dataclasses.field(default_factory=list)
    halves: np.ndarray | None = None
    form: str = ""


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is known of a data set before its files are seen.

    Attributes:
        name, version: of the builder; the version counts changes of our reading.
        description, citation, licence, source: texts; ``source`` is where the data come from.
        instructions: how a user gets the files, and the layout that ``data_dir`` must have.
        read_source: reads ``data_dir`` (None: generated); with ``follow_links=True`` links may lead out of it.
        inputs: the files below ``data_dir`` that `read_source` depends on; a change of any makes a new copy.
        n_images: how many images the authors count; a folder with more or fewer is taken as it is, and
            `Dataset.info` gives both numbers.
        synthetic: whether images and scores are made up.
    """

    name: str
    description: str
    citation: str
    licence: str
    source: str
    read_source: Callable[..., Source]
    instructions: str = ""
    inputs: Callable[[Path], Sequence[Path]] = lambda folder: ()
    n_images: int | None = None
    synthetic: bool = False
    version: str = "1.0.0"

    def info(self, fingerprint: str) -> dict[str, str | bool | int]:
        """`Dataset.info`, but for how many images there are."""
        return {
            "citation": self.citation,
            "licence": self.licence,
            "source": self.source,
            "synthetic": self.synthetic,
            "fingerprint": fingerprint,
        }


LABELS = ("category", "subcategory")
"""Columns of names that say what kind an image is of."""


GROUPINGS = (*LABELS, "source")
"""Columns of labels that images can be grouped by."""


def label_columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """A table's columns of `LABELS`, by name."""
    return {name: table[name].to_numpy(str) for name in LABELS if name in table}


def make_table(ids: Sequence[str], scores: Sequence[float] | np.ndarray, **columns: Column | None) -> pd.DataFrame:
    """A `Dataset`'s table; columns that are None are left out."""
    table = pd.DataFrame({"memorability": np.asarray(scores, np.float64)}, index=pd.Index(ids, name="image", dtype=str))
    unknown = columns.keys() - COLUMNS.keys()
    assert not unknown, f"columns without a row in COLUMNS: {unknown}"
    for name, kind in COLUMNS.items():
        if columns.get(name) is not None and name != "memorability":
            table[name] = np.asarray(columns[name], kind)
    return table


def check_limit(limit: int | None) -> None:
    """Refuse a limit below 1, with `InputError`."""
    whole = isinstance(limit, (int, np.integer)) and not isinstance(limit, bool)
    if limit is not None and not (whole and limit >= 1):
        raise expected("limit", "a positive number", repr(limit), "leave it out to use every image", argument="limit")


def check_dataset(dataset: object) -> None:
    """Refuse what is no data set.

    Raises:
        InputError: with the function that opens what was given, as far as that can be told.

    Example:
        >>> try:
        ...     check_dataset("photos/")
        ... except InputError as error:
        ...     print(error)
        dataset: expected a data set, got the text 'photos/'; memjax.open_dataset or memjax.open_folder opens one
    """
    fix = "memjax.open_dataset or memjax.open_folder opens one"
    fix = "memjax.open_table(frame, images) makes one of it" if isinstance(dataset, pd.DataFrame) else fix
    check_kind(dataset, Dataset, "dataset", "a data set", fix)


def take(dataset: Dataset, limit: int | None) -> Dataset:
    """The first ``limit`` images of a data set, in its order.

    Raises:
        InputError: the limit is not positive, or the data set is empty.
    """
    check_limit(limit)
    if not len(dataset):
        first = f", the first: {dataset.rejected[0].error}" if dataset.rejected else ""
        raise InputError(f"{dataset.name}: no usable image ({len(dataset.rejected)} set aside{first})")
    if limit is None or limit >= len(dataset):
        return dataset
    halves = None if dataset.halves is None else dataset.halves[:, :, :limit]
    first_records = FirstRecords(dataset.records, limit)
    return dataclasses.replace(dataset, table=dataset.table.iloc[:limit], records=first_records, halves=halves)


@dataclasses.dataclass(frozen=True)
class FirstRecords:
    """The first ``size`` of some records."""

    records: Records
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return self.records[index]


def fingerprint(*parts: object) -> str:
    """SHA-256, in hex, over texts; each ends with a byte that no text has, so that no two lists of parts coincide."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode("utf-8", "surrogateescape") + b"\xff")
    return digest.hexdigest()
