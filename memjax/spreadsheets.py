"""Text in CSV files that a spreadsheet would run as a formula: one rule, for every CSV file that memjax writes.

A text cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it: Excel,
LibreOffice and Google Sheets then show it as text. So that nothing is lost, a cell that begins with apostrophes and then
one of these gets one more. `as_written` takes exactly one away again. Numbers stay numbers, Parquet files hold the text as
it is, and usual ids, names and messages are not concerned.
"""

import csv
import re
from collections.abc import Callable, Hashable
from pathlib import Path

import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_csv(table: pd.DataFrame, file: Path) -> None:
    """A table as a CSV file that is safe in a spreadsheet; where a text has a carriage return, all text is quoted."""
    safe = as_text_cells(table)
    returns = any("\r" in cell for name in _texts(safe) for cell in safe[name] if isinstance(cell, str))
    safe.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL)


def as_text_cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose text cells are safe in a spreadsheet; numbers and names of columns are as they were.

    Example:
        >>> as_text_cells(pd.DataFrame({"image": ["=1+1", "a.png"], "rho": [-0.5, 0.5]}))["image"].tolist()
        ["'=1+1", 'a.png']
    """
    return _cells(table, lambda text: f"'{text}" if _FORMULA.match(text) else text)


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """What `as_text_cells` was given.

    Example:
        >>> as_written(as_text_cells(pd.DataFrame({"image": ["'@a", "-b", "'c"]})))["image"].tolist()
        ["'@a", '-b', "'c"]
    """
    return _cells(table, lambda text: text[1:] if text.startswith("'") and _FORMULA.match(text) else text)


def _cells(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    found = table.copy(deep=False)
    for name in _texts(table):
        found[name] = table[name].map(lambda cell: change(cell) if isinstance(cell, str) else cell)
    return found


def _texts(table: pd.DataFrame) -> list[Hashable]:
    return [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
