"""The abstract's claims put to the test: planted truths, what is missing, the table in files and on the page."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

from memjax.cli import paper as command
from memjax.paper.claims import Weighed, fair_choice, feature_claims, verdict_of, within
from memjax.paper.claims_of_loss import BETTER, LOSS, MAGNITUDE, label_prediction, weigh_claims
from memjax.paper.inputs import Inputs
from memjax.paper.released import Released
from memjax.paper.settings import PaperSettings, PaperSources
from memjax.pipelines.paper import paper_claims
from tests.command import exit_code

N = 300
SETTINGS = PaperSettings(bootstraps=200, folds=5)


@pytest.fixture
def scores(rng) -> pd.DataFrame:
    """Scores of which the category has the most."""
    category = np.arange(N) % 3
    y = category + 0.5 * rng.normal(size=N)
    index = pd.Index([f"i{j}" for j in range(N)], name="image")
    return pd.DataFrame({"memorability": y, "category": category.astype(str)}, index)


def measures(scores: pd.DataFrame, rng) -> dict[str, np.ndarray]:
    """Activations follow the score, entropy only the category, uniformity nothing; attentions have no layer 0."""
    y, category = scores["memorability"].to_numpy(), scores["category"].astype(float).to_numpy()
    noise = rng.normal(size=(4, N, 5))
    entropy = np.column_stack([np.full(N, np.nan), category[:, None] + noise[1, :, 1:]])
    return {"cls_mean": -y[:, None] + 0.5 * noise[0], "attention_entropy": entropy, "patch_uniformity": noise[2]}


def found_rows(table: pd.DataFrame, claim: str) -> pd.DataFrame:
    return table[table["claim"].str.startswith(claim)].set_index("test")


def test_planted_truths_on_ones_own_run(scores, rng) -> None:
    own = measures(scores, rng)
    y, category = scores["memorability"].to_numpy(), scores["category"].astype(float).to_numpy()
    loss = np.column_stack([np.full((N, 4), np.nan), category + 0.3 * rng.normal(size=N)])
    near = np.column_stack([np.full((N, 4), np.nan), y + 0.1 * rng.normal(size=N)])
    inputs = Inputs(
        "mine", {"enc": {**own, "sae_topk_error": loss, "mahalanobis_cls": near, "nn_distance_mean": near}}, scores
    )
    table = weigh_claims(inputs, SETTINGS).table
    activations = found_rows(table, "Activations")
    assert activations["verdict"].eq("yes").all()
    assert activations.loc["size, nothing picked by its own result", "estimate"] > 0, "the sign is chosen too"
    entropy = found_rows(table, "Attention")
    assert entropy.loc["any layer, maximum statistic", "verdict"] == "yes"
    assert entropy.loc["category held constant", "verdict"] != "yes"
    assert entropy["n"].eq(N).all(), "layer 0, which has no attention, costs no image"
    assert found_rows(table, "The uniformity")["verdict"].isin(["no", "not settled"]).all()
    lost = found_rows(table, LOSS)
    assert lost.loc["alone", "verdict"] == "yes"
    assert "out of sample" in lost.loc["alone", "note"]
    assert lost.loc["category held constant", "verdict"] != "yes"
    assert lost.loc["more than mahalanobis_cls of the same vectors", "verdict"] == "no"
    assert "more than nn_distance_mean of the same vectors" not in lost.index, "other token vectors"
    assert found_rows(table, BETTER)["verdict"].tolist() == ["cannot be tested"]


def test_a_cnns_measure_answers(scores, rng) -> None:
    y = scores["memorability"].to_numpy()
    loss = (y + 0.2 * rng.normal(size=N))[:, None]
    cnn = {"nn_distance_vgg16": pd.Series(y + 3 * rng.normal(size=N), scores.index).iloc[::-1]}
    inputs = Inputs("mine", {"enc": {"sae_error": loss}}, scores)
    rows = found_rows(weigh_claims(inputs, SETTINGS, cnn).table, BETTER)
    assert rows["verdict"].tolist() == ["yes"], "joined by image, not by order"
    worse = {"nn_distance_vgg16": pd.Series(y, scores.index)}
    assert found_rows(weigh_claims(inputs, SETTINGS, worse).table, BETTER)["verdict"].tolist() == ["no"]


def test_what_the_authors_files_allow(scores, rng) -> None:
    y = scores["memorability"].to_numpy()
    clip = measures(scores, rng)
    released = Released(
        {"CLIP": clip}, {"CLIP": np.array([[0.1, 0.2], [0.5, 0.6]])}, {"CLIP": y + rng.normal(size=N)}, {}, ()
    )
    isola = pd.DataFrame({"corrected_hit": y, "sparse_coding_error": y, "nearest_neighbour": -y})
    table = weigh_claims(Inputs("MemCat", {"CLIP": clip}, scores, released=released, isola=isola), SETTINGS).table
    missing = table[table["verdict"] == "cannot be tested"]
    assert {"DINOv2", "SigLIP2"} <= set(missing["model"])
    assert missing["note"].ne("").all()
    row = found_rows(table, LOSS).loc["last epoch, mean over seeds"].iloc[0]
    assert (row["estimate"], row["n"], row["verdict"]) == (pytest.approx(0.55), N, "yes")
    assert row["ci_low"] < 0.55 < row["ci_high"]
    assert "trained on" in row["note"]
    magnitude = found_rows(table, MAGNITUDE)
    assert magnitude.loc["more than the label of the category tells", "verdict"] == "no"
    assert found_rows(table, BETTER)["verdict"].eq("cannot be tested").all()


def test_labels_predict_out_of_fold(scores, rng) -> None:
    y = scores["memorability"].to_numpy()
    predicted = label_prediction(scores["category"].to_numpy(), y, SETTINGS)
    assert scipy.stats.spearmanr(predicted, y).statistic > 0.7
    shuffled = [label_prediction(rng.permutation(scores["category"].to_numpy()), y, SETTINGS) for _ in range(30)]
    assert abs(np.mean([scipy.stats.spearmanr(one, y).statistic for one in shuffled])) < 0.1
    unseen = label_prediction(np.arange(N).astype(str), y, SETTINGS)
    assert not unseen.any(), "a label of its own is in no other fold"


def test_nothing_is_found_in_noise(rng) -> None:
    """Of forty columns of noise none is picked: yes in no more of the studies than the level allows."""
    said = []
    for _ in range(40):
        frame = pd.DataFrame({"memorability": rng.normal(size=80)})
        inputs = Inputs("noise", {"enc": {"cls_mean": rng.normal(size=(80, 40))}}, frame)
        x, y = inputs.measures["enc"]["cls_mean"], inputs.y
        said.append(scipy.stats.spearmanr(fair_choice(x, y, SETTINGS), y).statistic)
    assert abs(np.mean(said)) < 3 * 0.12 / np.sqrt(40)


def test_groups_means_are_taken_out(rng) -> None:
    x, groups = rng.normal(size=(30, 2)), np.arange(30) % 4
    left = within(x, groups)
    assert np.abs([left[groups == g].mean(axis=0) for g in range(4)]).max() < 1e-12
    assert verdict_of(-0.2, -0.1) == "no"


def test_an_encoder_without_the_measure_says_so(scores) -> None:
    inputs = Inputs("mine", {"enc": {"other": np.ones((N, 2))}}, scores)
    rows: list[Weighed] = list(feature_claims(inputs, SETTINGS))
    assert [row.verdict for row in rows] == ["cannot be tested"] * 3
    constant = Inputs("mine", {"enc": {"cls_mean": np.ones((N, 2))}}, scores)
    assert [row.verdict for row in feature_claims(constant, SETTINGS)] == ["cannot be tested"] * 3


@pytest.fixture
def store(tmp_path: Path, rng) -> Path:
    """A run's features of sixty images, by themselves."""
    y = rng.normal(size=60)
    names = np.array([f"p{i}.png" for i in range(60)], dtype=object)
    coords = {"image": names, "layer": [0, 1], "memorability": ("image", y)}
    values = y[:, None] + rng.normal(size=(60, 2))
    data = xr.Dataset({"cls_mean": (("image", "layer"), values)}, coords=coords, attrs={"model": "made/up"})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")  # as memjax.store does, and why
        data.to_zarr(tmp_path / "run" / "features.zarr", group="made--up", mode="w", consolidated=True)
    return tmp_path / "run" / "features.zarr"


def test_the_command_writes_and_says_it(store: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    own = [
        "--features",
        store,
        "--bootstraps",
        20,
        "--folds",
        3,
        "--out",
        tmp_path / "out",
    ]
    assert exit_code(monkeypatch, command, *own, "--claims") == 0
    assert (
        "Activations correlate with memorability; made/up; any layer, maximum statistic: yes" in capsys.readouterr().out
    )
    table = pd.read_csv(tmp_path / "out" / "claims.csv")
    assert table.columns.tolist() == [
        "claim",
        "model",
        "test",
        "estimate",
        "ci_low",
        "ci_high",
        "p",
        "n",
        "verdict",
        "note",
    ]
    assert "claims put to the test" in (tmp_path / "out" / "report.html").read_text()
    whole = paper_claims(PaperSources(features=store), PaperSettings(bootstraps=20, folds=3))
    pd.testing.assert_frame_equal(whole.table, pd.read_parquet(tmp_path / "out" / "claims.parquet"))
    assert exit_code(monkeypatch, command, *own, "--claims", "--cnn", tmp_path / "none") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "--cnn" in line
