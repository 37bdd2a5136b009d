"""`memjax baselines`: proxies, autoencoders' losses and a CNN's measures side by side, on the page, in files and in words."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from PIL import Image

from memjax.checks import InputError
from memjax.cli import baselines as command
from memjax.datasets import open_table
from memjax.outputs import read_run
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.baselines import Beside, measure_baselines
from memjax.pipelines.rival_entries import Rival, in_sample, rivals_in, scores_table
from memjax.pipelines.rivals import ALL_LAYERS, LAST, NESTED, Held, compare_measures
from memjax.store import Variable, add_metrics, open_features, open_writer
from tests.command import exit_code

N, D = 60, 6
QUICK = BaselineSettings(
    measures=("nn_distance", "pca_residual", "mahalanobis"), neighbours=3, components=2, bootstraps=60
)


@pytest.fixture
def store(tmp_path):
    """Sixty images with cls and mean tokens at three layers; outliers are memorable; an autoencoder's loss of each kind."""
    rng = np.random.default_rng(8)
    y = rng.uniform(size=N)
    x = {name: rng.normal(size=(N, 3, D)) * (1 + 3 * y[:, None, None]) for name in ("cls", "mean")}
    table = pd.DataFrame({"memorability": y}, index=pd.Index([f"i{j}" for j in range(N)], name="image"))
    kept = {name: Variable({"layer": 3, "width": D}) for name in x} | {"cls_norm": Variable({"layer": 3})}
    writer = open_writer(tmp_path / "sweep", "enc", table, kept, {"model": "enc", "dataset": "made up"}, N)
    values = {name: part.astype(np.float32) for name, part in x.items()}
    writer.write(0, values | {"cls_norm": np.linalg.norm(values["cls"], axis=2).astype(np.float32)}, [])
    features, losses = tmp_path / "sweep" / "features.zarr", np.full((N, 3), np.nan, np.float32)
    losses[:, 2] = y + 0.3 * rng.normal(size=N)
    add_metrics(features, "enc", {"sae_error": losses}, json.dumps({"folds": 1}))
    losses = losses + rng.normal(size=(N, 3)).astype(np.float32)
    losses[:, 1] = rng.normal(size=N)
    add_metrics(features, "enc", {"sae_topk_mean_error": losses}, json.dumps({"folds": 5}))
    return features


def dataset_with_categories(store):
    ids = open_features(store)["enc"]["image"].values
    frame = pd.DataFrame({"image": ids, "memorability": 0.5, "category": np.arange(N) % 3})
    return open_table(frame, [Image.new("RGB", (8, 8))] * N)


def test_everything_is_compared_on_the_same_images(store, tmp_path) -> None:
    settings = dataclasses.replace(QUICK, token="both")
    found = measure_baselines(store, settings, tmp_path / "out", progress=False)
    assert list(found.scores) == [f"{name}_{token}" for name in settings.measures for token in ("cls", "mean")]
    alone, pairs = found.comparison.alone, found.comparison.pairs
    last = alone[alone["layers"] == LAST].set_index("measure")
    assert set(last.index) == {*found.scores, "sae_error", "sae_topk_mean_error"}
    assert last["n"].eq(N).all()
    assert set(last.index[last["in_sample"]]) == {"sae_error"}
    y = found.scores["nn_distance_cls"]["memorability"].values
    values = found.scores["mahalanobis_mean"].sel(layer=2).values
    assert last.loc["mahalanobis_mean", "rho"] == pytest.approx(scipy.stats.spearmanr(values, y).statistic)
    assert {"rho_given_length", "given_length_low"} <= set(alone)
    every = alone[alone["layers"] == ALL_LAYERS].set_index("measure")
    assert "sae_error" not in every.index, "it has one layer"
    both = [found.scores[f"mahalanobis_{token}"].values for token in ("cls", "mean")]
    ranks = scipy.stats.rankdata(np.concatenate(both, axis=1), axis=0).sum(axis=1)
    assert every.loc["mahalanobis_both", "rho"] == pytest.approx(scipy.stats.spearmanr(ranks, y).statistic)
    assert {LAST, ALL_LAYERS, NESTED} == set(pairs["layers"])
    assert (pairs["layers"] == LAST).sum() == 8 * 7 / 2
    for name in ("rivals", "comparison", "answers", "scores", "baselines"):
        assert (tmp_path / "out" / f"{name}.csv").is_file()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Measures side by side" in page
    assert "sae_error, scored on the images that it was trained on" in page
    run = read_run(tmp_path / "out")
    assert run is not None
    assert "comparison.csv" in run.outputs


def test_questions_are_answered_with_measures_of_the_same_tokens(store, tmp_path) -> None:
    settings = dataclasses.replace(QUICK, token="both")
    answers = measure_baselines(store, settings, tmp_path / "out", progress=False).comparison.answers
    linear = answers[answers["question"].str.contains("linear")].set_index(["layers", "measure"])
    assert set(linear["answer"]) <= {"yes", "no", "not settled"}
    assert "_mean" in linear.loc[(LAST, "sae_topk_mean_error"), "sentence"].partition(";")[2]
    assert "_cls" in linear.loc[(LAST, "sae_error"), "sentence"].partition(";")[2]
    cnn = answers[answers["question"].str.contains("CNN")]
    assert set(cnn["answer"]) == {"cannot be tested"}


def vgg_run(tmp_path, store):
    """The folder of a run whose measures are those of VGG-16, made from the store's images."""
    found = measure_baselines(
        store, dataclasses.replace(QUICK, measures=("nn_distance",)), tmp_path / "vgg", progress=False
    )
    scores = {"nn_distance": found.scores["nn_distance_cls"].rename("nn_distance")}
    scores_table(scores, "vgg16").to_parquet(tmp_path / "vgg" / "scores.parquet")
    return tmp_path / "vgg"


def test_a_cnns_measures_and_categories_join_by_image(store, tmp_path) -> None:
    beside = Beside(vgg_run(tmp_path, store), dataset_with_categories(store))
    found = measure_baselines(store, QUICK, tmp_path / "out", progress=False, beside=beside).comparison
    last = found.alone[found.alone["layers"] == LAST].set_index("measure")
    assert last.loc["nn_distance_vgg16", "kind"] == "CNN"
    assert last.loc["nn_distance_vgg16", "rho"] == pytest.approx(last.loc["nn_distance_cls", "rho"], abs=1e-6)
    assert np.isfinite(last["rho_given_category"]).all()
    answers = found.answers[found.answers["question"].str.contains("CNN")]
    assert set(answers.loc[answers["layers"] == LAST, "answer"]) <= {"yes", "no", "not settled"}


def planted(values: np.ndarray, name: str, kind, **more) -> Rival:
    images = np.array([f"i{j}" for j in range(len(values))], object)
    return Rival(name, xr.DataArray(values[:, None], {"image": images, "layer": [9]}, ("image", "layer")), kind, **more)


@pytest.mark.parametrize(
    ("own", "rival", "answer"),
    [(0.3, 3.0, "yes"), (3.0, 0.3, "no"), (1.0, 1.0, "not settled")],
)
def test_what_was_planted_is_answered(rng, own, rival, answer) -> None:
    y = rng.normal(size=120)
    loss = planted(y + own * rng.normal(size=120), "sae_error", "autoencoder")
    linear = planted(-y - rival * rng.normal(size=120), "pca_residual_cls", "linear", direction=-1)
    found = compare_measures([linear, loss], linear.values["image"].values, y, Held(), 300, 0)
    assert found.alone["rho"].gt(0).all(), "turned into its expected direction"
    assert found.answers.iloc[0]["answer"] == answer
    assert f"{found.alone.set_index('measure').loc['sae_error', 'rho']:+.3f}" in found.answers.iloc[0]["sentence"]


def test_other_token_vectors_are_no_rival(rng) -> None:
    """An autoencoder of patches is not set against a linear residual of the cls token."""
    y = rng.normal(size=80)
    loss = planted(y + rng.normal(size=80), "sae_topk_patches_error", "autoencoder")
    linear = planted(rng.normal(size=80), "pca_residual_cls", "linear")
    answers = compare_measures([linear, loss], loss.values["image"].values, y, Held(), 50, 0).answers
    assert answers["answer"].tolist() == ["cannot be tested", "cannot be tested"]
    assert "same token vectors" in answers["sentence"].iloc[0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [('{"folds": 5}', False), ('{"folds": 1}', True), ("{}", True), ("[]", True), ("none", True), ('{"folds": "x"}', True),
     ('{"folds": 5, "protocol": "paper-split"}', True), ("[" * 100_000, True)],
)  # fmt: skip
def test_who_does_not_say_is_in_sample(said, expected) -> None:
    assert in_sample(xr.DataArray([0.0], attrs={"made_by": said})) is expected


def test_an_autoencoder_of_the_pooled_output_is_of_that_alone() -> None:
    values = xr.DataArray(np.zeros((3, 1)), dims=("image", "layer"))
    tokens = [
        Rival(name, values, kind).token
        for name, kind in (
            ("sae_pooled_error", "autoencoder"),
            ("sae_error", "autoencoder"),
            ("mahalanobis_mean", "linear"),
            ("nn_distance_vgg16", "CNN"),
        )
    ]
    assert tokens == ["pooled", "cls", "mean", ""]


def test_the_command(monkeypatch, store, tmp_path, capsys) -> None:
    small = ["--measures", "nn_distance", "mahalanobis", "--bootstraps", 20, "--out", tmp_path / "out"]
    assert exit_code(monkeypatch, command, "--features", store, *small) == 0
    said = capsys.readouterr().out
    assert "sae_error, in sample" in said
    assert "Does the autoencoder's error tell more than a linear residual? " in said
    assert "A CNN" not in said


def refused(monkeypatch, capsys, *arguments: object) -> str:
    assert exit_code(monkeypatch, command, *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_wrong_input_is_one_line(monkeypatch, store, tmp_path, capsys) -> None:
    own = ["--features", store, "--out", tmp_path / "out", "--measures", "pca_residual"]
    assert "--cnn" in refused(monkeypatch, capsys, *own, "--cnn", tmp_path / "none")
    assert "--features" in refused(monkeypatch, capsys, "--cnn", tmp_path, "--out", tmp_path / "out")
    assert "--folds" in refused(monkeypatch, capsys, *own, "--folds", 61)
    assert "--folds" in refused(monkeypatch, capsys, *own, "--folds", 1)
    assert "--components" in refused(monkeypatch, capsys, *own, "--components", 6)
    assert "--variance" in refused(monkeypatch, capsys, *own, "--variance", 1.5)
    assert "--neighbours" in refused(monkeypatch, capsys, *own[:4], "--measures", "knn_distance", "--neighbours", 60)


def test_a_table_that_is_not_one_is_refused(store, tmp_path) -> None:
    folder = vgg_run(tmp_path, store)
    pd.read_parquet(folder / "scores.parquet").drop(columns="value").to_parquet(folder / "scores.parquet")
    with pytest.raises(InputError, match="no column value"):
        rivals_in(folder)
