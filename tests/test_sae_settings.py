"""Settings of autoencoders are honoured or refused; the authors' two regimes, with and without images left out."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import memjax
from memjax import sae
from memjax.checks import InputError
from memjax.pipelines.sae_settings import SAESettings
from memjax.report.labels import metric_label
from memjax.sae.folds import k_folds
from memjax.sae.grid import grid_of
from memjax.sae.stream import in_memory
from memjax.store import open_features
from tests.fake_store import N, make_store

FEW = {"epochs": 1, "seeds": (0, 1), "bootstraps": 20}
OF_PROTOCOL = {"paper": (1, 1e-4, 5, 100), "paper-split": (4, 5e-4, 5, 100), "modern": (5, 1e-3, 20, 256)}
"""Batch size (of ten images, at most half), learning rate, epochs, latents."""


def preset_of(settings: SAESettings) -> sae.SAEPreset:
    images = in_memory(np.zeros((1, 10, 7), np.float32))
    grid = grid_of(images, 1, settings.chosen_seeds, settings.chosen_folds, settings.parts)
    return settings.preset(7, grid.stream(images))


@pytest.mark.parametrize("protocol", OF_PROTOCOL)
def test_what_is_left_out_is_the_protocols_own(protocol):
    preset = preset_of(SAESettings(protocol=protocol, folds=2 if protocol == "modern" else None))
    found = preset.fit.batch_size, preset.learning_rate, preset.fit.epochs, preset.sae.latents
    assert found == OF_PROTOCOL[protocol]


@pytest.mark.parametrize("protocol", OF_PROTOCOL)
@pytest.mark.parametrize(
    ("name", "value"), [("latents", 9), ("batch_size", 3), ("learning_rate", 0.25), ("epochs", 7), ("sparsity", 0.5)]
)
def test_what_is_given_is_honoured_under_every_protocol(protocol, name, value):
    preset = preset_of(SAESettings(protocol=protocol, **{name: value}))
    place = {"latents": preset.sae, "learning_rate": preset, "sparsity": preset}.get(name, preset.fit)
    assert getattr(place, name) == value


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"protocol": "paper", "variant": "topk"}, "variant"),
        ({"variant": "batchtopk"}, "variant"),
        ({"protocol": "paper-split", "variant": "relu"}, "variant"),
        ({"protocol": "paper-split", "folds": 5}, "folds"),
        ({"protocol": "paper", "folds": 1}, "folds"),
    ],
)
def test_what_a_protocol_does_not_have_is_refused(given, argument):
    with pytest.raises(InputError) as caught:
        SAESettings(**given)
    assert caught.value.argument == argument
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "prefix", "title"),
    [
        ({}, "sae", "sparse autoencoder"),
        ({"folds": 3}, "sae_unseen", "without the image"),
        ({"protocol": "paper-split", "token": "pooled"}, "sae_split_pooled", "of pooled output"),
        ({"token": "mean"}, "sae_mean", "of mean token"),
        ({"protocol": "modern", "token": "patches"}, "sae_batchtopk_patches", "of patches, BatchTopK"),
    ],
)
def test_each_has_names_and_titles_of_its_own(given, prefix, title):
    settings = SAESettings(**given)
    assert settings.prefix == prefix
    assert title in metric_label(f"{prefix}_error").title


def test_the_paper_protocol_out_of_sample(tmp_path):
    """Each image by the autoencoder that left it out; what the folder of the store then has is named apart."""
    store = make_store(tmp_path / "sweep")
    inside = memjax.train_saes(store, SAESettings(**FEW), tmp_path / "inside", progress=False)
    outside = memjax.train_saes(store, SAESettings(folds=3, **FEW), tmp_path / "outside", progress=False)
    assert (len(inside.saes), len(outside.saes)) == (2, 6)
    scores = open_features(store)["enc"]
    assert {"sae_error", "sae_unseen_error"} <= set(scores)
    assert not np.allclose(scores["sae_error"].values, scores["sae_unseen_error"].values, equal_nan=True)
    raw, fold = np.delete(scores["cls"].sel(layer=2).values, 3, axis=0), k_folds(N - 1, 3)
    mine = np.zeros((2, N - 1))
    for one in outside.saes:
        held = fold == one.fold
        x = sae.standardise(one.standardiser, jnp.asarray(raw[held]))
        mine[one.seed, held] = sae.score_images(one.params, one.state, x, one.config).error
    np.testing.assert_allclose(outside.scores["sae_unseen_error"].sel(layer=2), mine.mean(axis=0), rtol=1e-4)
    row = outside.by_layer.set_index("metric").loc["sae_unseen_error"]
    last = outside.by_epoch.query("space == 'standardised'")
    assert row["mean_rho_over_seeds"] == pytest.approx(last["rho"].mean())
    assert outside.by_layer.set_index("metric").loc["sae_unseen_l0"].isna()["mean_rho_over_seeds"]


def test_the_split_trains_on_four_fifths_and_scores_all(tmp_path):
    store = make_store(tmp_path / "sweep")
    settings = SAESettings(protocol="paper-split", **FEW)
    found = memjax.train_saes(store, settings, tmp_path / "out", progress=False)
    assert len(found.saes) == 2
    assert found.scores["sae_split_error"].notnull().all()
    assert found.by_epoch["n"].eq(N - 1).all()
    assert (found.run.settings["parts"], found.run.settings["folds"]) == (5, 1)
    raw = np.delete(open_features(store)["enc"]["cls"].sel(layer=2).values, 3, axis=0)
    images = in_memory(raw[None])
    (rows,) = grid_of(images, 1, (0,), 1, settings.parts).stream(images).rows(0)
    assert not set(rows) & set(np.flatnonzero(k_folds(N - 1, 5) == 0)), "the first fifth is left out"
    np.testing.assert_allclose(found.saes[0].standardiser.mean, raw[rows].mean(axis=0), atol=1e-5)
    again = memjax.train_saes(store, settings, tmp_path / "out", progress=False)
    pd.testing.assert_frame_equal(again.by_epoch, found.by_epoch, check_exact=True)
    other = dataclasses.replace(settings, protocol="paper", batch_size=4, learning_rate=5e-4)
    with pytest.raises(InputError, match=r"of another run: .*parts"):
        memjax.train_saes(store, other, tmp_path / "out", progress=False)
