"""Scores that do not vary are told in one line, which blames them and not the measures, by every command."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import memjax
from memjax.checks import InputError
from memjax.cli import baselines, paper, saes, sweep
from memjax.stats.analysis import analyse
from memjax.stats.scores import check_scores_vary
from tests.command import exit_code
from tests.fake_store import make_store


@pytest.fixture
def images(tmp_path: Path) -> list[object]:
    """A folder of a dozen images with one score, as arguments."""
    (tmp_path / "images").mkdir()
    names = [f"{i}.png" for i in range(12)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((40, 40, 3), 20 * i, np.uint8)).save(tmp_path / "images" / name)
    pd.DataFrame({"image": names, "memorability": 0.7}).to_csv(tmp_path / "scores.csv", index=False)
    return ["--images", tmp_path / "images", "--scores", tmp_path / "scores.csv"]


def refused(monkeypatch: pytest.MonkeyPatch, capsys, command, *arguments: object) -> str:
    assert exit_code(monkeypatch, command, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_sweep_tells_before_anything_is_measured(monkeypatch, capsys, images, tmp_path) -> None:
    out = tmp_path / "out"
    line = refused(monkeypatch, capsys, sweep, *images, "--out", out)
    assert "scores of data set folder: all 12 are 0.7" in line
    assert "metric" not in line
    assert not list(out.glob("features*"))
    with pytest.raises(InputError, match="all 12 are"):
        memjax.sweep(memjax.open_folder(images[1], images[3]), "memjax/tiny", progress=False)


@pytest.mark.parametrize("command", [baselines, saes])
def test_a_store_of_constant_scores(monkeypatch, capsys, command, tmp_path) -> None:
    store = make_store(tmp_path / "sweep", score=-3.0)
    line = refused(monkeypatch, capsys, command, "--features", store, "--out", tmp_path / "out")
    assert "scores in" in line
    assert "all 29 are -3" in line


def test_vgg_is_not_even_read(monkeypatch, capsys, images, tmp_path) -> None:
    arguments = ["--vgg", tmp_path / "none.safetensors", *images, "--out", tmp_path / "out"]
    assert "all 12 are 0.7" in refused(monkeypatch, capsys, baselines, *arguments)


def test_the_paper_on_ones_own_features(monkeypatch, capsys, tmp_path) -> None:
    store = make_store(tmp_path / "sweep", score=0.25)
    measures = {"cls_mean": np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)}
    from memjax.store import add_metrics, store_place

    add_metrics(store_place(store.parent), "enc", measures, "{}")
    line = refused(monkeypatch, capsys, paper, "--features", store, "--out", tmp_path / "out")
    assert "all 30 are 0.25" in line


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.lists(st.sampled_from([np.nan, np.inf]), max_size=3),
    st.integers(2, 5),
)
def test_one_value_is_refused_whatever_is_missing(value: float, missing: list[float], times: int) -> None:
    with pytest.raises(InputError, match="does not vary") as told:
        check_scores_vary(np.array([*missing, *[value] * times]))
    assert "\n" not in str(told.value)
    check_scores_vary(np.array([*missing, value]))  # one score is too few to say so
    check_scores_vary(np.array([*missing, value, np.nextafter(value, np.inf)]))


def test_the_analysis_refuses_what_is_left_of_them() -> None:
    y = np.full(40, 0.5)
    y[0] = np.nan
    with pytest.raises(InputError, match="all 39 are"):
        analyse({"m": {"a": np.random.default_rng(0).normal(size=(40, 2))}}, y)
