"""What is said of few images, of the strongest correlation, and of those that it cannot be told from: page, figures, terminal."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from memjax.cli.terminal import show_strongest, strongest_of_each
from memjax.outputs import DatasetRecord, Run
from memjax.report.figures import overview, rho_by_layer
from memjax.report.headline import best_row, caveats, claimed_row, headline
from memjax.report.heads import rho_by_head
from memjax.report.labels import Context, interval_text
from memjax.report.notebook import run_html
from memjax.report.page import Page, write_report
from memjax.report.strongest import family_sentence, rivals_sentence
from memjax.stats.strongest import FEWEST, Strongest
from memjax.stats.table import correlation_table, stack
from tests import fake_run

FOUND = Strongest("m", "a", 0, 0.8, 60, 2, 0.0002, 60, 10_000, 0)


def table_of(n: int, metric: str = "a", layers: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    y = rng.normal(size=n)
    x = y[:, None] * 3.0 + rng.normal(size=(n, layers))
    return correlation_table(stack({"m": {metric: x}}), y, n_boot=60)


def page_of(folder, table: pd.DataFrame) -> str:
    ids = [f"i{j}" for j in range(5)]
    features = {"m": fake_run.features(ids)[fake_run.MODELS[0]].rename({"cls_mean": "a"})}
    page = Page(Run(DatasetRecord("few")), table, Context(), fake_run.FAILURES[:0], features)
    write_report(folder / "report.html", page)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("n", [3, 5, 9, 10, FEWEST - 1])
def test_few_images_have_no_headline_and_marked_intervals(tmp_path, n: int) -> None:
    table = table_of(n)
    assert headline(table, Context()).startswith(f"{n} images allow no claim")
    assert claimed_row(table) is None
    notes = " ".join(caveats(table, synthetic=False))
    assert f"{n} images are too few" in notes
    assert ("random orders" if n > 9 else "all ") in notes
    assert "strongest one was chosen" not in notes
    text = page_of(tmp_path, table)
    assert "Images at the extremes" not in text
    marked = text.count("] †")
    assert marked == int(table["ci_low"].notna().sum())
    assert ("†" in text) is bool(marked)


def test_enough_images_have_both(tmp_path) -> None:
    table = table_of(FEWEST)
    assert "is the strongest single correlate" in headline(table, Context())
    text = page_of(tmp_path, table)
    assert "Images at the extremes" in text
    assert "†" not in text


def test_a_correlation_of_few_images_is_not_named_before_one_of_many() -> None:
    table = table_of(60)
    few = table.iloc[:1].assign(layer=7, rho=0.999, n=12)
    whole = pd.concat([few, table], ignore_index=True)
    assert best_row(whole)["layer"] != 7
    assert "at layer 7" not in headline(whole, Context())
    assert any("1 correlations are of fewer than 30 images" in note for note in caveats(whole, synthetic=False))
    assert best_row(few)["layer"] == 7
    assert "Strongest in m: layer 7" not in rho_by_layer(whole, "a").get_label()


def test_all_constant_and_few_says_that_there_are_few() -> None:
    table = table_of(6).assign(rho=np.nan, ci_low=np.nan, ci_high=np.nan, p=np.nan, q=np.nan)
    assert headline(table, Context()).startswith("6 images allow no claim")


@pytest.mark.parametrize("n", [12, 60])
def test_figures_claim_no_more_than_the_page(n: int) -> None:
    table = table_of(n)
    caption, whole = rho_by_layer(table, "a").get_label(), overview(table).get_label()
    heads = rho_by_head(table.assign(metric="x_head_0"), "x_head").get_label()
    few = n < FEWEST
    assert ("images allow no claim" in caption) is few
    assert ("bootstrap interval" in whole) is not few
    for text in (caption, heads):
        assert ("Strongest" in text) is not few


def test_the_headline_needs_the_corrected_p() -> None:
    table = table_of(60)
    sentence = headline(table, Context(), FOUND).replace("\xa0", " ")
    assert "(a) at layer 0 of m is the strongest single correlate" in sentence, (
        "the one that was tested, not the largest"
    )
    assert "p = 0.0002 corrected for all 2 correlations" in sentence
    weak = dataclasses.replace(FOUND, p_family=0.2)
    assert headline(table, Context(), weak).startswith("No metric is clearly related")
    some = dataclasses.replace(FOUND, unsettled=1)
    assert headline(table, Context(), some).endswith("; 1 other cannot be told from it.")
    assert "has the largest correlation" in headline(table, Context(), some)


def test_kendall_is_told_plainly() -> None:
    kendall = dataclasses.replace(FOUND, p_family=None, permutations=0)
    assert "Kendall's tau has no max-statistic permutation here" in family_sentence(kendall, "kendall")
    assert "Only 12 images" in family_sentence(dataclasses.replace(kendall, images=12), "spearman")
    assert "corrected" not in headline(table_of(60), Context("kendall"), kendall)
    assert any("Kendall's tau has no" in note for note in caveats(table_of(60), False, kendall, "kendall"))


def test_the_other_forms_of_the_sentences() -> None:
    assert "normal limit" in family_sentence(dataclasses.replace(FOUND, permutations=0), "spearman")
    assert "over the 40 images" in family_sentence(dataclasses.replace(FOUND, images=40), "spearman")
    assert "no other" in rivals_sentence(dataclasses.replace(FOUND, correlations=1))
    assert "Each of the other 1" in rivals_sentence(FOUND)
    several = dataclasses.replace(FOUND, correlations=152, unsettled=9)
    assert "9 of the other 151 correlations cannot be told" in rivals_sentence(several)
    assert "among these 10" in rivals_sentence(several)
    assert interval_text(np.nan, np.nan, 4) == "[–, –]"


def test_terminal_and_notebook_say_the_same(capsys) -> None:
    few, many = table_of(11), table_of(60)
    show_strongest(few, Run(DatasetRecord("few")))
    said = capsys.readouterr().out
    assert "11 images allow no claim" in said
    assert "†" in said
    show_strongest(many, Run(DatasetRecord("many"), strongest=FOUND))
    said = capsys.readouterr().out
    assert "largest of 2: a, layer 0, m: +0.800, p = 0.0002 corrected for all 2 correlations" in said
    assert rivals_sentence(FOUND) in said
    cells = [cell for column in strongest_of_each(few, Run(DatasetRecord("few"))).columns for cell in column.cells]
    assert any("†" in str(cell) for cell in cells)
    shown = run_html("few", few, Context())
    assert "11 images allow no claim" in shown
    assert "†" in shown
    assert "corrected for all 2" in run_html("many", many, Context(), (), FOUND)
