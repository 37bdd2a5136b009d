"""Public names of a package that are imported when first used, so that importing the package stays light."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence


def attach(
    package: str, names: Mapping[str, str], parts: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The package's ``__getattr__`` and ``__dir__`` (PEP 562).

    Args:
        package: its full name.
        names: public name -> the module that defines it.
        parts: submodules that are reached as attributes.

    Example:
        >>> get, _ = attach("memjax.stats", {"split_half": "memjax.stats.reliability"})
        >>> get("split_half").__name__
        'split_half'
    """

    def get(name: str) -> object:
        if name in names:
            return getattr(importlib.import_module(names[name]), name)
        if name in parts:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])

    def list_names() -> list[str]:
        own = [name for name in vars(sys.modules[package]) if name.startswith("__")]
        return sorted({*names, *parts, *own})

    return get, list_names
