"""Python on the pages of docs/ runs as pasted: each page's blocks, one after the other, in an empty folder."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
HERE = (
    "python.md",
    "causes.md",
    "how_to/own_metric.md",
    "how_to/own_encoder.md",
    "how_to/own_data_set.md",
    "how_to/resume.md",
)
ELSEWHERE = {
    "atlas.md": "test_docs_atlas.py",
    "autoencoders.md": "test_docs_autoencoders.py",
    "encoders.md": "test_timm.py",
}
GIVEN = {
    "explaining.md": "an encoder, a score, and images",
    "predictor.md": "a sweep of LNSIM",
    "vgg_autoencoder.md": "LNSIM and trained weights",
}
"""Pages whose block begins from what a reader has: why it is compiled only."""


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.S)


def test_every_page_with_python_is_known() -> None:
    found = {
        str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "```python" in path.read_text(encoding="utf-8")
    }
    assert found == {*HERE, *ELSEWHERE, *GIVEN}
    for page, test in ELSEWHERE.items():
        assert f'"{page}"' in (Path(__file__).parent / test).read_text(encoding="utf-8")
    for page in found:
        for code in blocks(page):
            compile(code, page, "exec")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # of runs without a folder
@pytest.mark.parametrize("page", HERE)
def test_the_python_of_a_page_runs_as_pasted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks(page):
        exec(compile(code, page, "exec"), names)
