"""Command lines from dataclasses, with errors of one line: what the commands, experiments and benchmarks share."""

import contextlib
import dataclasses
import difflib
import io
import itertools
import re
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from memjax.checks import InputError
from memjax.cli.help import Groups, help_text, options_of
from memjax.cli.leaving import run_main as run_main
from memjax.cli.leaving import told as told
from memjax.storage import Place, place

Arguments = TypeVar("Arguments")


def _is_place(value: object) -> bool:
    return isinstance(value, Place)


FolderOrUrl = Annotated[
    Place,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="DIR|URL",
        instance_from_str=lambda words: place(words[0]),
        is_instance=_is_place,
        str_from_instance=lambda value: [str(value)],
    ),
]
"""An option whose value is a folder or an object store's URL, `memjax.storage.Place`."""


NAMES = ConstructorRegistry()
"""How tyro reads types that it does not know by itself."""


@NAMES.primitive_rule
def _names_only(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[tuple[str, ...]] | None:
    """A setting that takes names or, in Python, a mapping: a command line gives names."""
    if Sequence[str] not in get_args(info.type) or Mapping not in map(get_origin, get_args(info.type)):
        return None
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME [NAME ...]",
        instance_from_str=tuple,
        is_instance=lambda value: isinstance(value, (tuple, list)),
        str_from_instance=list,
    )


def read_arguments(
    kind: type[Arguments],
    description: str,
    words: Sequence[str] | None = None,
    program: str | None = None,
    groups: Groups | None = None,
) -> Arguments:
    """Parse a command line into a dataclass; fields' docstrings are the help.

    Args:
        kind: the dataclass.
        description: what ``--help`` says first.
        words: the command line after the program's name; by default ``sys.argv``'s.
        program: how the help calls the program.
        groups: under which titles the help puts the options (`memjax.cli.help`).

    Raises:
        InputError: for a wrong command line, in one line.
    """
    given = list(sys.argv[1:] if words is None else words)
    if {"-h", "--help"} & set(given):
        print(help_text(kind, description, program or Path(sys.argv[0]).name, groups), end="")
        raise SystemExit(0)
    check_known(given, kind)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
            joined = join_repeated(given, several_valued(kind))
            return tyro.cli(kind, description=description, args=joined, prog=program, registry=NAMES)
    except SystemExit as stop:
        raise _input_error(stop) or InputError(in_plain_words(one_line(errors.getvalue()))) from stop


def check_known(words: Sequence[str], kind: type) -> None:
    """Refuse an option that a command does not have, with the one that is meant.

    Raises:
        InputError: at the first.
    """
    known = {flag for option in options_of(kind) for flag in option.flags}
    for word in words:
        flag = word.partition("=")[0].replace("_", "-")
        if flag.startswith("--") and len(flag) > 2 and flag not in known:
            near = difflib.get_close_matches(flag, sorted(known), n=1)
            raise InputError(f"{flag}: no such option; {f'did you mean {near[0]}?' if near else 'see --help'}")


def _input_error(stop: BaseException) -> InputError | None:
    """What a dataclass itself found wrong with its values, which tyro reports and wraps."""
    behind: BaseException | None = stop
    while behind is not None and not isinstance(behind, InputError):
        behind = behind.__cause__ or behind.__context__
    return behind


def several_valued(kind: type) -> set[str]:
    """The options of a dataclass that take any number of values (``tuple[..., ...]``), those of nested ones too."""
    found: set[str] = set()
    for name, hint in get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            found |= several_valued(hint)
        elif any(get_origin(part) in (tuple, Sequence) for part in (hint, *get_args(hint))):
            found.add("--" + name.replace("_", "-"))
    return found


def join_repeated(words: Sequence[str], options: Container[str]) -> list[str]:
    """A command line with the values of each of ``options`` that is given several times put together.

    An option that takes one value keeps its last, as everywhere in a shell.

    Example:
        >>> join_repeated(["--models", "a", "--limit", "3", "--models=b"], {"--models"})
        ['--limit', '3', '--models', 'a', 'b']
    """
    rest: list[str] = []
    values: dict[str, list[str]] = {}
    into = rest
    for word in words:
        option, equals, value = word.partition("=")
        name = option.replace("_", "-")
        if name in options:
            into = values.setdefault(name, [])
            into += [value] if equals else []
            continue
        into = rest if word.startswith("--") else into
        into.append(word)
    return rest + [word for name, several in values.items() for word in (name, *several)]


_SAID: tuple[tuple[str, str], ...] = (
    (
        r".*invalid choice ('.*?') for argument '(--\S+)'\. Expected one of \((.*?),?\)\..*",
        r"\2: expected one of \3, got \1",
    ),
    (r".*Missing value for argument '(--\S+)'\..*", r"\1: expected a value, got none"),
    (
        r".*Error parsing (--\S+?):? .*<class 'int'>: .*base 10: ('.*?')(?: .*)?$",
        r"\1: expected a whole number, got \2",
    ),
    (r".*Error parsing (--\S+?):? .*to float: ('.*?')(?: .*)?$", r"\1: expected a number, got \2"),
    (r".*Error parsing (--\S+?):? .*base 10: ('.*?')(?: .*)?$", r"\1: expected a whole number, got \2"),
    (
        r"Unrecognized options: Unrecognized options: (.*?)(?: For full| Perhaps|$).*",
        r"\1: belongs to no option; see --help",
    ),
)
"""What tyro says -> the same in the form of memjax's own errors."""


def in_plain_words(line: str) -> str:
    """tyro's line in the form of memjax's errors, where it is one that is known.

    Example:
        >>> in_plain_words("Missing argument: Missing value for argument '--limit'. Expected 1 values. For full helptext, ..")
        '--limit: expected a value, got none'
    """
    for pattern, words in _SAID:
        if re.fullmatch(pattern, line):
            return re.sub(pattern, words, line)
    return line


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
