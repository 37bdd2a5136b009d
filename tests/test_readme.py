"""README and docs/metrics.md say what the code says: the table of metrics is the rows, README's Python runs as pasted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from memjax.metrics import DEFAULT_METRICS, METRICS, Metric

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS_PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
LAYERS = {"hidden": "0..l", "block": "1..l", "sum": "l", "image": "l"}


def table_row(name: str, row: Metric) -> str:
    asked = "" if name in DEFAULT_METRICS else "on request"
    return f"| `{name}` | {row.title} | {row.unit} | {LAYERS[row.at]} | {asked} |"


def test_the_table_of_metrics_is_the_rows() -> None:
    wanted = "\n".join(table_row(name, row) for name, row in METRICS.items())
    assert wanted in METRICS_PAGE, f"put these rows into docs/metrics.md:\n{wanted}"
    stale = set(re.findall(r"^\| `([a-z_]+)` \|.*\| (?:0\.\.l|1\.\.l|l) \|.*\|$", METRICS_PAGE, flags=re.M)) - set(
        METRICS
    )
    assert not stale


def test_the_two_commands_are_there() -> None:
    for command in ("uv run experiments/sweep_layers.py", "uv run pytest"):
        assert f"\n    pip install uv && {command}\n" in README


@pytest.mark.slow
def test_the_python_of_readme_runs_as_pasted(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len(blocks) == 1
    done = subprocess.run([sys.executable, "-c", blocks[0]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
