"""Measures side by side: against slow definitions and libraries; level and coverage of what decides."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from memjax.checks import InputError
from memjax.stats.dependent import williams
from memjax.stats.over_layers import nested_choice, sum_of_ranks
from memjax.stats.partial import one_hot, partial_correlation
from memjax.stats.rivals import NO, OPEN, YES, compare_rivals, interval_around, partial_rho, tells_more


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(scipy.stats.spearmanr(a, b).statistic)


@pytest.fixture
def made(rng) -> tuple[np.ndarray, np.ndarray]:
    y = rng.normal(size=300)
    base = 0.4 * y + rng.normal(size=300)
    return np.stack([base, base + 0.5 * rng.normal(size=300), rng.normal(size=300)], axis=1), y


def test_every_number_is_its_definition(made) -> None:
    x, y = made
    category = np.arange(300) % 4
    controls = {"length": x[:, 2:], "category": one_hot(category)}
    found = compare_rivals(["a", "b", "c"], x, y, controls, n_boot=100)
    assert list(zip(found.pairs["first"], found.pairs["second"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    row = found.pairs.iloc[0]
    a, b, ab = spearman(x[:, 0], y), spearman(x[:, 1], y), spearman(x[:, 0], x[:, 1])
    assert row[["rho_first", "rho_second", "rho_between"]].tolist() == pytest.approx([a, b, ab], abs=1e-12)
    assert row["p"] == pytest.approx(williams(a, b, ab, 300).p)
    given = partial_correlation(x[:, :1], y, x[:, 1:2])
    assert row["first_given_second"] == pytest.approx(given.rho[0], abs=1e-9)
    assert abs(row["first_given_second_low"] - given.ci_low[0]) < 0.05, "Fisher's interval, about"
    own = found.alone.set_index("measure")
    assert own.loc["a", "rho_given_category"] == pytest.approx(
        partial_correlation(x[:, :1], y, one_hot(category)).rho[0]
    )
    assert np.isnan(own.loc["c", "rho_given_length"]), "of its own length nothing is left"
    assert (found.pairs["p_holm"] >= found.pairs["p"]).all()


def test_partial_correlation_is_pingouins() -> None:
    pingouin = pytest.importorskip("pingouin")
    rng = np.random.default_rng(2)
    y = rng.normal(size=80)
    frame = pd.DataFrame({"y": y, "a": y + rng.normal(size=80), "b": y + rng.normal(size=80)})
    theirs = pingouin.partial_corr(frame, "a", "y", "b", method="spearman")["r"].iloc[0]
    r = [spearman(frame["a"], y), spearman(frame["b"], y), spearman(frame["a"], frame["b"])]
    assert float(partial_rho(*map(np.array, r))) == pytest.approx(theirs, abs=1e-4)


def test_resamples_are_shared(made) -> None:
    """A measure and one with the same ranks never differ; a measure and its negation differ by twice."""
    x, y = made
    found = compare_rivals(
        ["a", "exp a", "-a"], np.stack([x[:, 0], np.exp(x[:, 0]), -x[:, 0]], axis=1), y, {}, n_boot=50
    )
    same, turned, _ = found.pairs.to_dict("records")
    assert (same["difference"], same["difference_low"], same["difference_high"], same["p"]) == (0, 0, 0, 1)
    assert same["first_tells_more"] == same["second_tells_more"] == NO
    assert turned["difference"] == pytest.approx(2 * turned["rho_first"])
    assert np.isnan(turned["p"])


def test_images_without_a_value_leave_every_measure(made) -> None:
    x, y = made
    x, y, length = x.copy(), y.copy(), np.ones((300, 1)) * np.arange(300)[:, None]
    x[0, 0], x[1, 2], y[2], length[3] = np.nan, np.inf, np.nan, np.nan
    found = compare_rivals(["a", "b", "c"], x, y, {"length": length}, n_boot=20)
    assert found.alone["n"].eq(296).all()
    assert found.alone["rho"].iloc[1] == pytest.approx(spearman(x[4:, 1], y[4:]))
    with pytest.raises(InputError, match="ten or more"):
        compare_rivals(["a"], x[:9], y[:9], {}, n_boot=2)


@pytest.mark.parametrize(
    ("difference", "given", "answer"),
    [
        ((0.01, 0.2), (0.01, 0.2), YES),
        ((0.01, 0.2), (-0.01, 0.2), OPEN),  # stronger, but it may tell nothing of its own
        ((-0.2, -0.01), (0.1, 0.3), NO),  # the other is stronger, even if this one adds to it
        ((-0.01, 0.04), (-0.01, 0.04), NO),
        ((-0.01, 0.04), (-0.01, 0.06), OPEN),
        ((-0.01, 0.06), (-0.01, 0.04), OPEN),
        ((np.nan, np.nan), (np.nan, np.nan), OPEN),
    ],
)
def test_the_answer(difference, given, answer) -> None:
    assert tells_more(difference, given) == answer


def test_a_bound_never_excludes_its_estimate() -> None:
    low, high = interval_around(0.5, np.full(9, 0.4))
    assert low <= 0.5 <= high
    assert np.isnan(interval_around(np.nan, np.ones(3))[0])


def test_a_score_that_is_the_measure_and_a_constant_one(made) -> None:
    x, y = made
    found = compare_rivals(["y", "c", "one"], np.stack([y, x[:, 2], np.ones(300)], axis=1), y, {}, n_boot=20).pairs
    assert np.isnan(found["p"]).all()
    assert found["first_tells_more"].tolist() == [YES, OPEN, OPEN]


def test_layers_are_never_picked_by_their_own_result(rng) -> None:
    """Of noise at fifty layers the best layer would have a rho well above 0; what chooses fairly has none on average."""
    fair, picked = [], []
    for _ in range(40):
        x, y = rng.normal(size=(100, 50)), rng.normal(size=100)
        fair.append((spearman(nested_choice(x, y), y), spearman(sum_of_ranks(x), y)))
        picked.append(max(spearman(column, y) for column in x.T))
    assert np.mean(picked) > 0.2
    assert np.abs(np.mean(fair, axis=0)).max() < 3 * 0.1 / np.sqrt(40)


def test_the_layer_that_tells_is_found(rng) -> None:
    y = rng.normal(size=200)
    x = rng.normal(size=(200, 6))
    x[:, 4] += 2 * y
    assert spearman(nested_choice(x, y), y) > 0.8
    with pytest.raises(InputError, match="ten images"):
        nested_choice(x[:30], y[:30], folds=4)


CASES = {
    # population: rho of a with y, of b with y, of a with b (normal scores)
    "equal, unrelated": (0.25, 0.25, 0.1),
    "equal, alike": (0.25, 0.25, 0.9),
    "a noisy copy of b": (0.25 * 0.8, 0.25, 0.8),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_level_and_coverage(case: str, rng) -> None:
    """Of what decides, 200 studies of 200 images: Williams' level, coverage of both intervals, wrong answers of yes."""
    a, b, ab = CASES[case]
    root = np.linalg.cholesky(np.array([[1, ab, a], [ab, 1, b], [a, b, 1]]))
    truth = {"difference": spearman_of(a) - spearman_of(b)}
    own, other, between = (np.array(spearman_of(r)) for r in (a, b, ab))
    truth["first_given_second"] = float(partial_rho(own, other, between))
    rows = []
    for _ in range(200):
        z = rng.normal(size=(200, 3)) @ root.T
        rows.append(compare_rivals(["a", "b"], z[:, :2], z[:, 2], {}, n_boot=400).pairs.iloc[0])
    found = pd.DataFrame(rows)
    for name, value in truth.items():
        covered = ((found[f"{name}_low"] <= value) & (value <= found[f"{name}_high"])).mean()
        assert 0.91 <= covered <= 0.985, (name, covered)
    if a == b:
        assert (found["p"] < 0.05).mean() <= 0.09
    assert (found["first_tells_more"] == YES).mean() <= 0.06


def spearman_of(r: float) -> float:
    """Spearman's rho of normal variables whose Pearson's is ``r``."""
    return 6 / np.pi * np.arcsin(r / 2)
