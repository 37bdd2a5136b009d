"""The page of trained autoencoders: what it says is what the tables hold; the figure's band is that of the intervals."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from memjax.outputs import read_run
from memjax.pipelines.sae_report import told_by_epoch
from memjax.pipelines.sae_settings import SAESettings
from memjax.pipelines.sae_tables import seeds_by_epoch, with_q
from memjax.pipelines.saes import SAEResult, train_saes
from memjax.report.epochs import rho_by_epoch
from memjax.report.labels import Context, interval_text, signed
from memjax.report.saes import epochs_section, sae_headline, sae_notes, sae_sentences
from tests.fake_store import N, make_store
from tests.page_words import words

TEMPORARY = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
SMALL = SAESettings(
    protocol="modern", variant="topk", latents=8, epochs=2, folds=3, seeds=(0, 1), batch_size=4, bootstraps=20
)


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> SAEResult:
    folder = tmp_path_factory.mktemp("saes")
    store = make_store(folder / "sweep")
    (store.parent / "failures.csv").write_text("image,stage,error\ni3,decode,broken off\n")
    return train_saes(store.parent, SMALL, folder / "out", progress=False)


def test_the_page_says_what_the_tables_hold(result):
    text = words(result.report)
    assert result.report == result.out / "report.html"
    assert {"report.html", "figures/sae_rho_by_layer.png", "figures/sae_rho_by_epoch.pdf"} <= set(
        read_run(result.out).outputs
    )
    errors = result.by_layer[result.by_layer["metric"] == "sae_topk_error"]
    for row in errors.to_dict("records"):
        assert signed(row["rho"]) in text
        assert interval_text(row["given_ci_low"], row["given_ci_high"], row["n"]) in text
    assert "12 autoencoders of TopK (Gao et al. 2024, arXiv 2406.04093), 6 to 8 latents, of the cls vectors" in text
    assert "out of sample" in text
    assert "broken off" in text, "an image that the sweep could not use"
    assert f"of {N - 1} images: 2 epochs in batches of 4" in text
    assert "Takmaz" in text, "the paper is cited"
    assert "protocol modern" in text, "provenance"


def test_few_images_make_no_claim(result):
    assert f"{N - 1} images allow no claim" in words(result.report)
    assert sae_sentences(result.by_layer, result.by_epoch) == []


def many(table: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """A table as if it were of more images."""
    return table.assign(n=400, **changes)


@pytest.mark.parametrize(
    ("rho", "low", "q", "said"),
    [
        (0.3, 0.2, 0.001, "badly are more memorable (the strongest of 2 layers): Spearman's ρ = +0.300"),
        (-0.3, -0.4, 0.001, "badly are less memorable (the strongest of 2 layers)"),
        (0.3, 0.2, 0.2, "is not clearly related to memorability"),
        (0.3, -0.1, 0.001, "is not clearly related to memorability"),
        (np.nan, np.nan, np.nan, "No correlation could be computed"),
    ],
)
def test_the_headline_claims_no_more_than_the_tests_allow(result, rho, low, q, said):
    table = many(result.by_layer, rho=rho, ci_low=low, ci_high=low + 0.2, q=q)
    assert said in sae_headline(table, Context())


def test_what_seeds_and_the_length_of_vectors_leave(result):
    table = many(result.by_layer)
    given, seeds = sae_sentences(table, result.by_epoch)
    errors = table[table["metric"] == "sae_topk_error"]
    best = errors.loc[errors["rho"].abs().idxmax()]
    assert signed(best["rho_given_length"]) in given
    own = result.by_epoch.query("epoch == 2 and space == 'standardised' and layer == @best.layer")["rho"]
    assert f"over 2 seeds; the seeds' own ρ go from {signed(own.min())} to {signed(own.max())}" in seeds


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SAESettings(), "that were trained on it"),
        (SAESettings(protocol="paper-split"), "Four fifths"),
        (SAESettings(folds=3), None),
    ],
)
def test_who_scored_an_image_is_said(result, settings, said):
    notes = " ".join(sae_notes(many(result.by_layer), settings.scored, synthetic=False))
    assert (said in notes) if said else ("trained on" not in notes)
    assert "q is Benjamini-Hochberg over the layers" in notes


def test_the_band_is_that_of_the_intervals(result):
    rows = seeds_by_epoch(result.by_epoch, 2)
    seeds = result.by_epoch.query("layer == 2 and space == 'standardised' and epoch == 1")
    first = rows.iloc[0]
    assert (first["ci_low"], first["lowest"], first["seeds"]) == (seeds["ci_low"].mean(), seeds["rho"].min(), 2)
    figure = rho_by_epoch(rows)
    band = next(one for one in figure.axes[0].collections if isinstance(one, PolyCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    mine = rows[rows["model"] == rows["model"].iloc[0]]
    assert (heights.min(), heights.max()) == (mine["ci_low"].min(), mine["ci_high"].max())
    assert "band: 95 % interval over images" in figure.axes[0].get_title(loc="left")
    assert "lowest to the highest seed" in figure.get_label()
    plain = rho_by_epoch(rows.drop(columns=["ci_low", "ci_high"]))
    assert plain.axes[0].get_title(loc="left") == "", "where no interval is known the band is that of the seeds"


def test_of_many_epochs_a_few_and_the_last_are_listed(result):
    last = result.by_epoch.query("epoch == 2")
    several = pd.concat([last.assign(epoch=epoch) for epoch in range(1, 33)])
    shown = epochs_section(several).table
    assert sorted(set(shown["epoch"])) == [4, 8, 12, 16, 20, 24, 28, 32]


def test_q_is_over_the_layers_of_a_score():
    table = pd.DataFrame({"metric": ["a", "a", "b"], "p": [0.01, 0.04, 0.5], "n": 9})
    assert with_q(table)["q"].tolist() == pytest.approx([0.02, 0.04, 0.5])
    assert with_q(table).columns.tolist() == ["metric", "p", "q", "n"]


def test_each_epoch_has_its_own_time(capsys, monkeypatch):
    clock = iter([10.0, 40.0, 40.5, 41.5])
    monkeypatch.setattr("memjax.pipelines.sae_report.time.perf_counter", lambda: next(clock))
    told = told_by_epoch(1)
    for epoch in (2, 3, 4):
        told(epoch, 4, 0.5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 epoch was trained before"
    assert [re.search(r"([\d.]+) s", line)[1] for line in lines[1:]] == ["30.0", "0.5", "1.0"]
    assert ["compiling included" in line for line in lines[1:]] == [True, False, False]
