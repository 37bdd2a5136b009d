"""Python on the pages of docs/ runs as pasted: each page's blocks, one after the other, in an empty folder."""

import re
from pathlib import Path

import numpy as np
import pytest

import memjax
from memjax.baselines import autoencoder_weights
from tests import explained, exposed

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


def for_explaining(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """An encoder, a score that is linear in its hidden states, and an image."""
    kind = "clip"
    pixels = explained.image(kind)
    grey_levels = np.random.default_rng(0).integers(0, 255, pixels.shape, dtype=np.uint8)
    return {
        "encoder": explained.encoder(kind),
        "score": explained.target(kind).score,
        "pixels": pixels,
        "grey_levels": grey_levels,
    }


def for_predictor(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A sweep with token vectors, and a new image."""
    settings = memjax.SweepSettings(metrics=("cls_norm",), tokens=("cls", "mean"), bootstraps=20)
    dataset = memjax.open_dataset("demo", limit=60)
    memjax.sweep(dataset, "memjax/tiny", out=home / "runs" / "lnsim", settings=settings, progress=False)
    (home / "new.jpg").write_bytes(memjax.open_dataset("demo", limit=61).records[60].data)
    return {}


def for_autoencoder(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A narrow network with random weights; LNSIM's place is taken by images of one's own."""
    exposed.save_random(home / "autoencoder.safetensors")
    own = memjax.open_folder(exposed.make_images(home, broken=None), home / "scores.csv")
    monkeypatch.setattr(autoencoder_weights, "BLOCKS", exposed.WIDTHS)
    monkeypatch.setattr(memjax, "open_dataset", lambda name, folder: own, raising=False)
    return {}


GIVEN = {"explaining.md": for_explaining, "predictor.md": for_predictor, "vgg_autoencoder.md": for_autoencoder}
"""Pages whose block begins from what a reader has: what makes it."""


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.S)


def test_every_page_with_python_is_known() -> None:
    found = {
        str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "```python" in path.read_text(encoding="utf-8")
    }
    assert found == {*HERE, *ELSEWHERE, *GIVEN}
    for page, test in ELSEWHERE.items():
        assert f'"{page}"' in (Path(__file__).parent / test).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")  # of runs without a folder
@pytest.mark.parametrize("page", [*HERE, *GIVEN])
def test_the_python_of_a_page_runs_as_pasted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = GIVEN[page](tmp_path, monkeypatch) if page in GIVEN else {}
    for code in blocks(page):
        exec(compile(code, page, "exec"), names)
