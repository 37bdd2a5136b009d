"""Command lines from dataclasses, with errors of one line: what the experiments and benchmarks share."""

import contextlib
import io
import sys
from typing import TypeVar

import tyro

from memjax.checks import InputError

Arguments = TypeVar("Arguments")


def read_arguments(kind: type[Arguments], description: str) -> Arguments:
    """Parse ``sys.argv`` into a dataclass; fields' docstrings are the help.

    Args:
        kind: the dataclass.
        description: what ``--help`` says first.

    Raises:
        InputError: for a wrong command line, in one line.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        return tyro.cli(kind, description=description)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
            return tyro.cli(kind, description=description)
    except SystemExit as stop:
        text = " ".join(errors.getvalue().translate({ord(c): " " for c in "╭─╮│╰╯"}).split())
        raise InputError(text.replace("For full helptext", "for help")) from stop
