"""What a metric's function is, as a digest: the same in a new process, another for another function.

Of a Python function its source counts (where there is none its bytecode), and the values that it has or reads: defaults,
what it closes over, globals. Functions among those count in the same way; those of installed packages by their name.
"""

import dataclasses
import functools
import hashlib
import inspect
import json
import sys
import types
from collections.abc import Mapping

import jax
import numpy as np

from memjax.checks import InputError
from memjax.metrics import source
from memjax.metrics.metric import Metric

Description = list[object]
"""What a value is, as JSON types."""

SIMPLE = (bool, int, float, complex, str, bytes, slice, range, np.dtype, types.EllipsisType, types.NoneType)


def metric_identity(metric: Metric) -> str:
    """SHA-256 of what a metric computes, as hexadecimal; its title, unit and reference do not count.

    Raises:
        InputError: the function reads an object of which it cannot be told whether a later run has the same one.

    Example:
        >>> two, three = (Metric(lambda block, layout, k=k: k * block.attention.max(), "block") for k in (2.0, 3.0))
        >>> metric_identity(two) == metric_identity(three)
        False
    """
    parts = [metric.at, metric.per_head, metric.needs, _Describer().describe(metric.function)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _Describer:
    """Describes values; a function or an object that comes again is told by its number."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, object]] = {}

    def describe(self, value: object) -> Description:
        """A value as JSON types."""
        if isinstance(value, SIMPLE):
            return [type(value).__name__, repr(value)]
        if isinstance(value, (tuple, list)):
            return [type(value).__name__, *map(self.describe, value)]
        if isinstance(value, (set, frozenset)):
            return [type(value).__name__, *sorted(json.dumps(self.describe(x)) for x in value)]
        if isinstance(value, Mapping):
            return ["mapping", *([self.describe(key), self.describe(x)] for key, x in value.items())]
        if isinstance(value, (np.ndarray, np.generic, jax.Array)):
            array = np.asarray(value)
            return ["array", str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        if isinstance(value, types.CodeType):
            return ["code", value.co_code.hex(), list(value.co_names), *map(self.describe, value.co_consts)]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if inspect.isclass(value) or inspect.isbuiltin(value) or isinstance(value, np.ufunc):
            return ["named", *_name(value)]
        if id(value) in self.seen:
            return ["seen", self.seen[id(value)][0]]
        self.seen[id(value)] = len(self.seen), value
        return self.describe_once(value)

    def describe_once(self, value: object) -> Description:
        """A function or an object that was not described before."""
        if isinstance(value, functools.partial):
            return ["partial", *map(self.describe, (value.func, value.args, dict(sorted(value.keywords.items()))))]
        if isinstance(value, types.MethodType):
            return ["method", self.describe(value.__func__), self.describe(value.__self__)]
        if isinstance(value, types.FunctionType):
            return self.describe_function(value)
        if callable(getattr(value, "__wrapped__", None)):  # jax.jit, functools.cache
            return ["wrapped", type(value).__qualname__, self.describe(value.__wrapped__)]
        if callable(value) and all(_name(value)) and _installed(_name(value)[0]):
            return ["named", *_name(value)]
        return self.describe_object(value)

    def describe_function(self, function: types.FunctionType) -> Description:
        """A function by its source, or by its name where it is an installed package's; with the values that it has."""
        cells = [cell.cell_contents for cell in function.__closure__ or () if source.filled(cell)]
        defaults, keywords = function.__defaults__ or (), function.__kwdefaults__ or {}
        where, text = function.__globals__.get("__name__", ""), source.text_of(function)
        wrapped = getattr(function, "__wrapped__", None)
        if _installed(where) or (wrapped is not None and text is None):  # a decorator of a package's, or made by one
            plain = [x for x in (*cells, *defaults, *keywords.values()) if isinstance(x, (*SIMPLE, types.FunctionType))]
            return ["installed", where, function.__code__.co_qualname, self.describe(plain), self.describe(wrapped)]
        read = sorted(set(source.globals_of(function.__code__)) & function.__globals__.keys())
        values = (
            text or function.__code__,
            defaults,
            keywords,
            cells,
            {name: function.__globals__[name] for name in read},
        )
        return ["function", *map(self.describe, values)]

    def describe_object(self, value: object) -> Description:
        """An instance: its class, what calling it does, its fields."""
        kind = type(value)
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        elif hasattr(value, "__dict__"):
            fields = dict(sorted(vars(value).items()))
        else:
            raise InputError(
                f"metrics: a function reads an object of type {'.'.join(_name(kind))}, which a later run can't tell from "
                "another one; let it read numbers, strings, arrays or functions",
                "metrics",
            )
        call = kind.__dict__.get("__call__")
        return ["object", *_name(kind), self.describe(call), self.describe(fields)]


def _name(value: object) -> tuple[str, str]:
    return str(getattr(value, "__module__", "")), str(getattr(value, "__qualname__", getattr(value, "__name__", "")))


def _installed(module: str) -> bool:
    """Whether a module belongs to Python or to an installed package other than this one."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    there = "site-packages" in file or "dist-packages" in file
    return top not in ("memjax", "__main__") and (top in sys.stdlib_module_names or there)
