"""The readout of representations: of arrays against its definition, and of a sweep that kept token vectors."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

import memjax
from memjax.pipelines.sweep_representations import images_to_read
from memjax.report.labels import Context
from memjax.report.representations import representation_section, representation_sentences
from memjax.stats.nested import nested
from memjax.stats.reliability import Reliability
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.representations import (
    ALL_LAYERS,
    CHOSEN_LAYER,
    EVERY,
    RepresentationReadouts,
    read_representations,
    standardised,
)

N, LAYERS, WIDTH = 120, 4, 6
QUICK = ReadoutSettings(folds=4, repeats=2, permutations=49, shuffles=0)


def made(seed: int = 0) -> tuple[dict, np.ndarray]:
    """Two encoders; the score stands in the cls token of the first at layer 2 and, as much again, in the second's mean at 3."""
    rng = np.random.default_rng(seed)
    vectors = {m: {t: rng.normal(size=(N, LAYERS, WIDTH)) for t in ("cls", "mean")} for m in ("one", "two")}
    y = vectors["one"]["cls"][:, 2, 0] + vectors["two"]["mean"][:, 3, 1] + 0.5 * rng.normal(size=N)
    vectors["one"]["cls"][:, 0] = 1.0  # embeddings of a cls token do not vary
    return vectors, y


def problem_of(y: np.ndarray) -> Study:
    return Study(y, np.arange(len(y)), None)


@pytest.fixture(scope="module")
def found() -> RepresentationReadouts:
    vectors, y = made()
    measures = np.column_stack([vectors["one"]["cls"][:, 2, 0], np.ones(N)])
    return read_representations(vectors, problem_of(y), QUICK, measures)


def test_every_layer_by_itself_and_together(found: RepresentationReadouts) -> None:
    table = found.table
    single = table[table["layer"] >= 0].set_index(["model", "token", "layer"])
    assert len(single) == 2 * 3 * LAYERS - 1, "the constant embeddings of one cls token have no row"
    assert single["rho"].idxmax()[1:] in {("cls", 2), ("both", 2), ("mean", 3), ("both", 3)}
    assert (single.loc[("one", "both", 0), "columns"], single.loc[("one", "both", 1), "columns"]) == (6, 12)
    best = {model: single.loc[model]["rho"].max() for model in ("one", "two")}
    chosen = table[table["layer"] == CHOSEN_LAYER].set_index("model")["rho"]
    for model, rho in best.items():
        assert 0.4 < chosen[model] <= rho + 0.02, "the choice is paid for"
    together = table[table["layer"] == ALL_LAYERS].set_index(["model", "token"])
    assert list(together.index) == [("one", "all"), ("two", "all"), (EVERY, "all"), (EVERY, "all and measures")]
    assert (together["p"] <= 0.02).all()
    assert together.loc[(EVERY, "all"), "columns"] == 2 * 2 * LAYERS * WIDTH - WIDTH
    assert together.loc[(EVERY, "all"), "rho"] > max(
        together.loc[("one", "all"), "rho"], together.loc[("two", "all"), "rho"]
    )


def test_one_layer_is_a_ridge_regression_of_it(found: RepresentationReadouts) -> None:
    vectors, y = made()
    x = standardised(vectors["two"]["mean"][:, 3])
    rho = []
    for folds in problem_of(y).partitions(QUICK):
        predicted = nested(x, y[:, None], folds).predicted[:, 0]
        rho.append(np.mean([scipy.stats.spearmanr(predicted[folds == f], y[folds == f]).statistic for f in range(4)]))
    row = found.table.set_index(["model", "token", "layer"]).loc[("two", "mean", 3)]
    assert row["rho"] == pytest.approx(np.mean(rho))


def test_vectors_of_noise_predict_nothing() -> None:
    rho, chosen = [], []
    for seed in range(30):
        vectors, _ = made(seed)
        y = np.random.default_rng(1000 + seed).normal(size=N)
        table = read_representations({"one": vectors["one"]}, problem_of(y), QUICK).table
        rho.append(table.loc[table["layer"] == ALL_LAYERS, "rho"].item())
        chosen.append(table.loc[table["layer"] == CHOSEN_LAYER, "rho"].item())
    for values in (rho, chosen):
        assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / np.sqrt(30)
        assert np.std(values, ddof=1) < 0.2


def test_images_are_drawn_of_those_with_everything() -> None:
    vectors, y = made()
    y[3] = np.nan
    vectors["two"]["mean"][7, 1, 2] = np.nan
    assert images_to_read(vectors, y, 0).tolist() == [i for i in range(N) if i not in (3, 7)]


def test_sentences_say_no_more_than_the_interval(found: RepresentationReadouts) -> None:
    said = representation_sentences(found.table, Reliability(0.6))
    assert all("of the human ceiling" in one for one in said)
    chance = found.table.assign(ci_low=-0.1)
    assert all(
        "do not predict" in one and "ceiling" not in one for one in representation_sentences(chance, Reliability(0.6))
    )
    section = representation_section(found.table, Context(ceiling=Reliability(0.6)), "Folds.")
    assert "Folds." in section.paragraphs
    axes = section.figures["representations"].axes
    assert [axis.get_title(loc="left") for axis in axes] == ["one", "two"]


@pytest.mark.slow
def test_a_sweep_with_vectors_reads_them(tmp_path: Path) -> None:
    settings = memjax.SweepSettings(tokens=("cls", "mean"), bootstraps=20)
    dataset = memjax.open_dataset("demo", limit=80)
    run = memjax.sweep(dataset, "memjax/tiny", tmp_path / "kept", settings, progress=False)
    assert run.representations is not None
    assert (tmp_path / "kept" / "representations.csv").is_file()
    said = "All 80 images were read, from the products of all pairs."
    assert run.run.readout is not None
    assert run.run.readout.vectors == said
    assert said in (tmp_path / "kept" / "report.html").read_text(encoding="utf-8")
    assert "Readout of representations" in (tmp_path / "kept" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "kept" / "figures" / "representations.png").is_file()
    again = memjax.sweep(dataset, "memjax/tiny", tmp_path / "kept", settings, progress=False)
    assert again.recognised
    assert again.representations is not None
    assert len(again.representations) == len(run.representations)
    plain = memjax.sweep(dataset, "memjax/tiny", settings=dataclasses.replace(settings, tokens=()), progress=False)
    assert plain.representations is None
