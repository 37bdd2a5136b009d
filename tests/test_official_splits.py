"""Official splits: of arrays against sklearn, of LaMem's files with images that were made up, of one's own table."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.linear_model import Ridge

import memjax
from memjax.checks import InputError
from memjax.cli import transfer as command
from memjax.image_table import read_images_table, write_images
from memjax.pipelines import official
from memjax.pipelines.official import splits_of
from memjax.stats.banks import bank_of
from memjax.stats.official import Split, SplitReadout, mean_over, missing_share, read_split, rho_without
from memjax.stats.ridge import PENALTIES
from tests.conftest import leave_undrawn

KEPT = memjax.SweepSettings(tokens=("cls", "mean"), bootstraps=20, metrics=("cls_norm",))


def stimuli(n: int) -> tuple[list[bytes], np.ndarray]:
    """Files of images, and their scores."""
    demo = memjax.open_dataset("demo", limit=n)
    return [demo.records[i].data for i in range(n)], demo.table["memorability"].to_numpy()


def problem(n: int, rng: np.random.Generator) -> tuple[dict, np.ndarray, np.ndarray]:
    """Vectors of two tokens, their standardised columns as one band each, and scores."""
    cls, mean = rng.normal(size=(n, 2, 6)) * 3 + 1, rng.normal(size=(n, 1, 4))
    y = cls[:, 1, 0] + mean[:, 0, 2] + 2 * rng.normal(size=n)
    return {"m": {"cls": cls, "mean": mean}}, np.concatenate([cls[:, 0], cls[:, 1], mean[:, 0]], axis=1), y


def scaled_by(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    widths = np.repeat([6, 6, 4], [6, 6, 4])
    return (x - x[train].mean(axis=0)) / x[train].std(axis=0) / np.sqrt(widths)


def read_by(vectors: dict, y: np.ndarray, split: Split) -> SplitReadout:
    bank = bank_of({m: {t: (lambda rows, x=x: x[rows]) for t, x in own.items()} for m, own in vectors.items()}, y)
    return read_split(bank, split, np.arange(len(y)))


def of_parts(part: np.ndarray, y: np.ndarray, name: str = "split") -> Split:
    return Split(name, part == 0, part == 1, part == 2, y)


def test_it_is_the_ridge_regression_whose_penalty_the_validation_images_choose(rng: np.random.Generator) -> None:
    vectors, x, y = problem(260, rng)
    part = rng.permutation(np.repeat([0, 1, 2, 3], [150, 40, 60, 10]))
    found = read_by(vectors, y, of_parts(part, np.where(part == 3, np.nan, y)))
    train, val, test = (part == place for place in range(3))
    z = scaled_by(x, train)
    models = [Ridge(alpha=penalty * 150).fit(z[train], y[train]) for penalty in PENALTIES]
    errors = [((one.predict(z[val]) - y[val]) ** 2).sum() for one in models]
    best = int(np.argmin(errors))
    assert found.model.penalty == PENALTIES[best]
    np.testing.assert_allclose(found.predicted[test], models[best].predict(z[test]), atol=1e-9)
    assert found.parts.rho == pytest.approx(scipy.stats.spearmanr(models[best].predict(z[test]), y[test]).statistic)


@pytest.mark.parametrize("validated", [0, 12])
def test_without_validation_images_inner_folds_choose_the_penalty(validated: int, rng: np.random.Generator) -> None:
    vectors, x, y = problem(200, rng)
    part = rng.permutation(np.repeat([0, 1, 2], [140 - validated, validated, 60]))
    found = read_by(vectors, y, of_parts(part, y))
    train, test = part == 0, part == 2
    model = Ridge(alpha=found.model.penalty * train.sum()).fit(scaled_by(x, train)[train], y[train])
    np.testing.assert_allclose(found.predicted[test], model.predict(scaled_by(x, train)[test]), atol=1e-9)
    assert PENALTIES[0] < found.model.penalty < PENALTIES[-1]


def test_a_column_that_does_not_vary_in_training_counts_for_nothing(rng: np.random.Generator) -> None:
    vectors, _, y = problem(200, rng)
    part = np.repeat([0, 1, 2], [100, 40, 60])
    plain = read_by(vectors, y, of_parts(part, y))
    vectors["m"]["cls"][:, 0, 0] = np.where(part == 2, 100 * y, 5.0)  # a leak, in the test images alone
    found = read_by(vectors, y, of_parts(part, y))
    assert np.isfinite(found.predicted).all()
    assert found.parts.rho < plain.parts.rho + 0.1


def test_scores_of_the_test_images_change_no_prediction(rng: np.random.Generator) -> None:
    vectors, _, y = problem(200, rng)
    part = rng.permutation(np.repeat([0, 1, 2], [100, 40, 60]))
    plain = read_by(vectors, y, of_parts(part, y))
    other = np.where(part == 2, rng.normal(size=200), y)
    np.testing.assert_array_equal(read_by(vectors, y, of_parts(part, other)).predicted, plain.predicted)


def test_the_mean_of_one_split_is_that_split(rng: np.random.Generator) -> None:
    vectors, _, y = problem(200, rng)
    part = rng.permutation(np.repeat([0, 1, 2], [100, 40, 60]))
    found = read_by(vectors, y, of_parts(part, y))
    mean, twice = mean_over([found]), mean_over([found, found])
    assert mean.value == twice.value == found.parts.rho
    assert (mean.low, mean.high) == (twice.low, twice.high), "the same images twice tell nothing more"
    left = rho_without(found, np.arange(200) % 2 == 0)
    here = (part == 2) & (np.arange(200) % 2 == 1)
    assert left == pytest.approx(scipy.stats.spearmanr(found.predicted[here], y[here]).statistic)


@pytest.mark.parametrize("folds", [2, 5])
def test_what_the_influences_miss_in_whole_partitions(folds: int) -> None:
    """Of a partition into K folds, tested by turns: the closed form of `memjax.stats.strata` for noise, between folds."""
    labels = np.arange(60 * folds) % folds
    test = np.stack([labels == fold for fold in range(folds)])
    n, inside = 60 * folds, 1 - 1 / folds
    missing = inside / (n * inside)  # every pair of different folds stands in both rho
    between = folds / (folds - 1) * (folds / n - 2 * missing)
    expected = missing / between if between > 1e-12 else 0.0
    assert missing_share(~test, test) == pytest.approx(expected)


def lamem_folder(folder: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """LaMem as it is published, with images that were made up: names, five splits, scores that differ between them."""
    images, score = stimuli(n)
    (folder / "splits").mkdir(parents=True)
    (folder / "images").mkdir()
    names = [f"{7 * i + 1:08d}.jpg" for i in range(n)]
    for name, data in zip(names, images, strict=True):
        (folder / "images" / name).write_bytes(data)
    parts = []
    for k in range(1, 6):
        own = np.clip(score + 0.03 * rng.normal(size=n), 0, 1)
        part = rng.permutation(np.repeat(["train", "val", "test"], [n - 70, 30, 40]))
        for word in ("train", "val", "test"):
            rows = [f"{names[i]} {own[i]:.6f}\n" for i in rng.permutation(n) if part[i] == word]
            (folder / "splits" / f"{word}_{k}.txt").write_text("".join(rows))
        parts.append(part)
    return np.array(parts)


@pytest.fixture(scope="module")
def lamem_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[memjax.Sweep, np.ndarray]:
    folder = tmp_path_factory.mktemp("lamem")
    parts = lamem_folder(folder / "data", 120, np.random.default_rng(3))
    dataset = memjax.open_dataset("lamem", folder / "data")
    with pytest.MonkeyPatch.context() as patched:
        leave_undrawn(patched)
        return memjax.sweep(dataset, "memjax/tiny", folder / "run", KEPT, progress=False), parts


def test_lamem_s_five_splits(lamem_run: tuple[memjax.Sweep, np.ndarray], tmp_path: Path) -> None:
    run, parts = lamem_run
    found = memjax.official_splits(run, tmp_path / "out", progress=False)
    assert found.table["split"].tolist() == [*(f"split_{k}" for k in range(1, 6)), "mean"]
    assert found.table[["train", "val", "test"]].to_numpy().tolist() == [[50, 30, 40]] * 6
    five, mean = found.table.iloc[:5], found.table.iloc[5]
    assert mean["rho"] == pytest.approx(five["rho"].mean())
    assert ((found.table["ci_low"] < found.table["rho"]) & (found.table["rho"] < found.table["ci_high"])).all()
    assert mean["ci_high"] - mean["ci_low"] < (five["ci_high"] - five["ci_low"]).mean()
    scores = pd.read_parquet(run.out / "images.parquet").reset_index()
    for k, (name, own) in enumerate(found.predictions.groupby("split", sort=False), 1):
        table = scores.set_index("image").loc[own["image"]]
        assert name == f"split_{k}"
        assert (table[f"split_{k}"] == "test").all()
        np.testing.assert_array_equal(own["score"], table[f"score_{k}"])
        rho = scipy.stats.spearmanr(own["predicted"], own["score"]).statistic
        assert rho == pytest.approx(five["rho"].iloc[k - 1])
        assert len(own) == (parts[k - 1] == "test").sum()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"splits.csv", "splits.parquet", "predictions.csv", "run.json"} <= names
    again = memjax.official_splits(run.out, progress=False)
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)


def test_the_command_of_one_run(
    lamem_run: tuple[memjax.Sweep, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = lamem_run
    assert command.main(["--runs", str(run.out), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "split_5: rho" in said
    assert "mean: rho" in said
    assert "50 fitted on, 30 validated, 40 tested" in said
    with pytest.raises(InputError, match="repeats: expected the default where there is one run, got 3"):
        command.main(["--runs", str(run.out), "--out", str(tmp_path / "other"), "--repeats", "3"])


def test_a_folder_with_a_column_split(lamem_run: tuple[memjax.Sweep, np.ndarray], tmp_path: Path) -> None:
    images, score = stimuli(9)
    for i, data in enumerate(images):
        (tmp_path / f"{i}.jpg").write_bytes(data)
    parts = ["train", " test", ""] * 3
    rows = [f"{i}.jpg;{s:.4f};{p};{p};0.{i}5\n" for i, (s, p) in enumerate(zip(score, parts, strict=True))]
    text = "image;memorability;split;split_2;score_2\n" + "".join(rows)
    (tmp_path / "scores.csv").write_text(re.sub(r"0\.(\d)", r"0,\1", text))  # decimal commas
    dataset = memjax.open_folder(tmp_path, tmp_path / "scores.csv")
    write_images(dataset, tmp_path)
    one, other = splits_of(read_images_table(tmp_path, dataset.table.index), lamem_run[0])
    assert (one.name, other.name) == ("split", "split_2")
    for split in (one, other):
        assert [split.train.sum(), split.val.sum(), split.test.sum()] == [3, 0, 3]
    np.testing.assert_allclose(one.scores, score, atol=1e-4)
    np.testing.assert_allclose(other.scores, [i / 10 + 0.05 for i in range(9)])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "expected scores and official splits of its images, got none"),
        ({"category": "sea"}, "expected scores and official splits of its images, got none"),
        ({"split": "held out"}, "column split: expected train, val or test, got held out"),
        ({"split": "test"}, "train of split: expected 50 images or more"),
        ({"split_2": "train"}, "test of split_2: expected 30 images or more"),
        ({"split": ["train", "test"] * 60, "memorability": 0.5}, "scores that vary, got 60 images"),
        ({"split_1": ["train", "test"] * 60, "score_1": np.nan}, "train of split_1: expected 50 .*, got 0 images"),
    ],
)
def test_what_cannot_be_done_is_said(
    columns: dict, said: str, lamem_run: tuple[memjax.Sweep, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(lamem_run[0].out / "images.parquet")[["memorability"]].assign(**columns)
    monkeypatch.setattr(official, "read_images_table", lambda folder, images: table)
    with pytest.raises(InputError, match=said):
        memjax.official_splits(lamem_run[0], progress=False)


def test_runs_without_token_vectors_or_scores(lamem_run: tuple[memjax.Sweep, np.ndarray]) -> None:
    run, _ = lamem_run
    without = {model: group.drop_vars(["cls", "mean"]) for model, group in run.features.items()}
    with pytest.raises(InputError, match="no token vectors were kept"):
        memjax.official_splits(dataclasses.replace(run, features=without), progress=False)
    with pytest.raises(InputError, match="expected scores and official splits"):
        memjax.official_splits(dataclasses.replace(run, table=None), progress=False)


def test_more_columns_than_fit_are_refused(
    lamem_run: tuple[memjax.Sweep, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "MOST_BYTES", 4 * 5 * 100**2)
    with pytest.raises(InputError, match="columns: expected 100 at most"):
        memjax.official_splits(lamem_run[0], progress=False)
