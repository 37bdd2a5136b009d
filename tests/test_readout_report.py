"""The readout as tables, figures and a section of the page; the words for a ceiling and for an autoencoder's metrics."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from memjax.checks import InputError
from memjax.report import readout as show
from memjax.report.labels import SAE_SCORES, ceiling_words, metric_label, share
from memjax.report.page import Section
from memjax.stats.readouts import ALL, readout_table, readouts, weight_table
from memjax.stats.reliability import Reliability
from memjax.stats.repeats import ReadoutSettings
from memjax.stats.table import correlation_table, stack
from tests import fake_run

N = 120
QUICK = ReadoutSettings(folds=3, repeats=2, permutations=99)
NINE = Reliability(0.68)


@pytest.fixture
def tables(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two encoders: what the score is made of lies half in each."""
    parts = rng.normal(size=(N, 2))
    scores = parts.sum(axis=1) + 0.3 * rng.normal(size=N)
    noise = rng.normal(size=(N, 3))
    measures = {
        "one": {"cls_mean": np.column_stack([np.full(N, np.nan), parts[:, 0], noise[:, 0]])},
        "two": {"cls_mean": np.column_stack([noise[:, 1], parts[:, 1], np.ones(N)]), "mae_loss": noise[:, 2:]},
    }
    columns = stack(measures)
    found = readouts(columns, scores, settings=QUICK)
    assert list(found) == ["one", "two", ALL]
    table = correlation_table(columns, scores, n_boot=20)
    return readout_table(found, table, NINE), weight_table(found, columns)


def test_all_encoders_together_pass_each_of_them(tables) -> None:
    rows, weights = tables
    rho = rows.set_index("model")["rho"]
    assert rho[ALL] > max(rho["one"], rho["two"]) + 0.15
    assert rows["columns"].tolist() == [2, 3, 5]
    np.testing.assert_allclose(rows["rho_over_ceiling"], rows["rho"] / NINE.ceiling)
    np.testing.assert_allclose(rows["best_single_over_ceiling"], rows["best_single_rho"] / NINE.ceiling)
    assert rows["best_single"].str.contains("cls_mean, layer 1").all()
    assert rows["best_single"].iloc[-1].endswith((", one", ", two"))
    used = weights.dropna(subset="weight")
    assert len(used) == 5
    assert set(used.nlargest(2, "importance")["model"]) == {"one", "two"}


def test_no_ceiling_no_share(tables, rng: np.random.Generator) -> None:
    columns, scores = stack({"one": {"cls_mean": rng.normal(size=(40, 2))}}), rng.normal(size=40)
    found = readouts(columns, scores, settings=QUICK)
    rows = readout_table(found, correlation_table(columns, scores, n_boot=0))
    assert not {"ceiling", "rho_over_ceiling"} & set(rows)
    assert "ceiling" not in show.sentences(rows, None)[0]


def test_of_many_encoders_the_largest_is_told_and_shown(tables) -> None:
    """The page stays short and small; every encoder's maps are files."""
    rows, weights = tables
    rho = {"a": 0.2, "b": 0.4, "c": np.nan, "d": 0.1}
    many = pd.concat([*(rows[:1].assign(model=name, rho=value) for name, value in rho.items()), rows[-1:]])
    parts = [weights[weights["model"] == "one"].assign(model=name) for name in rho]
    section = show.readout_section(many, pd.concat(parts), fake_run.CONTEXT, "Folds at random.")
    assert set(section.figures) == {"readout", "readout_weights_b", "readout_importance_b"}
    assert {f"readout_weights_{name}" for name in rho} < set(section.files)
    assert "The maps are b's; figures/ has those of every encoder." in section.paragraphs
    said = show.sentences(many, None)
    assert [part.split(":")[0] for part in said[::2]] == [
        "Cross-validated readout, b",
        f"Cross-validated readout, {ALL}",
    ]
    assert said[1].startswith("It is the largest of 4 encoders' readouts")
    assert said[1].endswith("the others have ρ = +0.100 to +0.200.")


def test_section_has_figures_for_every_encoder(tables) -> None:
    part = show.readout_section(*tables, fake_run.CONTEXT, "Folds at random.")
    assert isinstance(part, Section)
    wanted = {"readout", *(f"readout_{kind}_{model}" for kind in ("weights", "importance") for model in ("one", "two"))}
    assert set(part.figures) == wanted
    assert "Folds at random." in part.paragraphs
    said = show.sentences(tables[0], fake_run.CONTEXT.ceiling)
    assert f"{100 * tables[0]['rho'].iloc[0] / 0.936:.0f}" in said[0]
    assert not set(said) & set(part.paragraphs), "they stand once, in the page's lead"
    assert part.table is not None
    assert part.table.iloc[0]["metric"] == "Mean activation of the cls token"


def test_figure_shows_rho_and_ceiling(tables) -> None:
    axes = show.readout_beside(tables[0], fake_run.CONTEXT).axes[0]
    drawn = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines]
    for value in (*tables[0]["rho"], *tables[0]["best_single_rho"].abs(), np.sqrt(2 * 0.779 / 1.779)):
        assert any(x == pytest.approx(value) for x in drawn)


def test_maps_refuse_what_is_not_there(tables) -> None:
    with pytest.raises(InputError, match="rows of other"):
        show.layer_map(tables[1], "other")
    with pytest.raises(InputError, match="weights or importance"):
        show.layer_map(tables[1], "one", "size")
    with pytest.raises(InputError, match="at least one readout"):
        show.readout_beside(tables[0][:0])


def test_ceiling_in_words() -> None:
    text = ceiling_words(dataclasses.replace(fake_run.CEILING, source="published half-splits"), "pearson")
    for part in ("Pearson's r = +0.779", "published half-splits", "0.876", "0.936", "1.20 times"):
        assert part in text, part
    assert "does not exist" in ceiling_words(Reliability(-0.1))
    assert share(0.3, Reliability(0.0)) == "–"


def test_autoencoder_metrics_are_words() -> None:
    for score, label in SAE_SCORES.items():
        assert metric_label(f"sae_{score}") == (f"{label.title}, sparse autoencoder", label.unit)
        assert metric_label(f"sae_jumprelu_{score}").title == f"{label.title}, JumpReLU sparse autoencoder"
    for unknown in ("sae_other", "sae_topk_other", "sae_none_error", "other_error"):
        assert metric_label(unknown) == (unknown, "")
