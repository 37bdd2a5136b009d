"""What every command writes to the terminal: one line as it is, a sentence in lines, or a table of rich's."""

import re
import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memjax.naming import printable


class _Terminal(Console):
    """A console that leaves it to `memjax.cli.leaving` what happens when nobody reads its output any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


CONSOLE = _Terminal(stderr=False, highlight=False)


def say(text: object = "") -> None:
    """One line as it is: never wrapped, and nothing in it read as markup."""
    CONSOLE.print(unmarked(text), soft_wrap=True)


WIDE = 120
"""Columns of a table that goes to a file or another program, where no terminal says how many there are."""


def table_width() -> int:
    """Columns that a table may take: the terminal's; elsewhere `WIDE`, or ``COLUMNS`` if that is more."""
    return CONSOLE.width if CONSOLE.is_terminal else max(CONSOLE.width, WIDE)


def show_table(table: Table) -> None:
    """A table of at most `table_width`."""
    (CONSOLE if CONSOLE.is_terminal else _Terminal(stderr=False, highlight=False, width=table_width())).print(table)


def tell_in_lines(text: object) -> None:
    """A sentence: in a terminal broken between words, never inside a number, an interval or a path; elsewhere one line."""
    for line in broken(printable(str(text)), CONSOLE.width) if CONSOLE.is_terminal else [text]:
        say(line)


def broken(text: str, width: int) -> list[str]:
    """A sentence in lines of at most ``width`` characters, where its words are no longer.

    Example:
        >>> broken("readout of a model: rho +0.480 [+0.370, +0.577], p = 0.012", 30)
        ['readout of a model: rho +0.480', '  [+0.370, +0.577], p = 0.012']
    """
    held = _TOGETHER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(held, max(20, width), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


_TOGETHER = re.compile(r"\[[^\[\]]*\]|\S+ [=<] \S+|\b(?:rho|p|layer|ceiling|reliability|split-half|of) [-+]?\d\S*")
"""What stays on one line: an interval, ``q < 0.05``, ``rho +0.480``, ``layer 11``."""


def unmarked(text: object) -> Text:
    """A text as it is, in one line: nothing in it is markup."""
    return Text(printable(str(text)))
