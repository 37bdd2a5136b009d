"""Tables of scores as people and publications keep them: read as text, checked row by row, nothing dropped silently."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_file
from memjax.datasets.base import Failure
from memjax.datasets.paths import printable


def read_csv(
    path: Path, columns: Sequence[str], what: str = "score file", argument: str = "", **options: object
) -> pd.DataFrame:
    """A table with every cell as text, empty cells as "".

    Args:
        columns: names that must be among its columns.
        what, argument: for messages: what the file is, and the parameter that names it.
        options: for `pandas.read_csv`, e.g. ``sep``, ``header``, ``names``.

    Raises:
        InputError: no such file, not a table in UTF-8, a column missing or given twice, no rows.
    """
    file = check_file(path, what, argument=argument)
    text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "skipinitialspace": True}
    try:
        table = pd.read_csv(file, **(text | options))
        header = pd.read_csv(file, **(text | {"header": None, "nrows": 1} | {"sep": options.get("sep", ",")}))
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{what} {file}: cannot be read as a table: {str(error).strip()}", argument) from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the cells that are too many for row labels
        raise InputError(
            f"{what} {file}: rows have more cells than the header; quote cells that hold a separator", argument
        )
    table.columns = [str(name).strip() for name in table.columns]
    if "names" not in options:
        names = [str(name).strip() for name in header.iloc[0]]
        doubled = sorted({name for name in names if names.count(name) > 1} & set(columns))
        if doubled:
            raise InputError(f"{what} {file}: column {', '.join(doubled)} is there more than once", argument)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"{what} {file}: expected the columns {', '.join(columns)}, got {', '.join(table.columns)}; "
            f"add or rename {', '.join(missing)}",
            argument,
        )
    if table.empty:
        raise InputError(f"{what} {file}: no rows; one row per image is expected", argument)
    return table


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
    """Text, numbers or both to float64 ``[n]``; what is not a finite number becomes NaN."""
    if column.dtype.kind not in "biuf":
        column = column.map(_plain)
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _plain(value: object) -> str | float:
    """A cell as text, or as a number where it is one of any kind (a zero-dimensional array is)."""
    if isinstance(value, str):
        return value.strip()
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
            failures.append(
                Failure(printable(image), "scores", f"{where}, row {row + 1}: expected a finite score, got {came}")
            )
    return failures
