"""`examples/quickstart.ipynb`: a valid notebook without outputs, of which every cell runs offline, in order.

The cells are plain Python (no magics), so they are run as Jupyter runs them, one after the other in one namespace, but in
a new process without a kernel: that needs no sockets and none of the packages a kernel brings. What a kernel would add, the
display of a cell's last value, is checked by its kind.
"""

import ast
import json
import os
import subprocess
import sys
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
        "maps": "Figure",
        "figure": "Figure",
        "correlate": "Figure",
        "sweep": "Sweep",
        "table": "DataFrame",
    }.items():
        assert kind in shown[name].split()
    assert "96 images" in done.stdout
