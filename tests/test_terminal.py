"""What a sweep says in the terminal: how many tests survive, which columns are constant, no number broken at the edge."""

import re

import pandas as pd
import pytest
from rich.console import Console

from memjax.cli import console, encoders
from memjax.cli.console import broken
from memjax.cli.terminal import strongest_of_each, survivors, title_of, without_correlation
from tests import fake_run
from tests.command import exit_code

NUMBER = re.compile(r"[-+]?\d+\.\d+|[-+]\d+")
SENTENCE = (
    "readout of facebook/dinov2-base, cross-validated, 1,234 columns: rho +0.480 [+0.370, +0.577], rho / ceiling 0.612; best "
    "single measure -0.366, p < 0.0001 corrected for all 39 correlations of layer 11, q = 0.012"
)


@pytest.mark.parametrize("width", range(20, 130, 7))
def test_a_sentence_breaks_between_words_only(width: int) -> None:
    lines = broken(SENTENCE, width)
    assert " ".join(line.strip() for line in lines) == SENTENCE
    assert max(map(len, lines)) <= max(width, 24)
    for whole in ("[+0.370, +0.577]", "rho +0.480", "p < 0.0001", "q = 0.012", "layer 11"):
        assert any(whole in line for line in lines), (whole, lines)


def test_a_path_is_never_broken() -> None:
    path = "/a/long/folder-with-hyphens/and more-of-it/" * 3
    assert "/a/long/folder-with-hyphens/and" in " ".join(broken(f"report: {path}", 20))


def shown(table: pd.DataFrame, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    terminal = Console(force_terminal=True, width=width, color_system=None, highlight=False)
    monkeypatch.setattr(console, "CONSOLE", terminal)
    with terminal.capture() as caught:
        terminal.print(strongest_of_each(table, fake_run.RUN))
    return caught.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_number_of_the_table_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = fake_run.table()
    lines = shown(table, width, monkeypatch)
    assert max(map(len, lines)) <= width
    known = table.dropna(subset="rho")
    best = known.loc[known.groupby(["model", "metric"])["rho"].apply(lambda rho: rho.abs().idxmax())]
    told = " ".join(lines)
    for row in best.to_dict("records"):
        assert f"{row['rho']:+.3f}" in told
        assert f"{row['ci_low']:+.2f} to {row['ci_high']:+.2f}" in told
        assert ("< 0.001" if row["q"] < 0.001 else f"{row['q']:.3f}") in told


def test_names_are_whole_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    table = fake_run.table()
    lines = shown(table, 80, monkeypatch)
    assert all(any(f" {metric} " in f" {line} " for line in lines) for metric in table.dropna()["metric"].unique())
    assert "…" not in "".join(lines)


def test_a_table_for_another_program_is_not_squeezed(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert exit_code(monkeypatch, encoders) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "openai/clip-vit-large-patch14-336" in line)
    assert row.split()[1:6] == ["24", "1024", "16", "14", "336"]
    assert "Radford et al. 2021" in row


def test_what_is_of_a_whole_image_is_at_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"model": "m", "rho": 0.3, "ci_low": 0.1, "ci_high": 0.5, "p": 0.01, "q": 0.01, "n": 90, "layer": 12}
    rows = pd.DataFrame([{**one, "metric": "delta_total"}, {**one, "metric": "cls_mean"}])
    lines = shown(rows, 80, monkeypatch)
    (whole,) = (line for line in lines if "delta_total" in line)
    (of_layer,) = (line for line in lines if "cls_mean" in line)
    assert " 12 " not in whole
    assert " 12 " in of_layer


def test_how_many_survive_and_what_q_is() -> None:
    table = pd.DataFrame(
        {"rho": [0.4, 0.3, 0.1, float("nan")], "q": [0.01, 0.04, 0.3, float("nan")], "n": 90, "model": "m"}
    )
    said = survivors(table)
    assert said.startswith(
        "3 correlations tested, 2 have q < 0.05 (q is p corrected for the whole table, Benjamini-Hochberg"
    )
    assert "5 % at most are expected to be chance" in said
    assert title_of(table, fake_run.RUN).startswith("Strongest layer of each metric, m, n = 90")


def test_constant_columns_are_named() -> None:
    rows = pd.DataFrame({"model": ["a", "a", "b"], "metric": ["cls_mean", "cls_mean", "mae_loss"], "layer": [0, 2, 12]})
    assert without_correlation(rows).endswith("cls_mean (layer 0, 2) of a, mae_loss of b")
    assert without_correlation(rows.iloc[:2]).endswith("undefined: cls_mean (layer 0, 2)")
