"""Predictions from elsewhere: read and matched by id, compared with the readouts, part of a run's identity."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import memjax
from memjax.checks import InputError
from memjax.datasets.predictions import read_predictions
from memjax.metrics import METRICS
from memjax.report.predictions import prediction_sentences
from memjax.stats.external import compare_predictions, partial_of, partial_within
from memjax.stats.out_of_fold import OutOfFold
from memjax.stats.partial import partial_correlation


@pytest.fixture(scope="module")
def demo() -> memjax.Dataset:
    return memjax.open_dataset("demo", limit=60)


def written(folder: Path, text: str) -> Path:
    file = folder / "other.csv"
    file.write_text(text, encoding="utf-8")
    return file


ONE = "synthetic-0001.png"
WRONG = {
    "no ids": ("photo,other\na,1\n", "add or rename image"),
    "nothing beside ids": (f"image\n{ONE}\n", "its header can be read with commas"),
    "an id twice": (f"image,other\n{ONE},1\n{ONE},2\n", "ids there more than once"),
    "an empty id": (f"image,other\n{ONE},1\n,2\n", "row 2: the id is empty"),
    "a word": (f"image,other\n{ONE},high\n", "column other, row 1: expected a finite number, got 'high'"),
    "infinite": (f"image,other\n{ONE},inf\n", "expected a finite number, got 'inf'"),
    "no number at all": (f"image,other\n{ONE},\n", "expected numbers, got none"),
    "a metric's name": (f"image,cls_mean\n{ONE},1\n", "a column named 'cls_mean'; rename it"),
    "the score's name": (f"image,memorability\n{ONE},1\n", "a column named 'memorability'; rename it"),
    "other images": ("image,other\nelephant.jpg,1\n", "images of the data set, such as synthetic-0000.png"),
    "no rows": ("image,other\n", "no rows"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_used_is_one_line(text: str, said: str, demo: memjax.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_predictions(written(tmp_path, text), demo, ("image", "memorability", *METRICS))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.argument == "predictions"


def test_rows_are_matched_by_id_and_gaps_are_counted(demo: memjax.Dataset, tmp_path: Path) -> None:
    ids = list(demo.table.index)
    text = "image;a;b\n" + f"{ids[5]};0,5;NA\n{ids[2]};0,25;1\nstranger.png;1;1\n"
    found = read_predictions(written(tmp_path, text), demo)
    assert found.values["a"].dropna().to_dict() == {ids[2]: 0.25, ids[5]: 0.5}
    assert list(found.values.index) == ids
    assert (
        found.said
        == "58 of 60 images have no a; 59 of 60 images have no b; 1 rows are of images that the data set has not"
    )


def test_data_without_scores_have_nothing_to_compare(tmp_path: Path, photos: Path) -> None:
    settings = memjax.SweepSettings(predictions=written(tmp_path, "image,other\na,1\n"))
    with pytest.raises(InputError, match="predictions: expected a data set with scores"):
        memjax.sweep(memjax.open_folder(photos), "memjax/tiny", settings=settings, progress=False)


def test_a_partial_rho_of_one_stratum_is_the_textbooks(rng: np.random.Generator) -> None:
    z = rng.normal(size=80).round(1)
    x, y = z + rng.normal(size=80), (z + rng.normal(size=80)).round(1)
    found = partial_within([x], y, [z], [np.zeros(80, np.int64)])
    known = partial_correlation(x[:, None], y, z[:, None])
    np.testing.assert_allclose(found.rho, known.rho[0], atol=1e-12)
    standard_error = (known.ci_high[0] - known.ci_low[0]) / 2 / 1.96
    assert 0.6 < np.sqrt((found.influence**2).sum()) / standard_error < 1.6


@pytest.mark.parametrize(("a", "b", "c"), [(0.3, 0.2, -0.4), (-0.5, 0.1, 0.6), (0.0, 0.7, 0.7)])
def test_slopes_of_a_partial_rho_are_its_derivatives(a: float, b: float, c: float) -> None:
    point, step = np.array([a, b, c]), 1e-6
    _, slopes = partial_of(*point[:, None])
    for place, slope in enumerate(slopes):
        up, down = (partial_of(*(point + sign * step * np.eye(3)[place])[:, None])[0] for sign in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-5, atol=1e-9)


def test_nothing_is_left_of_a_prediction_given_itself(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 60))
    found = partial_within([x], y, [x], [np.arange(60) % 3])
    assert found.rho == 0
    assert not found.influence.any()


def readout_like(y: np.ndarray, predicted: list[np.ndarray], rng: np.random.Generator) -> OutOfFold:
    folds = [rng.permutation(len(y)) % 5 for _ in predicted]
    n = np.arange(len(y))
    return OutOfFold("measures", "m", n, y, predicted, folds, n, False)


def test_the_better_one_is_better_and_each_tells_its_own(rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(2, 400))
    y = first + 0.5 * second + 0.3 * rng.normal(size=400)
    one = readout_like(y, [first + 0.1 * rng.normal(size=400) for _ in range(3)], rng)
    other = np.where(np.arange(400) < 350, second, np.nan)
    row = compare_predictions({"other": other}, y, [one], 0).iloc[0]
    assert row["n"] == row["n_compared"] == 350
    assert row["difference_low"] > 0
    assert row["readout_given_low"] > 0
    assert row["prediction_given_low"] > 0
    mirrored = compare_predictions({"first": first}, y, [readout_like(y, [second] * 3, rng)], 0).iloc[0]
    assert mirrored["difference_high"] < 0
    said = prediction_sentences(pd.DataFrame([row, mirrored]))
    assert "predicts these scores better than other" in said[1]
    assert "predicts these scores worse than first" in said[3]


def test_what_tells_nothing_is_rarely_said_to_tell_more() -> None:
    rng, rejected = np.random.default_rng(5), 0
    for _ in range(60):
        other, y = rng.normal(size=(2, 120))
        one = readout_like(y, [rng.normal(size=120)] * 2, rng)
        given = one.interval(partial_within(one.predicted, y, [other] * 2, one.strata))
        rejected += (given.p < 0.05) + (one.apart(one.parts(), one.parts_of(other)).p < 0.05)
    assert rejected <= 14, "of 120 tests at 5 %"


def test_a_workbook_without_predictions_is_one_line(demo: memjax.Dataset, tmp_path: Path) -> None:
    pd.DataFrame({"image": [ONE]}).to_excel(tmp_path / "other.xlsx", index=False)
    with pytest.raises(InputError, match="a column of numbers beside image, got none"):
        read_predictions(tmp_path / "other.xlsx", demo)


def test_a_run_with_predictions_is_recognised_and_another_file_makes_it_anew(tmp_path: Path, undrawn: None) -> None:
    dataset = memjax.open_dataset("demo", limit=60)
    scores = dataset.table["memorability"].to_numpy()

    def run(noise: float, where: str = "first") -> memjax.Sweep:
        values = scores + noise * np.random.default_rng(0).normal(size=60)
        rows = [f"{image},{value}" for image, value in zip(dataset.table.index, values, strict=True)]
        (tmp_path / where).mkdir(exist_ok=True)
        file = written(tmp_path / where, "\n".join(["image,resmem", *rows]))
        settings = memjax.SweepSettings(bootstraps=20, predictions=file)
        return memjax.sweep(dataset, "memjax/tiny", tmp_path / "out", settings, progress=False)

    first = run(0.2)
    assert first.controlled.predictions is not None
    assert first.controlled.predictions["reads"].tolist() == ["measures"]
    assert first.run.files.keys() == {"other.csv"}
    assert "Predictions from elsewhere" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    again = run(0.2, "elsewhere")
    assert again.recognised, "the same bytes in another folder"
    pd.testing.assert_frame_equal(again.controlled.predictions, first.controlled.predictions)
    stored = {
        file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "features.zarr").rglob("c/*") if file.is_file()
    }
    other = run(0.4)
    assert not other.recognised
    assert other.controlled.predictions["rho"].iloc[0] < first.controlled.predictions["rho"].iloc[0]
    assert stored == {file: file.stat().st_mtime_ns for file in stored}, "nothing was measured again"
    pd.testing.assert_frame_equal(other.table, first.table)
