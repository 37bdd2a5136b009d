"""docs/autoencoders.md says what the code says: its table of variants is the rows, its Python runs as pasted."""

import re
from pathlib import Path

import numpy as np
import pytest

from memjax.sae.variants import VARIANTS
from tests.fake_store import D, make_store

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "autoencoders.md").read_text(encoding="utf-8")


def test_the_table_of_variants_is_the_rows() -> None:
    found = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, flags=re.M)
    assert dict(found) == {name: row.saelens for name, row in VARIANTS.items()}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # of a run without a folder
def test_the_python_of_the_page_runs_as_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "runs" / "lnsim")
    first = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[0]  # the others need published files
    exec(compile(first, "docs/autoencoders.md", "exec"), {"vectors": np.ones((4, D), np.float32)})
    assert (tmp_path / "saes" / "lnsim" / "layer_2_seed_42" / "cfg.json").is_file()
