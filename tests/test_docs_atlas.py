"""docs/atlas.md: its Python runs as pasted."""

import re
from pathlib import Path

import pytest

from memjax.pipelines.atlas import AtlasResult


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # of runs without a folder
def test_the_python_of_the_page_runs_as_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).resolve().parents[1] / "docs" / "atlas.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    names: dict[str, object] = {}
    exec(compile(code, "docs/atlas.md", "exec"), names)
    found = names["found"]
    assert isinstance(found, AtlasResult)
    assert len(found.table) == 64
