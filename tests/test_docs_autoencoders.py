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


@pytest.mark.slow
def test_the_transcoder_of_the_page_runs_as_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [text for text in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S) if "target=" in text]
    found: dict = {}
    exec(compile(block, "docs/autoencoders.md", "exec"), found)
    assert found["fitted"].errors.shape == (1, 120)
    assert found["fitted"].explained_variance.min() > 0.4
    assert (tmp_path / "saes" / "block_2" / "cfg.json").is_file()


def test_the_page_says_which_variants_have_transcoders() -> None:
    (told,) = re.findall(r"^- (.*) have transcoders\.", PAGE, flags=re.M)
    assert re.findall(r"`(\w+)`", told) == [name for name, row in VARIANTS.items() if row.transcoder]
    written = re.findall(r"^\| ((?:`\w+`, )+`\w+`) \| (.*?) \|", PAGE, flags=re.M)
    found = {name: files for names, files in written for name in re.findall(r"`(\w+)`", names)}
    for name, row in VARIANTS.items():
        assert not row.transcoder or f"`{row.transcoder}`" in found[name]
