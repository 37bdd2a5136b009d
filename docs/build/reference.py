"""Hook of mkdocs: a page of reference for each public package, from the names that the package lists and their docstrings."""

import ast
import importlib
import inspect

from mkdocs.structure.files import File

PACKAGES = {
    "index": "memjax",
    "sae": "memjax.sae",
    "edits": "memjax.edits",
    "metrics": "memjax.metrics",
    "stats": "memjax.stats",
    "report": "memjax.report",
    "datasets": "memjax.datasets",
    "baselines": "memjax.baselines",
    "causes": "memjax.causes",
    "latents": "memjax.latents",
}
"""Page -> the package whose public names are on it."""


def on_files(files, config):
    """Add the pages, which lie nowhere as files."""
    described: dict[str, str] = {}
    for page, package in PACKAGES.items():
        files.append(File.generated(config, f"reference/{page}.md", content=reference(package, described)))
    return files


def reference(package: str, described: dict[str, str]) -> str:
    """A page as Markdown: the package's docstring, and every public name with its own.

    Args:
        package: whose names.
        described: where a name is defined -> its public name, of those on earlier pages; this page's are added.
    """
    module = importlib.import_module(package)
    places = getattr(module, "_NAMES", {})
    names = [name for name in module.__all__ if not name.startswith("__")]
    parts = [f"# {package}", f"::: {package}\n    options:\n      show_root_heading: false\n      members: false"]
    for name in names:
        target = home(places.get(name, package), name)
        if target in described:
            parts.append(f"## {package}.{name}\n\nThe same as [{described[target]}][{target}].")
            continue
        described[target] = f"{package}.{name}"
        parts.append(f"::: {target}\n    options:\n      heading: {package}.{name}\n      toc_label: {name}")
    return "\n\n".join(parts) + "\n"


def home(module: str, name: str) -> str:
    """Where a name is defined, as a path, following imports from a module that only passes it on."""
    for node in ast.parse(inspect.getsource(importlib.import_module(module))).body:
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return home(node.module, name)
    return f"{module}.{name}"
