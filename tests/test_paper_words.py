"""The reproduction in words: what is called strongest, what was picked, what is in sample, where the ceiling is from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import memjax
from memjax.paper import headline, tables
from memjax.paper.disagreements import CORRECTED, HITS, disagreements
from memjax.paper.inputs import dealt_consistency
from memjax.paper.page import found_words, shown_table
from memjax.paper.released import Released, read_memcat
from memjax.paper.settings import PaperSettings, PaperSources
from memjax.pipelines.sae_settings import SAESettings
from memjax.report.labels import Context, is_per_image, place_words
from memjax.report.seen import seen_words, trained_on_them
from memjax.stats.readouts import readout_table, readouts
from memjax.stats.reliability import Reliability
from memjax.stats.repeats import ReadoutSettings
from memjax.stats.table import correlation_table, stack
from memjax.store import open_features
from tests.fake_store import make_store


def row(model: str, metric: str, layer: int, rho: float) -> dict[str, object]:
    ends = {"ci_low": rho - 0.05, "ci_high": rho + 0.05}
    return {"model": model, "metric": metric, "layer": layer, "rho": rho, **ends, "p": 1e-9, "q": 1e-8, "n": 500}


@pytest.mark.parametrize(
    ("rows", "named", "not_named"),
    [
        (
            [("E", "cls_mean", 3, 0.2), ("E SAE", "sae_latent_magnitude", 12, 0.7)],
            "(cls_mean) at layer 3 of E",
            "0.700",
        ),
        ([("E", "cls_mean", 3, 0.2), ("E", "delta_total", 12, -0.4)], "(delta_total) of E", "at layer"),
        ([("M", "mae_loss", 12, 0.5), ("E", "cls_mean", 0, 0.3)], "(mae_loss) of M", "at layer"),
        (
            [("E", "patch_uniformity", 0, -0.5), ("E", "cls_mean", 9, 0.1)],
            "(patch_uniformity) at layer 0 of E",
            "0.100",
        ),
    ],
)
def test_the_headline_names_what_nobody_picked_and_no_layer_where_there_is_none(rows, named, not_named):
    said = headline.opening(pd.DataFrame([row(*one) for one in rows]), Context())
    assert named in said
    assert not_named not in said


def test_the_picked_measure_and_the_loss_have_sentences_of_their_own():
    table = pd.DataFrame([row("E", "cls_mean", 3, 0.2), row("E SAE", "sae_latent_magnitude", 12, 0.7)])
    sae = tables.sae_table({"E": np.array([[0.1, 0.3], [0.4, 0.8]])})
    first, loss, picked = found_words({"correlations": table, "sae_epochs": sae}, Reliability(0.6))
    assert first.startswith("Of measures that were not picked by their correlation")
    assert (
        "E: Spearman's ρ = +0.600, 69\N{NO-BREAK SPACE}% of the human ceiling, mean over 2 seeds after epoch 2" in loss
    )
    assert "(SD 0.200, best run +0.800)" in loss
    assert "were trained on" in loss
    assert "(sae_latent_magnitude) of E SAE: Spearman's ρ = +0.700" in picked
    assert "picked by the scores" in picked
    assert "largest of 1 correlations" in " ".join(headline.notes(table)), (
        "the picked one is not counted among the others"
    )
    assert headline.findings(table[:1], None, Context()) == []


def test_no_correlation_at_all_is_said():
    table = pd.DataFrame([row("E", "cls_mean", 3, np.nan)])
    assert headline.opening(table, Context()).startswith("No correlation could be computed")


def test_measures_of_the_whole_image_show_no_layer():
    shown = shown_table(
        pd.DataFrame([row("E", "cls_mean", 0, 0.2), row("E", "delta_total", 12, 0.2), row("E", "x", -1, 1)])
    )
    assert shown["layer"].isna().tolist() == [False, True, True]
    assert [is_per_image(name) for name in ("mae_loss", "sae_error", "sae_latent_magnitude")] == [True, False, True]
    assert place_words("E", "sae_error", np.int64(7)) == "at layer 7 of E"


def test_released_measures_of_the_whole_image_stand_at_the_last_layer():
    values = np.arange(4.0)
    released = Released({"CLIP": {"cls_mean": np.zeros((4, 7))}}, {}, {"CLIP": values}, {"large": values}, ())
    found = stack(tables.per_image_measures(released))
    assert found.keys["layer"].tolist() == [24, 6]
    np.testing.assert_array_equal(found.values, np.stack([values, values], axis=1))


def test_the_best_single_measure_of_all_encoders_is_one_of_the_readouts(rng):
    """A baseline that is correlated beside the encoders, and read out of nothing, is no measure of theirs."""
    y = rng.normal(size=80)
    own = {name: {"cls_mean": y[:, None] + 3 * rng.normal(size=(80, 2))} for name in ("A", "B")}
    table = correlation_table(stack({**own, "baseline": {"mae_loss": y[:, None]}}), y, n_boot=0)
    found = readouts(stack(own), y, settings=ReadoutSettings(folds=3, repeats=1, permutations=0, shuffles=0))
    singles = readout_table(found, table).set_index("model")
    best = table[table["model"] != "baseline"]["rho"].abs().max()
    assert singles.loc["all encoders", "best_single"].endswith((", A", ", B"))
    assert abs(singles.loc["all encoders", "best_single_rho"]) == best


def test_autoencoders_that_saw_the_images_are_named(tmp_path):
    store = make_store(tmp_path / "sweep")
    assert seen_words(open_features(store)) == []
    few = {"epochs": 1, "seeds": (0,), "bootstraps": 5}
    for name, settings in (("in", SAESettings(**few)), ("out", SAESettings(folds=2, **few))):
        memjax.train_saes(store, settings, tmp_path / name, progress=False)
    features = open_features(store)
    named = trained_on_them(features)
    assert "sae_error" in named
    assert not [name for name in named if "unseen" in name]
    (said,) = seen_words(features)
    assert "sae_error" in said
    assert "only the score is unseen" in said


def test_autoencoders_of_four_fifths_saw_the_images_too():
    made = {
        "one": '{"sae": {}, "folds": 5, "protocol": "paper-split"}',
        "two": '{"sae": {}, "folds": 5}',
        "three": '{"folds": 1}',
    }
    values = {
        name: xr.DataArray(np.zeros((3, 2)), dims=("image", "layer"), attrs={"made_by": said})
        for name, said in made.items()
    }
    assert trained_on_them({"m": xr.Dataset(values)}) == ["one"], "and what no autoencoder made is none"


def test_the_two_ways_to_deal_responses(rng):
    responses = rng.integers(50, 90, size=300)
    rate = rng.uniform(0.3, 0.95, size=300)
    hits, alarms = rng.binomial(responses, rate), rng.binomial(responses, rng.uniform(0.0, 0.3, size=300))
    scores = pd.DataFrame({"hits": hits, "responses": responses, "false_alarms": alarms})
    dealt = dealt_consistency(scores, seed=1)
    assert dealt is not None
    assert set(dealt) == {HITS, CORRECTED}
    none = dealt_consistency(scores.assign(false_alarms=0), seed=1)
    assert none is not None
    assert none[CORRECTED] == pytest.approx(none[HITS], abs=0.01), "without false alarms the two are one"
    assert dealt_consistency(scores.drop(columns="hits"), seed=1) is None
    table = pd.DataFrame([row("E", "attention_entropy", 3, 0.2)])
    said = " ".join(disagreements(table, {}, {HITS: 0.7771, CORRECTED: 0.7449}, released=True))
    assert "0.777 by hits alone" in said
    assert "0.745 with false alarms taken off" in said
    assert "Bagheri & Mohsenzadeh 2024 did measure MemCat" in said


@pytest.mark.slow
def test_the_words_of_the_released_files(memvis_dir: Path, memcat_csv: Path) -> None:
    settings = PaperSettings(bootstraps=20, folds=0)
    found = memjax.reproduce_paper(PaperSources(memvis=memvis_dir, memcat=memcat_csv), settings=settings)
    first, loss, picked = found_words(found.tables, found.ceiling)
    assert "(cls_mean) at layer 1 of CLIP: Spearman's ρ = +0.360" in first
    assert "CLIP: Spearman's ρ = +0.556" in loss
    assert "(sae_latent_magnitude) of CLIP SAE: Spearman's ρ = +0.410" in picked
    page = found.report.read_text(encoding="utf-8")
    assert "at layer 0 of CLIP SAE" not in page
    dealt = dealt_consistency(read_memcat(memcat_csv), seed=0)
    assert dealt is not None
    assert (round(dealt[HITS], 3), round(dealt[CORRECTED], 3)) == (0.777, 0.745)
