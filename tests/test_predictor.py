"""A predictor of a sweep: fitted, saved, loaded, used on new images."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as PILImage

import memjax
from memjax.checks import InputError
from memjax.cli import predict
from memjax.cli.leaving import told
from memjax.datasets import Failure
from memjax.decoding import ImageError
from memjax.pipelines.predictions import predict_images
from memjax.pipelines.transfer import predictions_of, stored_values
from memjax.predictor import Predictor, PredictorSettings
from memjax.predictor.linear import weighted_sums
from memjax.predictor.saving import ARRAYS, RECORD
from memjax.report.labels import signed
from tests.conftest import leave_undrawn
from tests.page_words import words

KEPT = memjax.SweepSettings(tokens=("cls", "mean"), bootstraps=20)


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> memjax.Sweep:
    out = tmp_path_factory.mktemp("predictor") / "run"
    with pytest.MonkeyPatch.context() as patch:
        leave_undrawn(patch)
        return memjax.sweep(memjax.open_dataset("demo", limit=80), "memjax/tiny", out, KEPT, progress=False)


@pytest.fixture(scope="module")
def predictor(run: memjax.Sweep) -> Predictor:
    return memjax.fit_predictor(run, progress=False)


def test_images_score_as_their_stored_vectors_do(run: memjax.Sweep, predictor: Predictor) -> None:
    dataset = memjax.open_dataset("demo", limit=80)
    table = predictor.predict(dataset)
    group = run.features["memjax/tiny"]
    stored = {name: group[name].values for name in ("cls", "mean")}
    expected = predictor.record.intercept + weighted_sums(predictor.weights["memjax/tiny"], stored)
    np.testing.assert_allclose(table["score"], expected, atol=2e-5)
    assert table["image"].tolist() == dataset.table.index.tolist()
    assert (table["score_low"] < table["score"]).all()
    assert (table["score"] < table["score_high"]).all()
    assert table["out_of_domain"].mean() < 0.1


def test_forms_of_images_give_the_same_score(predictor: Predictor, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    image = PILImage.fromarray(pixels)
    image.save(tmp_path / "a.png")
    given = [tmp_path / "a.png", str(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes(), image, pixels]
    table = predictor.predict(given)
    assert table["score"].nunique() == 1
    assert table["image"].tolist() == [str(tmp_path / "a.png")] * 2 + ["images[2]", "images[3]", "images[4]"]
    np.testing.assert_allclose(predictor.predict(tmp_path)["score"], table["score"][:1], atol=1e-6)
    np.testing.assert_allclose(predictor.predict(given, batch_size=2)["score"], table["score"], atol=1e-6)


def test_what_cannot_be_used_is_told(predictor: Predictor, tmp_path: Path) -> None:
    good = np.zeros((64, 64, 3), np.uint8)
    failures: list[Failure] = []
    table = predictor.predict([good, tmp_path / "none.jpg", b"no image"], failures=failures)
    assert table["score"].notna().tolist() == [True, False, False]
    assert table["out_of_domain"].tolist()[1:] == [True, True]
    assert [(f.image, f.stage) for f in failures] == [(str(tmp_path / "none.jpg"), "read"), ("images[2]", "decode")]
    with pytest.raises(ImageError, match=r"none.jpg"):
        predictor.predict([good, tmp_path / "none.jpg"])
    for wrong, match in (
        (good, "expected a folder, a data set or a list of images, got one array; write \\[image\\]"),
        ([], "expected one or more, got none"),
        (tmp_path / "nowhere", "nowhere"),
    ):
        with pytest.raises(InputError, match=match):
            predictor.predict(wrong)


def test_saved_and_loaded_it_is_the_same(predictor: Predictor, tmp_path: Path) -> None:
    image = [np.full((64, 64, 3), 90, np.uint8)]
    folder = predictor.save(tmp_path / "saved")
    loaded = memjax.load_predictor(folder)
    assert loaded.record == predictor.record
    pd.testing.assert_frame_equal(loaded.predict(image), predictor.predict(image), atol=1e-6)
    card = (folder / "README.md").read_text()
    assert all(words in card for words in (f"rho {predictor.record.rho:+.3f}", "made up", "memjax/tiny"))
    predictor.save(folder)  # a predictor that lies there is replaced
    (folder / RECORD).rename(folder / f"{RECORD}.part")
    predictor.save(folder)  # and one that was interrupted
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty one, or one with a predictor"):
        predictor.save(tmp_path / "other")


def damaged_record(folder: Path, **changes: object) -> None:
    """A record that somebody changed by hand, seal included."""
    from memjax.seals import sealed

    found = json.loads((folder / RECORD).read_text())
    del found["sha256"]
    (folder / RECORD).write_text(json.dumps(sealed(found | changes)))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda f: (f / RECORD).unlink(), "name the folder of a saved predictor"),
        (lambda f: (f / ARRAYS).unlink(), "the folder is not whole"),
        (lambda f: (f / ARRAYS).write_bytes((f / ARRAYS).read_bytes()[:-4] + b"\0\0\0\1"), "not as it was written"),
        (lambda f: (f / RECORD).write_text((f / RECORD).read_text().replace("0.", "1.", 1)), "not as it was written"),
        (lambda f: (f / RECORD).write_text("[1"), "not readable as JSON"),
        (lambda f: damaged_record(f, version=99), "version: expected 1, got 99; read it with the version"),
        (lambda f: damaged_record(f, rho="high"), "expected the record of a predictor"),
        (lambda f: damaged_record(f, encoders=[]), "expected the arrays of a predictor"),
        (lambda f: damaged_record(f, domain=["cls:five:a"]), "expected the record of a predictor"),
    ],
)
def test_a_damaged_predictor_is_refused_in_a_line(predictor: Predictor, tmp_path: Path, damage, match: str) -> None:
    folder = predictor.save(tmp_path / "saved")
    damage(folder)
    with pytest.raises(InputError, match=match) as told:
        memjax.load_predictor(folder)
    assert "\n" not in str(told.value)


def test_an_encoder_has_to_be_the_same(predictor: Predictor, tmp_path: Path) -> None:
    folder = predictor.save(tmp_path / "saved")
    with pytest.raises(InputError, match="encoders: expected among memjax/tiny, got other"):
        memjax.load_predictor(folder, {"other": "memjax/tiny"})
    encoder = memjax.load("memjax/tiny")
    image = [np.zeros((64, 64, 3), np.uint8)]
    same = memjax.load_predictor(folder, {"memjax/tiny": encoder})
    assert len(same.predict(image)) == 1
    other = dataclasses.replace(encoder, checksum="0" * 64)
    with pytest.raises(InputError, match="weights: expected those that it was fitted on, got others"):
        memjax.load_predictor(folder, {"memjax/tiny": other}).predict(image)
    with pytest.raises(InputError, match="type and precision: expected float32, highest, got bfloat16, highest"):
        memjax.load_predictor(folder, {"memjax/tiny": memjax.load("memjax/tiny", "bfloat16")}).predict(image)


def test_measures_are_read_where_no_vectors_were_kept(tmp_path: Path) -> None:
    settings = memjax.SweepSettings(bootstraps=20)
    run = memjax.sweep(memjax.open_dataset("demo", limit=80), "memjax/tiny", tmp_path / "run", settings, progress=False)
    found = memjax.fit_predictor(run, progress=False)
    assert found.record.source == "measures"
    assert "cls_sum" not in found.weights["memjax/tiny"], "a multiple of another"
    found.save(tmp_path / "saved")
    table = memjax.load_predictor(tmp_path / "saved").predict(memjax.open_dataset("demo", limit=80))
    group = run.features["memjax/tiny"]
    stored = {name: group[name].values.astype(np.float64) for name in found.weights["memjax/tiny"]}
    expected = found.record.intercept + weighted_sums(found.weights["memjax/tiny"], stored)
    np.testing.assert_allclose(table["score"], expected, atol=2e-4)
    with pytest.raises(InputError, match="no token vectors were kept"):
        memjax.fit_predictor(run, PredictorSettings(source="vectors"), progress=False)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    run = memjax.sweep(memjax.open_dataset("demo", limit=40), "memjax/tiny", tmp_path / "run", KEPT, progress=False)
    with pytest.raises(InputError, match="images with features and a score: expected 50 or more, got 40"):
        memjax.fit_predictor(run, progress=False)


def test_a_folder_that_is_no_run_is_named_by_its_own_flag(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        predict.main(["--features", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")])
    assert told(error.value).startswith(f"--features {tmp_path / 'nothing'}: expected a finished run, got none")


def test_predictions_against_scores(predictor: Predictor, tmp_path: Path) -> None:
    demo = memjax.open_dataset("demo")
    rest = [demo.records[i].data for i in range(80, 140)]
    new = memjax.open_table(demo.table.iloc[80:140], rest, name="others")
    found = predict_images(predictor, new, tmp_path / "out", progress=False)
    assert found.evaluation is not None
    assert (found.evaluation.n, found.evaluation.in_sample) == (60, False)
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "predictions.csv",
        "predictions.parquet",
        "evaluation.csv",
        "failures.csv",
        "run.json",
        "report.html",
    } <= files
    page = words(tmp_path / "out" / "report.html")
    e, score = found.evaluation, found.table["score"]
    assert f"60 images have predicted scores from {score.min():.3f} to {score.max():.3f}" in page
    assert f"With people's scores of 60 images: Spearman's ρ = {signed(e.rho)}" in page
    assert "Fitted on 80 images of demo" in page
    assert "Human ceiling" not in page
    assert "All correlations" not in page
    highest = found.table.loc[score.idxmax()]
    assert f"{highest['image']} predicted {highest['score']:.3f} people {highest['memorability']:.3f}" in page
    told = pd.read_csv(tmp_path / "out" / "predictions.csv")
    np.testing.assert_allclose(told["score"], found.table["score"])
    again = predict_images(predictor, memjax.open_dataset("demo", limit=80), progress=False)
    assert again.evaluation is not None
    assert again.evaluation.in_sample


def test_transfer_between_halves(run: memjax.Sweep, tmp_path: Path) -> None:
    demo = memjax.open_dataset("demo")
    rest = [demo.records[i].data for i in range(70, 150)]  # ten of them are in the other
    other = memjax.open_table(demo.table.iloc[70:150], rest, name="others")
    memjax.sweep(other, "memjax/tiny", tmp_path / "second", KEPT, progress=False)
    found = memjax.transfer([run, tmp_path / "second"], tmp_path / "out", progress=False)
    table = found.table.set_index(["train", "test"])
    across = table.loc[("demo", "others")]
    assert across["left_out"] >= 10
    assert across["n"] == 80 - across["left_out"]
    assert table.loc[("demo", "demo"), "rho"] == found.predictors["demo"].record.rho
    assert {"transfer.csv", "transfer.png", "transfer.pdf"} <= {path.name for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match="runs: expected two or more, got 1"):
        memjax.transfer([run], progress=False)
    shutil.copytree(run.out, tmp_path / "same" / "run")
    with pytest.raises(InputError, match="of different names"):
        memjax.transfer([run, tmp_path / "same" / "run"], progress=False)


def test_where_in_the_image_a_score_comes_from(predictor: Predictor, tmp_path: Path) -> None:
    image = memjax.open_dataset("demo").records[3].data
    found = predictor.explain(image)["memjax/tiny"]
    assert found.score + predictor.record.intercept == pytest.approx(predictor.predict([image])["score"][0], abs=1e-5)
    assert sum(float(x.sum()) for x in found.layers.values()) == pytest.approx(found.score, abs=1e-4)
    assert abs(found.gap) < 0.05 * max(abs(found.score - found.baseline_score), 1e-3)
    new = memjax.open_table(
        pd.DataFrame({"image": [memjax.open_dataset("demo").records[i].data for i in range(100, 106)]})
    )
    predict_images(predictor, new, tmp_path / "out", progress=False, explain=1)
    assert "Maps explain the MODEL's score." in words(tmp_path / "out" / "report.html")
    assert "No scores of people were given" in words(tmp_path / "out" / "report.html")
    drawn = sorted(path.name for path in (tmp_path / "out" / "explained").iterdir())
    assert drawn == ["high_1_1.pdf", "high_1_1.png", "low_1_1.pdf", "low_1_1.png"]


def test_encoders_in_any_order_have_their_own_columns(tmp_path: Path) -> None:
    """The store has its groups by name; the run its encoders as they were asked for."""
    settings = dataclasses.replace(KEPT, tokens=("cls",))
    models = ["memjax/tiny", "memjax/random:memjax/tiny"]
    demo = memjax.open_dataset("demo", limit=80)
    run = memjax.sweep(demo, models, tmp_path / "run", settings, progress=False)
    assert list(run.features) != models, "the case that this is about"
    found = memjax.fit_predictor(run, progress=False)
    table = found.predict(demo)
    stored = predictions_of(found, stored_values(found, run))
    np.testing.assert_allclose(table["score"], stored["score"], atol=2e-5)
    assert table["out_of_domain"].tolist() == stored["out_of_domain"].tolist()
    assert table["out_of_domain"].mean() < 0.1


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--predictor", "SAVED"], "images: expected images to score, got none"),
        (["--predictor", "nowhere", "--images", "a.jpg", "b.jpg"], "name the folder of a saved predictor"),
        (["--predictor", "SAVED", "--images", "nowhere"], "nowhere"),
        (["--predictor", "SAVED", "--images", "a.jpg", "b.jpg", "--scores", "s.csv"], "name the folder"),
        (["--predictor", "SAVED", "--encoders", "tiny", "--images", "a.jpg", "b.jpg"], "expected NAME=FOLDER"),
        (["--predictor", "SAVED", "--images", "a.jpg", "--dataset", "demo"], "leave one out"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(
    predictor: Predictor, tmp_path: Path, words: list[str], match: str
) -> None:
    saved = str(predictor.save(tmp_path / "saved"))
    with pytest.raises(InputError, match=match) as told:
        predict.main([saved if word == "SAVED" else word for word in words])
    assert "\n" not in str(told.value)
