"""Excel workbooks as tables of text, where the package openpyxl is installed."""

import zipfile
from pathlib import Path

import pandas as pd

from memjax.checks import InputError

SUFFIXES_OF_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
MAX_UNPACKED = 2**30
"""Most bytes that a workbook may unpack to."""


def is_workbook(path: Path) -> bool:
    """Whether a file's name is that of a spreadsheet's own format."""
    return path.suffix.lower() in SUFFIXES_OF_WORKBOOKS


def read_workbook(path: Path, where: str, argument: str = "") -> tuple[pd.DataFrame, str]:
    """The first sheet with every cell as text, its first row among them; and what was read.

    Raises:
        InputError: openpyxl is missing, another format than .xlsx, or no workbook.
    """
    if path.suffix.lower() in (".xls", ".ods"):
        raise InputError(f"{where}: {path.suffix} can't be read; save it as .xlsx or as CSV", argument)
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        fix = "install the package openpyxl, or save the table as CSV"
        raise InputError(f"{where}: an Excel workbook can't be read without openpyxl; {fix}", argument) from None
    try:
        with zipfile.ZipFile(path) as parts:
            if sum(part.file_size for part in parts.infolist()) > MAX_UNPACKED:
                raise InputError(f"{where}: unpacks to more than {MAX_UNPACKED} bytes; save it as CSV", argument)
        with pd.ExcelFile(path, engine="openpyxl") as book:
            sheets = [str(name) for name in book.sheet_names]
            cells = book.parse(sheets[0], header=None, dtype=str, keep_default_na=False, na_filter=False)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: cannot be read as an Excel workbook: {error}; save it as CSV", argument) from None
    several = f", the first of {len(sheets)}" if len(sheets) > 1 else ""
    return cells.fillna(""), f"Excel workbook, sheet {sheets[0]!r}{several}"
