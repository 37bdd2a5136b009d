"""The help of a command: its options in groups, wrapped to the terminal's width, with the values and defaults that they have.

An option's text is the docstring below its field, its values are those of its type: the library's settings, as they are.
"""

import ast
import dataclasses
import inspect
import itertools
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

Groups = Mapping[str, Sequence[str]]
"""Title -> the fields that stand under it, of the arguments and of the settings in them."""

INDENT = 6
"""Before an option's text."""

LONG = 60
"""Choices of more characters stand in the text."""


@dataclasses.dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: of the field.
        usage: as it is written, ``--models TEXT [TEXT ...]``.
        text: what it does, with its default.
    """

    name: str
    usage: str
    text: str

    @property
    def flags(self) -> tuple[str, ...]:
        """What it is called on a command line, with the form that says no."""
        flag = "--" + self.name.replace("_", "-")
        return (flag, f"--no-{flag[2:]}") if f"--no-{flag[2:]}" in self.usage else (flag,)


def help_text(
    kind: type, description: str, program: str, groups: Groups | None = None, width: int | None = None
) -> str:
    """All of a command's help.

    Args:
        kind: the dataclass of its arguments.
        description: what is said first; indented lines of it stay as they are.
        program: how the command is called.
        groups: see `Groups`; options of no group follow under "other options".
        width: of the lines; None: the terminal's, at most 120.
    """
    columns = width or min(120, shutil.get_terminal_size().columns)
    left = {option.name: option for option in options_of(kind)}
    parts = [f"usage: {program} [options]", *_paragraphs(description, columns)]
    for title, names in (groups or {}).items():
        parts.append(_group(title, [left.pop(name) for name in names], columns))
    if left:
        parts.append(_group("other options" if groups else "options", list(left.values()), columns))
    return "\n\n".join([*parts, "  -h, --help\n      Show this and leave."]) + "\n"


def options_of(kind: type) -> list[Option]:
    """The options of a dataclass, those of dataclasses in it where they stand."""
    hints, texts, found = get_type_hints(kind, include_extras=True), docstrings(kind), []
    for field in dataclasses.fields(kind):
        inner = _plain(hints[field.name])
        if dataclasses.is_dataclass(inner):
            found += options_of(inner)  # type: ignore[arg-type]
            continue
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        usage, text = _usage(field.name, hints[field.name]), " ".join(texts.get(field.name, "").split())
        if len(values := _word(_several(hints[field.name]) or hints[field.name])) > LONG:
            usage, text = usage.replace(values, "NAME"), f"{text} Values: {', '.join(values[1:-1].split(','))}."
        found.append(Option(field.name, usage, f"{text}{_default(default)}"))
    return found


def docstrings(kind: type) -> dict[str, str]:
    """Field -> the text below it in the source of a dataclass, or of one that it inherits from."""
    found = {}
    for one in reversed(kind.__mro__):
        if dataclasses.is_dataclass(one):
            found |= _own_docstrings(one)
    return found


def _own_docstrings(kind: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: text.value.value
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _usage(name: str, hint: Any) -> str:
    flag = "--" + name.replace("_", "-")
    if bool in _parts(hint):
        return f"{flag}, --no-{flag[2:]}"
    each = _several(hint)
    word = _word(hint if each is None else each)
    return f"{flag} {word}" if each is None else f"{flag} {word} [{word} ...]"


def _parts(hint: Any) -> list[Any]:
    """A type and the parts of a union."""
    return [_plain(part) for part in (hint, *get_args(_plain(hint))) if part is not type(None)]


def _several(hint: Any) -> Any | None:
    """What an option of several values takes each time; None for one that takes one."""
    found = next((part for part in _parts(hint) if get_origin(part) in (tuple, Sequence)), None)
    return None if found is None else get_args(found)[0]


def _word(hint: Any) -> str:
    """What a value is called: its choices, or its kind."""
    for part in (hint, *get_args(hint)):
        if metavar := next((one.metavar for one in getattr(part, "__metadata__", ()) if hasattr(one, "metavar")), None):
            return str(metavar)
    parts = [_plain(part) for part in (hint, *get_args(hint))]
    if words := next((part for part in parts if get_origin(part) is Literal), None):
        return "{" + ",".join(map(str, get_args(words))) + "}"
    kinds = {int: "N", float: "NUMBER", Path: "PATH"}
    return next((word for kind, word in kinds.items() if kind in parts), "TEXT")


def _default(value: object) -> str:
    """The end of an option's text: its default, where there is one to tell."""
    if value is None or value is False or value is dataclasses.MISSING or value == ():
        return ""
    if value is True:
        return " (default: yes)"
    return f" (default: {' '.join(map(str, value)) if isinstance(value, tuple) else value})"


def _group(title: str, options: Sequence[Option], width: int) -> str:
    lines = [f"{title}:"]
    for option in options:
        lines += textwrap.wrap(option.usage, width, initial_indent="  ", subsequent_indent="    ", **_WHOLE)
        pad = " " * INDENT
        lines += textwrap.wrap(option.text, width, initial_indent=pad, subsequent_indent=pad, **_WHOLE)
    return "\n".join(lines)


_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _paragraphs(text: str, width: int) -> list[str]:
    """Paragraphs wrapped; those with indented lines, which are commands, as they are."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        kept = any(line.startswith("  ") for line in lines)
        found.append(block if kept else "\n".join(textwrap.wrap(" ".join(lines), width, **_WHOLE)))
    return found
