"""Tables of scores as people and publications keep them: read as text, checked row by row, nothing dropped silently.

Read are commas, semicolons or tabs between cells, UTF-8 (with or without a mark), UTF-16, Windows-1252 and Latin-1, decimal
points or commas, percents, any line ends, and Excel workbooks. What is other than commas and UTF-8 is said.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_file
from memjax.datasets.base import Failure
from memjax.datasets.table_form import (
    NUMBER,
    SEPARATORS,
    SPACES,
    UTF8,
    WITH_COMMA,
    decode_text,
    first_row,
    plain_numbers,
    separator_of,
)
from memjax.datasets.workbook import is_workbook, read_workbook
from memjax.naming import printable


class ScoreFile(NamedTuple):
    """A table, and what was recognised.

    Attributes:
        rows: every cell as text, empty cells as ""; numbers with decimal points.
        form: what its form is, beside commas between cells and UTF-8; empty where there is nothing to say.
    """

    rows: pd.DataFrame
    form: str


class _Cells(NamedTuple):
    """A table before its numbers are looked at: the header as it stands, the rows, the separator, the words for it."""

    header: list[str]
    rows: pd.DataFrame
    separator: str
    form: list[str]


def read_score_file(
    path: Path,
    columns: Sequence[str],
    numeric: Sequence[str],
    what: str = "score file",
    argument: str = "",
    headed: bool = True,
) -> ScoreFile:
    """A table of any form of the module's docstring.

    Args:
        columns: names that must be among its columns; those of all its columns where it has no header.
        numeric: those that hold numbers, where they are there.
        what, argument: for messages: what the file is, and the parameter that names it.
        headed: whether its first row is a header.

    Raises:
        InputError: no such file, not a table, one that can be read in two ways, a column missing or twice, no rows.
    """
    file = check_file(path, what, argument=argument)
    where = f"{what} {file}"
    try:
        cells = _from_workbook(file, where, argument) if is_workbook(file) else _from_text(file, columns, headed, where)
        if headed:
            _check_columns(cells, columns, where)
        if cells.rows.empty:
            raise InputError(f"{where}: no rows; one row per image is expected")
        rows, said = cells.rows, dict.fromkeys(cells.form)
        for name in rows.columns.intersection(list(numeric), sort=False):
            numbers_there, words = plain_numbers(rows[name], cells.separator, f"{where}, column {name}")
            rows = rows.assign(**{name: numbers_there})
            said |= dict.fromkeys(words)
    except InputError as error:
        raise InputError(str(error), argument) from None
    except (OSError, ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{where}: cannot be read as a table: {str(error).strip()}", argument) from None
    return ScoreFile(rows, ", ".join(said))


def _from_workbook(file: Path, where: str, argument: str) -> _Cells:
    cells, form = read_workbook(file, where, argument)
    header = [str(name).strip() for name in cells.iloc[0]] if len(cells) else []
    rows = cells.iloc[1:].set_axis(header, axis="columns").reset_index(drop=True)
    return _Cells(header, rows[(rows != "").any(axis="columns")].reset_index(drop=True), ",", [form])


def _from_text(file: Path, columns: Sequence[str], headed: bool, where: str) -> _Cells:
    text, encoding = decode_text(file.read_bytes())
    separator, text = separator_of(text, columns, headed, where)
    names = {} if headed else {"header": None, "names": list(columns)}
    rows = pd.read_csv(
        io.StringIO(text, newline=""),
        sep=separator,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
        **names,
    )
    if not isinstance(rows.index, pd.RangeIndex):  # pandas takes the cells that are too many for row labels
        commas = "; a decimal comma needs quotes too, or semicolons between cells" if separator == "," else ""
        raise InputError(f"{where}: rows have more cells than the header; quote cells that hold a separator{commas}")
    rows.columns = [str(name).strip() for name in rows.columns]
    form = [f"{SEPARATORS[separator]} between cells"] * (separator != ("," if headed else SPACES))
    form += [f"encoded as {encoding}"] * (encoding != UTF8)
    return _Cells(first_row(text, separator) if headed else list(columns), rows, separator, form)


def _check_columns(cells: _Cells, columns: Sequence[str], where: str) -> None:
    doubled = sorted({name for name in cells.header if cells.header.count(name) > 1} & set(columns))
    if doubled:
        raise InputError(f"{where}: column {', '.join(doubled)} is there more than once")
    missing = [name for name in columns if name not in cells.rows.columns]
    if missing:
        raise InputError(
            f"{where}: expected the columns {', '.join(columns)}, got {', '.join(cells.rows.columns)}; "
            f"add or rename {', '.join(missing)}"
        )


def check_unique(ids: pd.Series, where: str) -> None:
    """Refuse ids that occur twice.

    Raises:
        InputError: names the first few.
    """
    doubled = ids[ids.duplicated() & (ids != "")].unique()
    if len(doubled):
        more = f" and {len(doubled) - 3} more" if len(doubled) > 3 else ""
        raise InputError(f"{where}: ids there more than once: {', '.join(doubled[:3])}{more}; keep one row per image")


def numbers(column: pd.Series) -> np.ndarray:
    """Text, numbers or both to float64 ``[n]``; what is not a finite number, written as one, becomes NaN."""
    if column.dtype.kind not in "biuf":
        column = column.map(_plain)
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def half_a_digit(column: pd.Series) -> float:
    """How far the numbers of a column may lie from those that they were rounded from: half of its last digit.

    Spreadsheets save the digits that they show. A column that shows less than two is not taken for a rounded one: 0.

    Example:
        >>> half_a_digit(pd.Series(["0.7222", "0.59", "NA"]))
        5e-05
    """
    digits = _digits(column)
    return 0.5 * 10.0**-digits if digits >= 2 else 0.0


def contradictions(difference: np.ndarray, shown: Sequence[pd.Series], tolerance: float) -> tuple[np.ndarray, str]:
    """Rows of a table whose numbers contradict each other by more than their rounding explains.

    Args:
        difference: of two ways to the same number, float64 ``[n]``; NaN contradicts nothing.
        shown: the columns of text that it was made of, of those whose numbers may be rounded.
        tolerance: what published digits leave.

    Returns:
        bool ``[n]``; and the words for a table that was rounded, empty where it was not.
    """
    far = np.abs(difference)
    wrong = far > tolerance
    if not wrong.any():
        return wrong, ""
    rounding = sum(map(half_a_digit, shown)) + tolerance
    digits = min(map(_digits, shown))
    return far > rounding, f"scores rounded to {digits} digits" if rounding > tolerance else ""


def _digits(column: pd.Series) -> int:
    """Most decimals of the numbers in a column of text."""
    decimals = column.str.extract(r"^\s*[+-]?[0-9]*\.([0-9]+)(?:[eE][+-]?[0-9]+)?\s*$")[0]
    exact = column.str.contains("[eE]", regex=True) & decimals.notna()
    return 16 if exact.any() else int(decimals.str.len().max()) if decimals.notna().any() else 0


def _plain(value: object) -> str | float:
    """A cell as text, or as a number where it is one of any kind (a zero-dimensional array is)."""
    if isinstance(value, str):
        text = value.strip()
        return text if NUMBER.fullmatch(text) else float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def as_text(column: pd.Series) -> pd.Series:
    """Every cell as text; those without a value as ""."""
    return column.map(lambda value: "" if value is None or value is pd.NA or value != value else str(value)).astype(str)


def unusable(ids: pd.Series, scores: pd.Series | None, where: str) -> list[Failure]:
    """A `Failure` for every row whose id is empty or whose score is not a finite number.

    Args:
        ids: text.
        scores: text or numbers; None where nothing has a score.
        where: what messages call the table.
    """
    lacks_score = np.zeros(len(ids), np.bool_) if scores is None else np.isnan(numbers(scores))
    failures = []
    for row in np.flatnonzero(lacks_score | (ids == "").to_numpy()):
        image = ids.iloc[row]
        if image == "":
            failures.append(Failure(f"(row {row + 1})", "scores", f"{where}, row {row + 1}: the id is empty"))
        elif scores is not None:
            text = as_text(scores.iloc[[row]]).iloc[0]
            came = repr(text) if text else "an empty cell"
            came += ", with a decimal comma" if WITH_COMMA.fullmatch(text.strip()) else ""
            failures.append(
                Failure(printable(image), "scores", f"{where}, row {row + 1}: expected a finite score, got {came}")
            )
    return failures
