"""`examples/quickstart.ipynb`: a valid notebook without outputs, of which every cell runs offline, in order.

The cells are plain Python (no magics), so they are run as Jupyter runs them, one after the other in one namespace, but in
a new process without a kernel: that needs no sockets and none of the packages a kernel brings. What a kernel would add, the
display of a cell's last value, is checked by its kind.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "quickstart.ipynb"

RUNNER = """
import ast, json, sys
names = {"__name__": "__main__"}
for name, source in json.load(sys.stdin):
    tree = ast.parse(source, name)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    value = eval(compile(ast.Expression(last.value), name, "eval"), names) if last else None
    print("cell", name, *(kind.__name__ for kind in type(value).__mro__))
"""


def code_cells() -> list[tuple[str, str]]:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return [(cell["id"], cell["source"]) for cell in notebook.cells if cell.cell_type == "code"]


def test_notebook_is_valid_and_has_no_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            ast.parse(cell.source)  # plain Python: no magics
    assert any("No human saw" in cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_three_imports_are_enough() -> None:
    nodes = [node for _, source in code_cells() for node in ast.walk(ast.parse(source))]
    assert sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes) <= 3


def test_every_cell_runs(tmp_path: Path) -> None:
    """In a new process and an empty folder, on embedded data, with the network's libraries told to stay offline."""
    settings = {"MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", "MEMJAX_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", RUNNER],
        input=json.dumps(code_cells()),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **settings, "TMPDIR": str(tmp_path)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = dict(
        line.removeprefix("cell ").split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("cell ")
    )
    assert list(shown) == [name for name, _ in code_cells()]
    for name, kind in {
        "data": "Dataset",
        "images": "Figure",
        "sweep": "Sweep",
        "table": "DataFrame",
        "figure": "Figure",
        "readout": "DataFrame",
        "predictor": "Predictor",
        "predict": "DataFrame",
        "sae": "DataFrame",
        "correlate": "Figure",
    }.items():
        assert kind in shown[name].split()
    assert "60/60" in done.stdout
    assert "epoch 10 of 10" in done.stdout
    assert re.search(r"^\S+report\.html$", done.stdout, re.M), "the page is named"


def test_it_installs_from_the_address_of_the_project() -> None:
    """One place has the repository's address: the package's metadata; where that has none, the reader puts it in."""
    project = tomllib.loads((NOTEBOOK.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"].get("Repository", "https://ADDRESS-OF-THE-REPOSITORY")
    (install,) = [source for name, source in code_cells() if name == "install"]
    assert f'REPOSITORY = "{address}"' in install
    assert NOTEBOOK.read_text(encoding="utf-8").count("https://") == 1, "no other repository is named"


def test_the_install_line_runs_where_memjax_is_missing() -> None:
    """As on Colab: the first import fails, the line is run, then the import is tried again."""
    (install,) = [source for name, source in code_cells() if name == "install"]
    runner = f"""
import builtins, sys
told, real = [], builtins.__import__
def missing(name, *rest):
    if name == "memjax" and not told:
        raise ModuleNotFoundError(name)
    return real(name, *rest)
class Shell:
    def run_line_magic(self, *words):
        told.append(words)
builtins.__import__ = missing
builtins.get_ipython = Shell
exec({install!r})
print(told, memjax.__name__)
"""
    done = subprocess.run([sys.executable, "-c", runner], capture_output=True, text=True, check=True, timeout=120)
    assert re.fullmatch(r"\[\('pip', 'install --quiet git\+https://\S+'\)\] memjax", done.stdout.strip())
