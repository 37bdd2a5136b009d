"""Command lines from dataclasses, with errors of one line: what the experiments and benchmarks share."""

import contextlib
import io
import itertools
import re
import sys
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from memjax.checks import InputError
from memjax.storage import Place, place

Arguments = TypeVar("Arguments")


def _is_place(value: Any) -> bool:
    return isinstance(value, Place)


FolderOrUrl = Annotated[
    Any,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="DIR|URL",
        instance_from_str=lambda words: place(words[0]),
        is_instance=_is_place,
        str_from_instance=lambda value: [str(value)],
    ),
]
"""An option whose value is a folder or an object store's URL, `memjax.storage.Place`."""


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
        raise InputError(one_line(errors.getvalue())) from stop


def one_line(message: str) -> str:
    """tyro's boxed message as one line: without its frame and rules, and without the help text of the argument.

    Example:
        >>> one_line("╭─ Error ─╮\\n│ no such option │\\n------\\n│ Argument helptext: │\\n╰───╯")
        'Error: no such option'
    """
    lines = [re.sub(r"[╭╮╰╯│]|─+|-{6,}", " ", line).strip() for line in message.splitlines()]
    head, *rest = [line for line in lines if line] or ["unusable command line"]
    kept = itertools.takewhile(lambda line: not line.startswith("Argument helptext"), rest)
    return " ".join([f"{head}:", *kept])
