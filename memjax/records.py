"""Frozen dataclasses from JSON, with the types of their fields checked: what a damaged or foreign file says is refused."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


def fields_of(kind: type, found: object) -> dict[str, Any]:
    """The fields of a dataclass that a JSON object has; names that the class does not know are left out, and
    lists are tuples where the class has them.

    Raises:
        TypeError: it is no object, or a field is of another type.

    Example:
        >>> @dataclasses.dataclass
        ... class Point:
        ...     x: int
        ...     name: str | None = None
        >>> fields_of(Point, {"x": 3, "z": 1})
        {'x': 3}
    """
    given = object_of(found)
    chosen = {field.name: field.type for field in dataclasses.fields(kind) if field.name in given}
    for name, hint in chosen.items():
        if not _fits(given[name], hint):
            raise TypeError(f"field {name} is {type(given[name]).__name__}")
    return {name: tuple(given[name]) if get_origin(hint) is tuple else given[name] for name, hint in chosen.items()}


def record_from(kind: type[T], found: object) -> T:
    """A dataclass from a JSON object. Raises `TypeError`, as `fields_of`, also where a field without default is missing."""
    return kind(**fields_of(kind, found))


def object_of(value: object) -> Mapping[str, Any]:
    """A JSON object, or `TypeError`."""
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"{type(value).__name__} where an object is expected")


def list_of(value: object) -> Sequence[Any]:
    """A JSON list, or `TypeError`."""
    if isinstance(value, (list, tuple)):
        return value
    raise TypeError(f"{type(value).__name__} where a list is expected")


def _fits(value: object, hint: Any) -> bool:
    """Whether a JSON value is of the type of an annotation; other dataclasses are for their own reader to check."""
    inner = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if get_origin(hint) is Mapping:
        return isinstance(value, Mapping) and all(_fits(one, inner[1]) for one in value.values())
    if get_origin(hint) in (Sequence, tuple):
        return isinstance(value, (list, tuple)) and all(_fits(one, inner[0]) for one in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (bool, int, str, type(None)):
        return type(value) is hint
    return True
