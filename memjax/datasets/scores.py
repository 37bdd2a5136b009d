"""Tables of scores as people and publications keep them: read as text, checked row by row, nothing dropped silently."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_file
from memjax.datasets.base import Failure
from memjax.datasets.paths import printable


def read_csv(path: Path, columns: Sequence[str], what: str = "score file", **options: object) -> pd.DataFrame:
    """A table with every cell as text, empty cells as "".

    Args:
        columns: names that must be among its columns.
        options: for `pandas.read_csv`, e.g. ``sep``, ``header``, ``names``.

    Raises:
        InputError: no such file, not a table in UTF-8, a column missing or given twice, no rows.
    """
    file = check_file(path, what)
    text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "skipinitialspace": True}
    try:
        table = pd.read_csv(file, **(text | options))
        header = pd.read_csv(file, **(text | {"header": None, "nrows": 1} | {"sep": options.get("sep", ",")}))
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{what} {file}: cannot be read as a table: {str(error).strip()}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the cells that are too many for row labels
        raise InputError(f"{what} {file}: rows have more cells than the header; quote cells that hold a separator")
    table.columns = [str(name).strip() for name in table.columns]
    if "names" not in options:
        names = [str(name).strip() for name in header.iloc[0]]
        doubled = sorted({name for name in names if names.count(name) > 1} & set(columns))
        if doubled:
            raise InputError(f"{what} {file}: column {', '.join(doubled)} is there more than once")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"{what} {file}: expected the columns {', '.join(columns)}, got {', '.join(table.columns)}; "
            f"add or rename {', '.join(missing)}"
        )
    if table.empty:
        raise InputError(f"{what} {file}: no rows; one row an image is expected")
    return table


def check_unique(ids: pd.Series, where: str) -> None:
    """Refuse ids that occur twice.

    Raises:
        InputError: names the first few.
    """
    doubled = ids[ids.duplicated() & (ids != "")].unique()
    if len(doubled):
        more = f" and {len(doubled) - 3} more" if len(doubled) > 3 else ""
        raise InputError(f"{where}: ids there more than once: {', '.join(doubled[:3])}{more}; keep one row an image")


def numbers(column: pd.Series) -> np.ndarray:
    """Text to float64 ``[n]``; what is not a finite number becomes NaN."""
    values = pd.to_numeric(column.str.strip(), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def unusable(ids: pd.Series, text: pd.Series, where: str) -> list[Failure]:
    """A `Failure` for every row whose id is empty or whose score is not a finite number."""
    bad = np.isnan(numbers(text)) | (ids == "").to_numpy()
    failures = []
    for row in np.flatnonzero(bad):
        image, score = ids.iloc[row], text.iloc[row]
        if image == "":
            failures.append(Failure(f"(row {row + 1})", "scores", f"{where}, row {row + 1}: the id is empty"))
        else:
            came = repr(score) if score else "an empty cell"
            failures.append(
                Failure(printable(image), "scores", f"{where}, row {row + 1}: expected a finite score, got {came}")
            )
    return failures
