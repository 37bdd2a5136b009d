"""README says what the code says: its table of metrics is the rows, its Python runs as pasted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from memjax.metrics import DEFAULT_METRICS, METRICS, Metric

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
LAYERS = {"hidden": "0..l", "block": "1..l", "sum": "l", "image": "l"}


def table_row(name: str, row: Metric) -> str:
    asked = "" if name in DEFAULT_METRICS else "on request"
    return f"| `{name}` | {row.title} | {row.unit} | {LAYERS[row.at]} | {asked} |"


def test_the_table_of_metrics_is_the_rows() -> None:
    wanted = "\n".join(table_row(name, row) for name, row in METRICS.items())
    assert wanted in README, f"put these rows into README.md:\n{wanted}"
    stale = set(re.findall(r"^\| `([a-z_]+)` \|.*\| (?:0\.\.l|1\.\.l|l) \|.*\|$", README, flags=re.M)) - set(METRICS)
    assert not stale


@pytest.mark.slow
def test_the_python_of_readme_runs_as_pasted(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len(blocks) >= 3
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
