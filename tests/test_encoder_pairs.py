"""Pairs of encoders by paired tests; the headline's rho corrected for the observers' noise."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from memjax.report.encoder_pairs import corrected_sections, pair_sections, pair_sentences
from memjax.stats.encoder_pairs import STRONGEST_MEASURE, encoder_pairs
from memjax.stats.noise_corrected import agreement, corrected_rho, corrected_table
from memjax.stats.out_of_fold import OutOfFold
from memjax.stats.reliability import overlapping_halves, split_half
from memjax.stats.strata import within_rho
from memjax.stats.table import stack
from memjax.stats.within_groups import spearman_of


def readout_like(model: str, y: np.ndarray, noise: float, rng: np.random.Generator, images: np.ndarray) -> OutOfFold:
    """Two partitions of a readout that sees the scores through noise."""
    own = y + noise * rng.normal(size=len(y))
    predicted = [own[images] + 0.1 * rng.normal(size=len(images)) for _ in range(2)]
    folds = [rng.permutation(len(images)) % 5 for _ in range(2)]
    return OutOfFold("measures", model, images, y[images], predicted, folds, np.arange(len(images)), False)


def made(noises: dict[str, float], n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    columns = stack({m: {"a": (y + s * rng.normal(size=n))[:, None]} for m, s in noises.items()})
    readouts = [readout_like(m, y, s, rng, np.arange(k, n)) for k, (m, s) in enumerate(noises.items())]
    readouts.append(readout_like("all encoders", y, 0.5, rng, np.arange(n)))
    return encoder_pairs(columns, y, spearman_of(columns.values, y), readouts)


def test_every_pair_is_compared_on_the_images_of_both() -> None:
    table = made({"good": 0.5, "fair": 1.0, "bad": 6.0})
    assert table["compared"].tolist() == ["measures"] * 3 + [STRONGEST_MEASURE] * 3
    assert table[["first", "second"]].to_numpy().tolist()[:3] == [["good", "fair"], ["good", "bad"], ["fair", "bad"]]
    assert table["n"].tolist() == [299, 298, 298, 300, 300, 300]
    assert (table["difference_low"] > 0).all()
    assert (table["p_holm"] >= table["p"]).all()
    np.testing.assert_allclose(table["difference"], table["first_rho"].abs() - table["second_rho"].abs())
    assert table["first_measure"][3] == "a, layer 0"
    assert pair_sentences(table)[0].endswith("good predicts better.")
    assert pair_sections(table)[0].table is not None
    assert pair_sections(None) == ()


def test_equally_good_encoders_are_rarely_told_apart() -> None:
    tables = [made({"one": 1.5, "other": 1.5}, 120, seed) for seed in range(20)]
    assert np.mean([table["p"] < 0.05 for table in tables]) <= 0.2
    assert "is not settled" in pair_sentences(tables[0])[0]


def test_an_encoder_without_a_measure_has_no_strongest() -> None:
    y = np.random.default_rng(0).normal(size=60)
    columns = stack({"one": {"a": y[:, None]}, "flat": {"a": np.ones((60, 1))}})
    assert not len(encoder_pairs(columns, y, spearman_of(columns.values, y), []))


def observed(n: int, splits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True scores, mean observed ones of 12 observers, halves."""
    true = rng.normal(size=n)
    each = true[:, None] + 2 * rng.normal(size=(n, 12))
    orders = [rng.permutation(12) for _ in range(splits)]
    halves = [[each[:, order[part]].mean(axis=1) for order in orders] for part in (slice(6), slice(6, None))]
    return true, each.mean(axis=1), np.array(halves)


def test_the_ceiling_is_the_known_one_and_its_influences_are_those_of_leaving_images_out() -> None:
    _, _, halves = observed(150, 4, np.random.default_rng(1))
    found = agreement(halves)
    assert found is not None
    assert found.ceiling == split_half(halves).ceiling
    kept = np.delete(halves, 7, axis=2)
    np.testing.assert_allclose(found.influence[7], found.ceiling - split_half(kept).ceiling, atol=2e-3)
    low, high = found.interval()
    assert low < found.ceiling < high


def test_halves_that_overlap_have_a_ceiling_too() -> None:
    _, _, halves = observed(200, 2, np.random.default_rng(2))
    found = agreement(halves[0])
    assert found is not None
    assert found.ceiling == pytest.approx(overlapping_halves(halves[0]).ceiling)


def test_people_who_do_not_agree_have_no_ceiling_to_correct_by() -> None:
    a = np.arange(40.0)
    assert agreement(np.stack([a, -a])[:, None]) is None
    assert agreement(np.random.default_rng(0).normal(size=(2, 1, 12)) + 9 * np.arange(12.0)) is None, "12 images"


def test_the_corrected_rho_is_that_with_the_true_scores_and_its_interval_covers() -> None:
    rng, limit, covered, values = np.random.default_rng(3), 6 / np.pi * np.arcsin(0.5 / 2), 0, []
    for _ in range(50):
        true, scores, halves = observed(200, 4, rng)
        x = 0.5 * true + np.sqrt(0.75) * rng.normal(size=200)
        people = agreement(halves)
        assert people is not None
        alone = within_rho([x], scores, [np.zeros(200, np.int64)])
        ends = corrected_rho(alone, people, np.arange(200))
        assert ends.value == pytest.approx(scipy.stats.spearmanr(x, scores).statistic / people.ceiling)
        covered += ends.low <= limit <= ends.high
        values.append(ends.value)
    assert covered >= 42
    assert abs(np.mean(values) - limit) < 0.04


def test_the_headline_is_corrected_on_the_page() -> None:
    rng = np.random.default_rng(4)
    _, scores, halves = observed(120, 3, rng)
    people = agreement(halves)
    assert people is not None
    one = readout_like("m", scores, 0.5, rng, np.arange(5, 120))
    table = corrected_table(people, ("a, layer 0", "m", scores + rng.normal(size=120)), scores, [one])
    assert table["what"].tolist() == ["a, layer 0", "readout of measures"]
    np.testing.assert_allclose(table["corrected"], table["rho"] / people.ceiling)
    assert ((table["corrected_low"] < table["corrected"]) & (table["corrected"] < table["corrected_high"])).all()
    (part,) = corrected_sections(table)
    assert part.paragraphs[0].startswith("Ceiling 0.")
    assert corrected_sections(None) == ()
