"""Predictions of the images' scores from elsewhere, a table with the column ``image`` and columns of numbers."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError, expected
from memjax.datasets.base import Dataset
from memjax.datasets.ids import match_ids
from memjax.datasets.scores import numbers, read_score_file
from memjax.seals import file_sum

WHAT, ARGUMENT = "predictions", "predictions"
EMPTY = ("", "na", "nan", "none", "null")
"""What a cell without a prediction may hold, in any letter case."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """External predictions of a data set's images.

    Attributes:
        file, sha256: name of the file that they are from, and the checksum of its bytes.
        values: index ``image``, the data set's in its order; a float64 column a prediction, NaN where there is none.
        said: how the file's images and those of the data set differ; empty where they do not.
    """

    file: str
    sha256: str
    values: pd.DataFrame
    said: str = ""


def read_predictions(path: str | Path, dataset: Dataset, taken: Sequence[str] = ()) -> Predictions:
    """External predictions matched to a data set's images by id, in the spellings that `memjax.datasets.ids` knows.

    Args:
        path: a table with the column ``image`` and one column of numbers or more; a cell may be empty.
        dataset: images of the file that it has not are counted, and so are its images that the file has not.
        taken: names that no column may have.

    Raises:
        InputError: no such file, not a table, no column of numbers or one that is none, an id that is empty or twice, no image
            of the data set.
    """
    names = [
        name for name in read_score_file(Path(path), ("image",), (), WHAT, ARGUMENT).rows.columns if name != "image"
    ]
    where = f"{WHAT} {path}"
    if not names:
        raise expected(where, "a column of numbers beside image", "none", argument=ARGUMENT)
    if clash := [name for name in names if name in taken]:
        came = f"a column named {clash[0]!r}"
        raise expected(where, "columns with names of their own", came, "rename it: a measure has that name", ARGUMENT)
    rows = read_score_file(Path(path), ("image", *names), names, WHAT, ARGUMENT).rows
    if empty := np.flatnonzero((rows["image"] == "").to_numpy()).tolist():
        raise InputError(
            f"{where}, row {empty[0] + 1}: the id is empty; name the image, or leave the row out", ARGUMENT
        )
    columns = {name: _numbers(rows[name], f"{where}, column {name}") for name in names}
    try:
        matched = match_ids(rows["image"].tolist(), None, dict.fromkeys(map(str, dataset.table.index), True), where)
    except InputError as error:
        raise InputError(str(error), ARGUMENT) from None
    there = dataset.table.index.get_indexer(pd.Index(matched.names, dtype=str))
    if not (there >= 0).any():
        came = f"{rows['image'].iloc[0]} and others like it"
        raise expected(
            f"{where}, column image", f"images of the data set, such as {dataset.table.index[0]}", came, "", ARGUMENT
        )
    values = np.full((len(dataset), len(names)), np.nan)
    values[there[there >= 0]] = np.column_stack(list(columns.values()))[there >= 0]
    table = pd.DataFrame(values, index=dataset.table.index, columns=names)
    return Predictions(
        Path(path).name, file_sum(Path(path).expanduser()), table, _said(table, int((there < 0).sum()), matched.said)
    )


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    """A column of text as numbers, NaN where a cell is empty.

    Raises:
        InputError: a cell that is neither a number nor empty, or a column without a number.
    """
    values = numbers(column)
    wrong = np.flatnonzero(np.isnan(values) & ~column.str.strip().str.lower().isin(EMPTY).to_numpy())
    if len(wrong):
        fix = "write numbers, leave cells without a prediction empty, and leave columns of other things out"
        raise expected(f"{where}, row {wrong[0] + 1}", "a finite number", repr(column.iloc[wrong[0]]), fix, ARGUMENT)
    if np.isnan(values).all():
        raise expected(where, "numbers", "none", "leave the column out", ARGUMENT)
    return values


def _said(table: pd.DataFrame, strangers: int, matched: str) -> str:
    """What a reader has to know of the match."""
    lacking = {name: int(table[name].isna().sum()) for name in table}
    found = [f"{count} of {len(table)} images have no {name}" for name, count in lacking.items() if count]
    found += [f"{strangers} rows are of images that the data set has not"] * (strangers > 0)
    return "; ".join([*found, *filter(None, [matched])])
