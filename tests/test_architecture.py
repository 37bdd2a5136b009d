"""The shape of the code: which file may import which, how long a file and a function may be, how light an import is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "memjax").rglob("*.py"))
OTHERS = sorted(p for folder in ("experiments", "benchmarks", "tests") for p in (ROOT / folder).rglob("*.py"))

# part of memjax -> other parts that it may import, beside axes and checks, which everything may.
ALLOWED = {
    "": {"*"},  # memjax/__init__ lists the public names
    "axes": set(),
    "cli": {"*"},
    "checks": set(),
    "traces": set(),
    "cache": set(),
    "devices": {"cache"},
    "processes": set(),
    "storage": set(),
    "preprocessing": set(),
    "precision": set(),
    "levels": {"preprocessing"},
    "models": {"precision", "storage", "traces"},
    "metrics": {"traces"},
    "sae": set(),
    "stats": set(),
    "images": {"preprocessing"},
    "datasets": {"cache", "images", "preprocessing"},
    "loader": {"datasets", "images", "preprocessing"},
    "encoder": {"models", "preprocessing", "traces"},
    "selection": {"metrics", "models", "traces"},
    "measure": {
        "devices",
        "encoder",
        "levels",
        "metrics",
        "models",
        "precision",
        "preprocessing",
        "selection",
        "traces",
    },
    "store": {"datasets", "storage"},
    "extract": {
        "encoder",
        "measure",
        "metrics",
        "selection",
        "store",
        "storage",
        "loader",
        "datasets",
        "devices",
        "processes",
    },
    "correlations": {"stats", "metrics", "store"},
    "report": {"store", "stats"},
    "paper": {"stats"},
}
LONG_FILES: dict[str, str] = {}
"""Files over 300 lines, with the reason."""
LONG_FUNCTIONS: dict[str, str] = {}
"""Functions over 40 lines without their docstring, with the reason."""


def part_of(path: Path) -> str:
    inside = path.relative_to(ROOT / "memjax").with_suffix("").parts
    return "" if inside == ("__init__",) else inside[0]


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            whole = node.module == "memjax"
            found |= {f"memjax.{alias.name}" for alias in node.names} if whole else {node.module}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_one_way(path: Path) -> None:
    me = part_of(path)
    assert me in ALLOWED, f"a new part of memjax: give {me!r} a row in ALLOWED"
    for name in imports(path):
        top, _, rest = name.partition(".")
        assert top not in ("experiments", "benchmarks", "tests"), f"{path} imports {name}"
        other = rest.partition(".")[0]
        if top != "memjax" or other in ("", me, "axes", "checks", "__version__"):
            continue
        assert other in ALLOWED[me] or "*" in ALLOWED[me], f"{me} must not know {other} ({path.name} imports {name})"


@pytest.mark.parametrize("path", FILES + OTHERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(ROOT))
    assert name in LONG_FILES or len(text.splitlines()) <= 300, f"{name} has over 300 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = node.body[0] if ast.get_docstring(node) else None
            lines = (node.end_lineno or 0) - node.lineno + 1 - ((doc.end_lineno - doc.lineno + 1) if doc else 0)
            assert f"{name}:{node.name}" in LONG_FUNCTIONS or lines <= 40, f"{name}: {node.name} has {lines} lines"


def test_listed_exceptions_exist() -> None:
    for name in [*LONG_FILES, *(f.split(":")[0] for f in LONG_FUNCTIONS)]:
        assert (ROOT / name).is_file(), f"{name} is gone: take it off the list"


def test_array_code_never_touches_disk() -> None:
    for path in FILES:
        if part_of(path) in ("metrics", "traces", "axes") or path.parent.name == "stats":
            for name in ("pathlib", "io", "open"):
                assert name not in imports(path), f"{path} imports {name}"


def test_disk_code_never_touches_jax() -> None:
    for path in FILES:
        if part_of(path) in ("images", "preprocessing", "loader", "datasets", "store", "storage"):
            assert not {n for n in imports(path) if n.split(".")[0] == "jax"}, f"{path} imports jax"


def test_import_is_light() -> None:
    code = "import sys, memjax; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"tensorflow_datasets", "matplotlib", "statsmodels", "torch", "tensorflow", "grain", "pandas", "xarray"}
    assert not loaded & heavy


def test_public_names_exist() -> None:
    import memjax

    for name in memjax.__all__:
        assert getattr(memjax, name) is not None
