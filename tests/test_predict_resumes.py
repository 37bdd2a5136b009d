"""`memjax predict` keeps what it has scored: an interrupted run goes on, a finished one is read, a changed image scored anew."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import memjax
from memjax.checks import InputError
from memjax.cli import predict as command
from memjax.outputs import DatasetRecord
from memjax.pipelines import scored_parts
from memjax.pipelines.identity import model_record
from memjax.pipelines.predictions import predict_images
from memjax.predictor.calibration import Residuals
from memjax.predictor.domain import Domain
from memjax.predictor.places import Place
from memjax.predictor.predictor import Predictor
from memjax.predictor.record import PredictorRecord
from tests.command import exit_code

COUNT = 23


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """Of the tiny encoder's cls tokens, with weights drawn at random: how it was fitted has no part in what is tested."""
    encoder, rng = memjax.load("memjax/tiny"), np.random.default_rng(6)
    layers, width = encoder.config.depth + 1, encoder.config.width
    place = Place(encoder.label, "cls", (layers - 1,))
    record = PredictorRecord(
        DatasetRecord("made up", 60), (model_record(encoder),), "vectors", (place,), 60, layers * width, 1.0, 3, 1, 0,
        rho=0.3, ci_low=0.1, ci_high=0.5, score_mean=0.5, score_sd=0.1, bound=1e9, intercept=0.5,
    )  # fmt: skip
    weights = {encoder.label: {"cls": rng.normal(0, 0.01, (layers, width)).astype(np.float32)}}
    residuals = Residuals.of(rng.normal(0, 0.1, (1, 60)))
    return Predictor(record, weights, residuals, Domain(np.zeros(width), np.eye(width), 1e9))


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Images in files, one of them broken; three parts of them."""
    monkeypatch.setattr(scored_parts, "IMAGES", 8)
    home, rng = tmp_path / "photos", np.random.default_rng(3)
    home.mkdir()
    for i in range(COUNT):
        Image.fromarray(rng.integers(0, 255, (60, 70, 3), dtype=np.uint8)).save(home / f"p{i:02}.png")
    (home / "p05.png").write_bytes((home / "p05.png").read_bytes()[:900])
    return home


def scoring(monkeypatch, stop_at: int | None = None) -> list[range]:
    """The rows that are scored from now on; Ctrl-C comes at the part that begins at ``stop_at``."""
    seen, score = [], Predictor.score_rows

    def watched(self, ready, named, rows, progress, failures):
        if rows.start == stop_at:
            raise KeyboardInterrupt
        seen.append(rows)
        return score(self, ready, named, rows, progress, failures)

    monkeypatch.setattr(Predictor, "score_rows", watched)
    return seen


def same(one: Path, other: Path) -> None:
    for name in ("predictions.csv", "failures.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_an_interrupted_run_goes_on(predictor, photos, tmp_path, monkeypatch) -> None:
    whole = predict_images(predictor, photos, tmp_path / "whole", progress=False)
    assert whole.failures["image"].tolist() == ["p05.png"]
    plain = predictor.predict(photos, failures=[])
    pd.testing.assert_frame_equal(whole.table, plain)
    with monkeypatch.context() as patch:
        assert scoring(patch, stop_at=16) == []
        with pytest.raises(KeyboardInterrupt):
            predict_images(predictor, photos, tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "run.json").exists()
    seen = scoring(monkeypatch)
    found = predict_images(predictor, photos, tmp_path / "out", progress=False)
    assert seen == [range(16, COUNT)]
    pd.testing.assert_frame_equal(found.table, whole.table)
    same(tmp_path / "out", tmp_path / "whole")


def test_a_finished_run_is_read(predictor, photos, tmp_path, monkeypatch) -> None:
    scores = pd.DataFrame(
        {"image": [f"p{i:02}.png" for i in range(COUNT)], "memorability": np.linspace(0.3, 0.9, COUNT)}
    )
    scores.to_csv(tmp_path / "scores.csv", index=False)
    dataset = memjax.open_folder(photos, tmp_path / "scores.csv")
    first = predict_images(predictor, dataset, tmp_path / "out", progress=False)
    seen = scoring(monkeypatch)
    again = predict_images(predictor, dataset, tmp_path / "out", progress=False)
    assert seen == []
    assert again.run == first.run
    assert again.evaluation == first.evaluation
    pd.testing.assert_frame_equal(again.table, first.table)
    pd.testing.assert_frame_equal(again.failures, first.failures)
    wide = predict_images(predictor, dataset, tmp_path / "out", level=0.5, progress=False)
    assert seen == [], "another level has the same scores"
    assert (wide.table["score_high"] < first.table["score_high"]).sum() == COUNT - 1
    (tmp_path / "out" / "predictions.csv").write_text("image\n")
    predict_images(predictor, dataset, tmp_path / "out", level=0.5, progress=False)
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == COUNT
    assert seen == []


def test_what_has_changed_is_scored_again(predictor, photos, tmp_path, monkeypatch) -> None:
    paths = sorted(map(str, photos.iterdir()))
    first = predict_images(predictor, paths, tmp_path / "out", progress=False)
    seen = scoring(monkeypatch)
    monkeypatch.setattr("memjax.datasets.content.SAMPLE", 1)
    assert predict_images(predictor, paths, tmp_path / "other", progress=False).table.equals(first.table)
    assert len(seen) == 3
    image = photos / "p10.png"
    image.write_bytes(image.read_bytes())  # the same size, another time of change
    predict_images(predictor, paths, tmp_path / "other", progress=False)
    assert seen[3:] == [range(8, 16)]
    predict_images(predictor, paths[:9], tmp_path / "other", progress=False)
    assert seen[4:] == [range(8), range(8, 9)], "other images, other parts"


def test_images_in_memory_are_scored_each_time(predictor, photos, tmp_path, monkeypatch) -> None:
    images = [Image.new("RGB", (64, 64), (40 * i, 90, 30)) for i in range(3)]
    seen = scoring(monkeypatch)
    for _ in range(2):
        predict_images(predictor, images, tmp_path / "out", progress=False)
    assert seen == [range(3), range(3)]
    assert not (tmp_path / "out" / "parts").exists()


def test_a_damaged_part_is_one_line(predictor, photos, tmp_path) -> None:
    predict_images(predictor, photos, tmp_path / "out", progress=False)
    (part,) = (tmp_path / "out" / "parts").rglob("9-16.json")
    record = json.loads(part.read_text())
    part.write_text(json.dumps(record | {"score": [0.5, *record["score"][1:]]}))
    (tmp_path / "out" / "run.json").unlink()
    with pytest.raises(InputError, match=r"9-16.json: not as it was written; delete it and run again$"):
        predict_images(predictor, photos, tmp_path / "out", progress=False)


def test_the_command_says_one_line_and_130(predictor, photos, tmp_path, monkeypatch, capsys) -> None:
    predictor.save(tmp_path / "saved")
    words = ["--predictor", tmp_path / "saved", "--images", photos, "--out", tmp_path / "out"]
    with monkeypatch.context() as patch:
        scoring(patch, stop_at=8)
        assert exit_code(patch, command, *words) == 130
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    seen = scoring(monkeypatch)
    assert exit_code(monkeypatch, command, *words) == 1, "one image failed"
    assert seen == [range(8, 16), range(16, COUNT)]
    assert "images 1 to 8: scored before" in capsys.readouterr().out
    assert exit_code(monkeypatch, command, *words) == 1
    assert "finished before" in capsys.readouterr().out
