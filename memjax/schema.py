"""What a field of a JSON file or of settings may hold, as a row of a table: checked before anything is made of it."""

import functools
import os
import reprlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from memjax.checks import check_kind, expected, what_is

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxlong = 2, 3, 4, 40, 40


class Allowed(NamedTuple):
    """One row.

    Attributes:
        kind: ``"whole"`` or any ``"number"`` between the bounds, a ``"flag"`` (true or false), ``"text"`` of the choices, or a
            ``"side"``: a whole number, or two of them, ``[y, x]``.
        least, most: bounds of numbers, both included.
        choices: of texts.
        optional: whether null says the same as leaving the field out.
    """

    kind: Literal["whole", "number", "flag", "text", "side"]
    least: int | float = 0
    most: int | float = 0
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def words(self) -> str:
        """What is expected, as a message says it."""
        between = f"from {self.least:g} to {self.most:.10g}" if self.least < self.most else f"{self.least:g}"
        return {
            "whole": f"a whole number {between}",
            "number": f"a number {between}",
            "side": f"a whole number {between}, or two of them",
            "flag": "true or false",
            "text": f"one of {', '.join(self.choices)}",
        }[self.kind]

    def holds(self, value: object) -> bool:
        """Whether a value is of the type and within the bounds; NaN and infinity never are.

        Example:
            >>> sizes = Allowed("side", 1, 16384)
            >>> [sizes.holds(value) for value in (224, [32, 48], [32], "32", True, 0, None)]
            [True, True, False, False, False, False, False]
        """
        if value is None:
            return self.optional
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind == "text":
            return isinstance(value, str) and value in self.choices
        if self.kind == "side" and isinstance(value, (list, tuple)):
            return len(value) == 2 and all(self._counts(side) for side in value)
        return self._counts(value)

    def _counts(self, value: object) -> bool:
        kinds = (int, float) if self.kind == "number" else int
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most


def check_field(value: object, allowed: Allowed, what: str, argument: str = "") -> None:
    """Refuse a value that its row does not allow.

    Args:
        value: as the file has it.
        allowed: the row.
        what: the file and the field, for the error.
        argument: see `memjax.checks.InputError`.

    Raises:
        InputError: naming all three.

    Example:
        >>> check_field("8", Allowed("whole", 1, 1024), "config.json, patch_size")
        Traceback (most recent call last):
        memjax.checks.InputError: config.json, patch_size: expected a whole number from 1 to 1024, got '8'
    """
    if not allowed.holds(value):
        raise expected(what, allowed.words, shown(value), argument=argument)


def shown(value: object) -> str:
    """A value as an error shows it: on one line, short however large or deep the value is.

    Example:
        >>> shown([[[[1]]], "x" * 1000])[:20]
        "[[[...]], 'xxxxxxxxx"
    """
    return _SHORT.repr(value)


def shown_name(name: str, most: int = 120) -> str:
    """A name from a file as an error shows it: on one line, with escapes for what does not print, and its middle cut.

    Example:
        >>> shown_name("a\\nb"), len(shown_name("x" * 1000))
        ('a\\\\nb', 120)
    """
    text = repr(name)[1:-1]
    return text if len(text) <= most else f"{text[: most // 2 - 3]}...{text[-most // 2 :]}"


def check_bounds(settings: object, bounds: Mapping[str, tuple[int | float, int | float]]) -> None:
    """Refuse numbers of a dataclass of settings that are not within their bounds, both included.

    Args:
        settings: its fields hold a number, several, or None, which says nothing.
        bounds: field -> least and most; where both are whole, so must the number be.

    Raises:
        InputError: at the first, with the field as its argument.

    Example:
        >>> from types import SimpleNamespace
        >>> check_bounds(SimpleNamespace(seed=-1), {"seed": (0, 9)})
        Traceback (most recent call last):
        memjax.checks.InputError: seed: expected a whole number from 0 to 9, got -1
    """
    for name, (least, most) in bounds.items():
        value, whole = getattr(settings, name), isinstance(least, int) and isinstance(most, int)
        allowed = Allowed("whole" if whole else "number", least, most, optional=True)
        for one in value if isinstance(value, (tuple, list)) else (value,):
            check_field(one, allowed, name, argument=name)


def check_settings(settings: object, bounds: Mapping[str, tuple[int | float, int | float]]) -> None:
    """Refuse a dataclass of settings whose values are of another kind than its fields, or outside of their bounds.

    Without it a misspelt word would be taken for the other of two, and a text for the names of its letters.

    Args:
        settings: a dataclass.
        bounds: as in `check_bounds`.

    Raises:
        InputError: at the first, with the field as its argument.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Turned:
        ...     how: Literal["exif", "stored"]
        >>> check_settings(Turned("up"), {})
        Traceback (most recent call last):
        memjax.checks.InputError: how: expected one of exif, stored, got 'up'
    """
    for name, hint in _hints(type(settings)).items():
        value = getattr(settings, name)
        if name not in bounds:
            _check_value(value, hint, name)
        elif _part(hint, tuple) is not None:
            _check_several(value, hint, name)
        elif value is None and type(None) not in _options(hint):
            raise expected(name, "a number", "None", argument=name)
    check_bounds(settings, bounds)


@functools.cache
def _hints(kind: type) -> dict[str, object]:
    """The fields of a dataclass with their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _options(hint: object) -> tuple[object, ...]:
    """The parts of a union, or the type by itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _part(hint: object, origin: object) -> object | None:
    """The part of a union that is a ``Literal``, a ``tuple`` and so on; None where there is none."""
    return next((part for part in _options(hint) if get_origin(part) is origin), None)


def _check_value(value: object, hint: object, name: str) -> None:
    """Words, flags, texts, paths and tuples of these; a field of any other type says itself what it takes."""
    options = _options(hint)
    if (words := _part(hint, Literal)) is not None:
        check_field(value, Allowed("text", choices=get_args(words), optional=type(None) in options), name, name)
    elif _part(hint, tuple) is not None:
        _check_several(value, hint, name)
    elif bool in options:
        check_field(value, Allowed("flag", optional=type(None) in options), name, name)
    elif {str, Path, type(None)} >= set(options):
        kinds = (str, os.PathLike, type(None)) if type(None) in options else (str, os.PathLike)
        check_kind(value, kinds, name, "a path" if Path in options else "a text")


def _check_several(value: object, hint: object, name: str) -> None:
    if value is None and type(None) in _options(hint):
        return
    (each, *_) = get_args(_part(hint, tuple))
    words = f", each one of {', '.join(get_args(each))}" if get_origin(each) is Literal else ""
    if not isinstance(value, (tuple, list)):
        one = value if isinstance(value, (str, int, float)) else "one"
        raise expected(name, f"several{words}", what_is(value), f"write {(one,)!r}", name)
    for one in value:
        _check_value(one, each, name)
