"""How far people agree, from scores of halves of the observers that overlap: the derivation on simulated observers, LaMem."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

import memjax
from memjax.checks import InputError
from memjax.datasets.base import Dataset, make_table
from memjax.datasets.observers import observers_of
from memjax.report.labels import ceiling_words
from memjax.stats.analysis import ceiling_for
from memjax.stats.reliability import Reliability, overlapping_halves, spearman_brown, split_half
from tests import miniatures
from tests.conftest import reference

SIZES = {
    "few observers": (24, 0.10),
    "many observers": (80, 0.10),
    "alike images": (60, 0.04),
    "unlike images": (40, 0.18),
}
"""Observers of an image, and the spread of the images' true hit rates."""


def simulated(observers: int, spread: float, n: int = 6000, k: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of k halves drawn anew ``[k, n]``, of disjoint halves ``[2, 20, n]``, and the true rates ``[n]``."""
    rng = np.random.default_rng(observers)
    rates = np.clip(rng.normal(0.7, spread, n), 0.02, 0.98)
    answers = rng.random((n, observers)) < rates[:, None]

    def half() -> np.ndarray:
        """Everyone's answers in an order of each image's own: its first half is one half, the rest the other."""
        order = rng.permuted(np.broadcast_to(np.arange(observers), (n, observers)), axis=1)
        dealt = np.take_along_axis(answers, order, axis=1)
        return np.stack([dealt[:, : observers // 2].mean(axis=1), dealt[:, observers // 2 :].mean(axis=1)])

    drawn = np.stack([half()[0] for _ in range(k)])
    return drawn, np.stack([half() for _ in range(20)], axis=1), rates


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("kind", SIZES)
def test_it_gives_what_disjoint_halves_of_the_same_observers_give(kind, method):
    drawn, disjoint, rates = simulated(*SIZES[kind])
    found, true = overlapping_halves(drawn, method), split_half(disjoint, method)
    assert found.consistency == pytest.approx(true.consistency, abs=0.02)
    assert found.n_splits == 10
    assert found.consistency_low <= found.consistency <= found.consistency_high
    mean, whole = drawn.mean(axis=0), disjoint.mean(axis=(0, 1))
    reached = pd.Series(mean).corr(pd.Series(rates), method=method)
    assert found.ceiling == pytest.approx(reached, abs=0.015), (
        "what the true rates reach, as the best predictor there is"
    )
    assert found.ceiling < pd.Series(whole).corr(pd.Series(rates), method=method), (
        "all observers at once are told better"
    )
    assert found.ceiling < Reliability(found.consistency).ceiling


@pytest.mark.parametrize("k", [2, 3, 9])
def test_the_noise_of_a_mean_of_k_halves(k):
    """Simulated: its error is E (k + 1) / (2 k), that of a half being E."""
    drawn, disjoint, rates = simulated(40, 0.1, k=k)
    error = np.var(disjoint[0, 0] - rates)
    assert np.var(drawn.mean(axis=0) - rates) == pytest.approx(error * (k + 1) / (2 * k), rel=0.06)
    assert overlapping_halves(drawn).factor == 2 * k / (k + 1)


def test_of_all_observers_nothing_has_changed():
    known = Reliability(0.6, 0.5, 0.7, 25, 40, "a test")
    assert "factor" not in known.to_json()
    assert (known.reliability, known.ceiling) == (spearman_brown(0.6), float(np.sqrt(spearman_brown(0.6))))
    part = dataclasses.replace(known, factor=1.5)
    assert Reliability.from_json(part.to_json()) == part
    assert "all observers together" in ceiling_words(known)
    assert "worth 1.50 halves of the observers" in ceiling_words(part)


def test_missing_scores_and_wrong_shapes():
    drawn, _, _ = simulated(24, 0.1, n=400)
    holes = drawn.copy()
    holes[0, :100] = np.nan
    assert overlapping_halves(holes).consistency == pytest.approx(overlapping_halves(drawn).consistency, abs=0.1)
    for wrong in (drawn[0], drawn[:1], drawn[None]):
        with pytest.raises(InputError, match="scores of halves: expected an array"):
            overlapping_halves(wrong)


def lamem_like(n: int = 300, **info: bool) -> Dataset:
    drawn, _, _ = simulated(30, 0.1, n)
    columns = {f"score_{k}": drawn[k - 1] for k in range(1, 6)}
    table = make_table([f"{i}.jpg" for i in range(n)], drawn.mean(axis=0), **columns)
    return Dataset("lamem", table, records=[], info={"synthetic": False, **info})


def test_a_data_set_says_what_it_knows_of_its_observers():
    dataset = lamem_like()
    scores, source = observers_of(dataset)
    assert scores is not None
    assert scores.shape == (5, 300)
    found = ceiling_for(scores, "spearman", source)
    assert found is not None
    assert found.source.startswith("derived from the scores of the 5 official splits of lamem")
    assert observers_of(lamem_like(synthetic=True)) == (None, "")
    fewer = dataclasses.replace(dataset, table=dataset.table.drop(columns="score_4"))
    assert observers_of(fewer) == (None, "")
    halves = np.zeros((2, 3, 300))
    assert observers_of(dataclasses.replace(dataset, halves=halves))[0] is halves


@pytest.mark.slow
def test_lamems_published_splits(tmp_path, monkeypatch):
    """The real scores; of the images, which are not there, sixteen made up ones."""
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    shutil.copytree(reference("lamem") / "splits", tmp_path / "lamem" / "splits")
    tables = [
        pd.concat([pd.read_csv(file, sep=" ", header=None, index_col=0) for file in files])
        for k in range(1, 6)
        if (files := sorted((tmp_path / "lamem" / "splits").glob(f"*_{k}.txt")))
    ]
    scores = np.stack([table[1].sort_index().to_numpy() for table in tables])
    assert scores.shape == (5, 58_741)
    found = overlapping_halves(scores)
    assert (1 + found.consistency) / 2 == pytest.approx(0.835, abs=0.0005)
    assert found.consistency == pytest.approx(0.669, abs=0.001), "published: 0.68"
    assert overlapping_halves(scores, "pearson").consistency == pytest.approx(0.681, abs=0.001)
    assert found.reliability == pytest.approx(0.771, abs=0.001)
    ids = tables[0].sort_index().index[:16]
    for i, name in enumerate(ids):
        miniatures.write_image(tmp_path / "lamem" / "images" / name, i)
    dataset = memjax.open_dataset("lamem", tmp_path / "lamem")
    mine, _ = observers_of(dataset)
    assert mine is not None
    np.testing.assert_allclose(mine, scores[:, :16])
    assert dataset.info["images_absent"] == 58_741 - 16
