"""The shape of the code: which file may import which, how long a file and a function may be, how light an import is."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memjax.axes import AXES

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "memjax").rglob("*.py"))
OTHERS = sorted(p for folder in ("experiments", "benchmarks", "tests") for p in (ROOT / folder).rglob("*.py"))

# part of memjax -> other parts that it may import, beside axes, checks and showing, which everything may.
ALLOWED = {
    "": {"*"},  # memjax/__init__ lists the public names
    "__main__": {"cli"},
    "cli": {"*"},
    # the lowest floor: words, errors, files
    "axes": set(),
    "checks": set(),
    "faults": {"naming"},
    "waiting": set(),
    "workers": {"waiting"},
    "lazy": set(), "showing": set(),
    "naming": set(), "model_names": set(),
    "records": set(),
    "schema": set(),
    "seals": set(),
    "spreadsheets": set(),
    "tensors": {"seals"},
    "traces": set(),
    "cache": set(),
    "locks": set(),
    "progress": {"naming"},
    "board": {"waiting"},
    "processes": {"board", "faults", "waiting"},
    "precision": set(),
    "levels": {"preprocessing"},
    "pixels": {"preprocessing"},
    "devices": {"cache"},
    "remote": {"faults"},
    "lease": {"remote"},
    "clusters": {"storage"},
    "storage": {"faults", "lease", "locks", "remote"},
    # images and scores
    "decoding": set(),
    "preprocessing": {"schema"},
    "fast_pixels": {"decoding", "preprocessing"},
    "images": {"decoding", "fast_pixels", "preprocessing"},
    "datasets": {"cache", "decoding", "locks", "naming", "remote", "seals", "storage"},
    "predecoded": {"datasets", "decoding", "fast_pixels", "faults", "locks", "preprocessing"},
    "loader": {"datasets", "decoding", "images", "predecoded", "preprocessing", "workers"},
    # arrays in, arrays out
    "models": {"model_names", "pixels", "precision", "schema", "storage", "traces"},
    "metrics": {"traces"},
    "sae": {"devices", "faults", "models", "precision", "progress", "records", "schema", "seals", "storage", "tensors"},
    "stats": {"precision"},
    "baselines": {"models", "precision", "preprocessing", "schema"},
    "edits": {"models", "sae"},
    "latents": {"sae", "schema", "stats"},
    # a data set through an encoder into the store, and the store as measures
    "encoder": {"models", "naming", "pixels", "precision", "preprocessing", "storage", "traces"},
    "selection": {"metrics", "models", "traces"},
    "measure": {
        "devices", "encoder", "levels", "metrics", "models", "pixels", "precision", "preprocessing", "selection", "traces",
    },
    "batching": {"devices", "models"},
    "halving": {"batching", "devices", "faults", "loader", "measure", "models"},
    "store": {"datasets", "remote", "seals", "storage"},
    "extract": {
        "batching", "datasets", "decoding", "devices", "encoder", "fast_pixels", "halving", "loader", "measure", "metrics",
        "naming", "predecoded", "processes", "selection", "storage", "store",
    },
    "measures": {"metrics", "stats", "store"},
    # where in an image a score comes from
    "attribution": {"encoder", "measure", "metrics", "models", "precision", "schema", "selection", "traces"},
    # what a run says and writes
    "outputs": {"datasets", "naming", "records", "seals", "spreadsheets", "stats", "storage"},
    "image_table": {"datasets", "storage"},
    "promises": {"outputs", "seals", "storage"},
    "predictor": {
        "attribution", "baselines", "batching", "datasets", "decoding", "devices", "encoder", "faults", "halving", "images",
        "levels", "loader", "measure", "metrics", "models", "outputs", "precision", "preprocessing", "progress", "records",
        "schema", "seals", "selection", "stats", "storage", "tensors", "traces",
    },
    "causes": {
        "batching", "datasets", "devices", "edits", "halving", "levels", "loader", "measure", "metrics", "models", "precision",
        "predictor", "preprocessing", "progress", "sae", "schema", "selection", "traces",
    },
    "report": {"attribution", "baselines", "latents", "metrics", "outputs", "sae", "stats", "store"},
    "paper": {"datasets", "measures", "outputs", "report", "schema", "stats", "store"},
    "pipelines": {
        "baselines", "causes", "clusters", "datasets", "devices", "encoder", "extract", "fast_pixels", "faults", "image_table",
        "images", "latents", "loader", "measure", "measures", "metrics", "models", "naming", "outputs", "paper", "precision",
        "predictor", "preprocessing", "processes", "progress", "promises", "records", "report", "sae", "schema", "seals",
        "selection", "stats", "storage", "store",
    },
}  # fmt: skip
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
        if top != "memjax" or other in ("", me, "axes", "checks", "lazy", "showing", "__version__"):
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
        if part_of(path) in (
            "decoding",
            "fast_pixels",
            "images",
            "preprocessing",
            "loader",
            "locks",
            "datasets",
            "store",
            "storage",
        ):
            assert not {n for n in imports(path) if n.split(".")[0] == "jax"}, f"{path} imports jax"


def test_import_is_light() -> None:
    code = "import sys, memjax; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"tensorflow_datasets", "matplotlib", "statsmodels", "torch", "tensorflow", "grain", "pandas", "xarray"}
    assert not loaded & heavy


PACKAGES = ("", "attribution", "baselines", "datasets", "metrics", "models", "paper", "report", "sae", "stats")


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist(package: str) -> None:
    module = importlib.import_module(f"memjax.{package}".rstrip("."))
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_editors_see_the_names_that_there_are() -> None:
    import memjax

    tree = ast.parse((ROOT / "memjax" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == memjax._NAMES


def test_no_submodule_shadows_a_public_function() -> None:
    for package in PACKAGES:
        folder = ROOT / "memjax" / package
        there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
        module = importlib.import_module(f"memjax.{package}".rstrip("."))
        names = {name for name in module.__all__ if callable(getattr(module, name))}
        assert not there & names, f"memjax/{package}: a file has the name of a public function"


SHARED = {"main", "Arguments", "read_source", "read_rows", "to_table", "read_metadata", "write", "load"}
"""Names that several files define because they are of one kind, with one signature: commands, readers of data sets, the two
forms that a prepared data set is kept in; and `memjax.load` of encoders, `memjax.sae.load` of autoencoders."""


def test_two_public_things_never_share_a_name() -> None:
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert not {name: files for name, files in homes.items() if len(files) > 1 and name not in SHARED}


FLAG = re.compile(r"(?<![\w-])--[a-z]")


def test_library_messages_name_no_flags() -> None:
    for path in FILES:
        if part_of(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not FLAG.search(node.value), f"{path}:{node.lineno}: {node.value!r}"


def test_no_path_is_edited_but_at_the_doors() -> None:
    for path in [*FILES, *OTHERS]:
        edits = path.read_text(encoding="utf-8").count("sys.path") if path.name != "test_architecture.py" else 0
        door = path.parent.name == "experiments"
        assert edits <= int(door), f"{path}: edits sys.path"


def test_doors_are_short() -> None:
    for path in (ROOT / "experiments").glob("*.py"):
        if path.name != "pretrain_tiny.py":
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 40, path.name


SHAPED = {"Float", "Int", "Bool", "UInt8", "Shaped", "Num", "Real", "Inexact"}


def shapes(path: Path) -> set[str]:
    """Every axis that a jaxtyping annotation of a file names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in SHAPED:
            text = node.slice.elts[-1].value if isinstance(node.slice, ast.Tuple) else ""  # type: ignore[attr-defined]
            found |= {axis.lstrip("*#") for axis in text.split()}
    return {axis for axis in found if axis not in ("...", "_") and not axis.isdigit()}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_axis_stands_in_the_alphabet(path: Path) -> None:
    known = set(AXES[""]) | set(AXES.get(part_of(path), {}))
    assert not shapes(path) - known, f"{path}: axes that memjax/axes.py does not list"


def written_shapes(text: str) -> set[str]:
    """Axes of shapes that are said and not checked: fields of pytrees (``Annotated``), docstrings (``[b, l+1, d]``)."""
    said = re.findall(r'Annotated\[[^"\n]*"([^"]*)"\]', text) + re.findall(r"``[^`\n]*\[([^`\n]*)\]", text)
    return set(re.findall(r"\w+", " ".join(said)))


def test_the_alphabet_has_no_letter_too_many() -> None:
    for part, letters in AXES.items():
        files = [path for path in FILES if path.name != "axes.py" and (not part or part_of(path) == part)]
        said = written_shapes("".join(path.read_text(encoding="utf-8") for path in files))
        unused = set(letters) - set().union(*map(shapes, files)) - said
        assert not unused, f"{part or 'everywhere'}: {unused}"


OLD_WORDS = (
    r"(?<!multi-)picture", "images_a_chunk", "attend_unseen", "where nobody says", "nothing is where it is None",
)  # fmt: skip


def test_words_are_the_fields() -> None:
    for path in [*FILES, *(p for p in OTHERS if p.name != "test_architecture.py"), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8").lower()
        assert not [word for word in OLD_WORDS if re.search(word.lower(), text)], path
