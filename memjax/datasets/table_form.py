"""What form the text of a table has: encoding, separator between cells, decimal mark, percent. Recognised, else refused."""

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal

import pandas as pd

from memjax.checks import InputError

UTF8 = "UTF-8"
SPACES = r"\s+"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", SPACES: "spaces"}
"""What may stand between cells, and what a message calls it; spaces only in a table without a header."""

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""A number, written with a decimal point. Nothing else is one: no thousands, no hexadecimal, no other digits."""

WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
"""A number, written with a decimal comma."""

_MARKS = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_LOOKED_AT = 4096


def decode_text(data: bytes) -> tuple[str, str]:
    """A file's text, and the name of its encoding.

    UTF-16 and UTF-32 are known by their byte order mark, UTF-16 also by its zero bytes; what is no UTF-8 is taken for
    Windows-1252, or for Latin-1 where that has no such character.

    Raises:
        UnicodeDecodeError: a mark, and not the encoding that it stands for.

    Example:
        >>> decode_text("café".encode("cp1252"))
        ('café', 'Windows-1252')
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name), name
    start = data[:_LOOKED_AT]
    for offset, name in ((1, "UTF-16-LE"), (0, "UTF-16-BE")):  # plain letters in UTF-16: every other byte is 0
        if len(start) > 3 and start[offset::2].count(0) > 0.4 * len(start):
            return data.decode(name), name
    for codec, name in (("utf-8-sig", UTF8), ("cp1252", "Windows-1252")):
        try:
            return data.decode(codec), name
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "Latin-1"


def first_row(text: str, separator: str) -> list[str]:
    """The cells of a table's first row, without the spaces around them."""
    if separator == SPACES:
        return next((line.split() for line in text[: 2**16].splitlines() if line.strip()), [])
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next((row for row in rows if row), [])]


def separator_of(text: str, columns: Sequence[str], headed: bool, where: str) -> tuple[str, str]:
    """What separates the cells, by the first row; and the text without Excel's line ``sep=;``.

    Args:
        columns: names that the header must have; without a header, as many cells are expected.
        headed: whether the first row is a header. If not, spaces are tried first.
        where: for messages.

    Returns:
        One of `SEPARATORS`; where none fits, the one that makes the most cells, so that a message can tell them.

    Raises:
        InputError: two of them give a header with these columns.
    """
    declared = re.match(r"sep=([,;\t])(?:\r\n|\r|\n)", text)
    if declared:
        return declared[1], text[declared.end() :]
    tried = [",", ";", "\t"] if headed else [SPACES, ",", ";", "\t"]
    cells = {separator: first_row(text, separator) for separator in tried}
    if not headed:
        fitting = [separator for separator in tried if len(cells[separator]) == len(columns)]
        return (fitting or tried)[0], text
    fitting = [separator for separator in tried if set(columns) <= set(cells[separator])]
    if len(fitting) > 1:
        readings = " or ".join(f"with {SEPARATORS[one]} ({', '.join(cells[one])})" for one in fitting)
        raise InputError(f"{where}: its header can be read {readings}; write it with one separator")
    return (fitting or sorted(tried, key=lambda one: -len(cells[one])))[0], text


def plain_numbers(column: pd.Series, separator: str, where: str) -> tuple[pd.Series, list[str]]:
    """A column of numbers as text with decimal points, and what was recognised in it.

    Decimal commas are those of a column where more numbers have a comma than a point; percents those of a column where
    every number has the sign. A single odd cell stays as it is, and is no number.

    Args:
        column: text.
        separator: between cells; in a table of semicolons ``1,234`` has a decimal comma.
        where: for messages.

    Raises:
        InputError: both marks, or commas that may stand between thousands too.
    """
    said = []
    if column.str.contains("%", regex=False).any():
        column, said = _without_percent(column)
    if column.str.contains(",", regex=False).any():
        column, commas = _with_points(column, separator, where)
        said = commas + said
    if any("percent" in word for word in said):
        column = column.map(lambda text: str(Decimal(text).scaleb(-2)) if NUMBER.fullmatch(text.strip()) else text)
    return column, said


def _without_percent(column: pd.Series) -> tuple[pd.Series, list[str]]:
    body = column.str.strip().str.removesuffix("%").str.strip()
    number = body.map(lambda text: bool(NUMBER.fullmatch(text) or WITH_COMMA.fullmatch(text))).astype(bool)
    signed = column.str.strip().str.endswith("%")
    if not signed[number].all() or not number.any():
        return column, []
    return body.where(number, column), ["percent, divided by 100"]


def _with_points(column: pd.Series, separator: str, where: str) -> tuple[pd.Series, list[str]]:
    text = column.str.strip()
    comma = text.map(lambda cell: WITH_COMMA.fullmatch(cell) is not None).astype(bool)
    point = text.map(lambda cell: "." in cell and NUMBER.fullmatch(cell) is not None).astype(bool)
    if comma.sum() <= point.sum():
        return column, []
    example = text[comma].iloc[0]
    if point.any():
        marks = f"decimal commas ({comma.sum()} rows, {example!r}) and points ({point.sum()}, {text[point].iloc[0]!r})"
        raise InputError(f"{where}: {marks}: a point may stand between thousands; write all with one decimal mark")
    if separator != ";" and text[comma].map(lambda cell: _GROUPED.fullmatch(cell) is not None).all():
        point, whole = example.replace(",", ".", 1), example.replace(",", "")
        raise InputError(
            f"{where}: {example!r} can be read as {point} (decimal comma) or as {whole} (thousands); write it with a "
            "decimal point"
        )
    return column.where(~comma, text.str.replace(",", ".", regex=False)), ["decimal commas"]
