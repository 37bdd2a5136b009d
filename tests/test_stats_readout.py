"""The readout: nested ridge against scikit-learn, its null and its interval by simulation, leakage, groups, near-duplicates."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import Ridge

from memjax.checks import InputError
from memjax.stats import nested as nesting
from memjax.stats.multiples import usable_columns
from memjax.stats.readout import Readout, readout
from memjax.stats.readouts import ALL, Together, label_table, readout_table, readouts, usable_labels
from memjax.stats.repeats import ReadoutSettings
from memjax.stats.ridge import PENALTIES, fitted, in_float64, stacked, sums_of
from memjax.stats.strata import WithinRho, group_interval, rho_by_stratum, rho_difference, rho_interval, within_rho
from memjax.stats.table import correlation_table, stack

QUICK = ReadoutSettings(repeats=3, permutations=99, shuffles=2)
NO_TESTS = ReadoutSettings(repeats=2, permutations=0, shuffles=0)


def by_hand(x: np.ndarray, y: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Nested ridge as its definition says, a fit at a time."""
    predicted, chosen = np.empty(len(y)), []
    for i in range(folds.max() + 1):
        errors = np.zeros(len(PENALTIES))
        for j in set(range(folds.max() + 1)) - {i}:
            train, test = (folds != i) & (folds != j), folds == j
            for place, penalty in enumerate(PENALTIES):
                fit = Ridge(alpha=penalty * train.sum()).fit(x[train], y[train])
                errors[place] += ((fit.predict(x[test]) - y[test]) ** 2).sum()
        chosen.append(PENALTIES[int(errors.argmin())])
        train = folds != i
        fit = Ridge(alpha=chosen[-1] * train.sum()).fit(x[train], y[train])
        predicted[~train] = fit.predict(x[~train]) - y[train].mean()
    return predicted, chosen


@pytest.mark.parametrize("shape", [(90, 6), (60, 45)], ids=["by columns", "by images"])
def test_nested_ridge_is_that_of_its_definition(shape: tuple[int, int], rng: np.random.Generator) -> None:
    x = rng.normal(size=shape) @ np.diag(np.linspace(0.5, 2, shape[1]))
    y = x[:, :3].sum(axis=1) + 2 * rng.normal(size=shape[0])
    folds = rng.permutation(np.arange(shape[0]) % 5)
    found = nesting.nested(x, np.column_stack([y, rng.permutation(y)]), folds)
    predicted, chosen = by_hand(x, y, folds)
    np.testing.assert_allclose(found.predicted[:, 0], predicted, atol=1e-9)
    assert [PENALTIES[place] for place in found.chosen[:, 0]] == chosen


def test_all_ways_agree(rng: np.random.Generator) -> None:
    x, scores = rng.normal(size=(70, 30)), rng.normal(size=(70, 4))
    folds = np.arange(70) % 4
    one, *others = (way(x, scores, folds) for way in (nesting._by_columns, nesting._by_images, nesting._by_sums))
    for other in others:
        for name in ("predicted", "error", "chosen", "weights"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9, err_msg=name)


def test_many_images_are_judged_by_sums(rng: np.random.Generator) -> None:
    fit = nesting._Columns(rng.normal(size=(50, 4))).fit(rng.normal(size=(50, 3)), np.arange(50))
    seen, wanted = rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
    one_by_one = [((seen @ fit.combination(p) - wanted) ** 2).sum(axis=0) for p in PENALTIES]
    np.testing.assert_allclose(nesting._errors(fit, seen, wanted), one_by_one)


def test_model_of_all_images(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(80, 5)), rng.normal(size=80)
    y += x @ np.arange(5)
    with in_float64():
        weights, intercept, place = fitted(stacked([sums_of(x[f::4], y[f::4, None]) for f in range(4)]))
    fit = Ridge(alpha=PENALTIES[place] * 80).fit(x, y)
    np.testing.assert_allclose(weights[:, 0], fit.coef_, atol=1e-9)
    assert intercept[0] == pytest.approx(fit.intercept_)


def test_readout_finds_what_predicts_and_leaves_out_what_cannot(rng: np.random.Generator) -> None:
    x = rng.normal(size=(240, 7))
    y = 2 * x[:, 0] - x[:, 1] + rng.normal(size=240)
    x[:, 4], x[:, 5], x[:, 6] = 3.0, np.nan, 192 * x[:, 1]
    x[11, 2] = np.nan
    found = readout(x, y, settings=QUICK)
    assert found.rho > 0.8
    assert found.ci_low < found.rho < found.ci_high
    assert found.p == 0.01
    assert found.left_out == (4, 5, 6)
    assert np.isnan(found.weights[4:]).all()
    assert np.isnan(found.predicted).nonzero()[0].tolist() == [11]
    assert found.fold[11] == -1
    assert found.weights[0] > 1.5
    assert found.weights[1] < -0.6
    assert np.nanargmax(found.importance) == 0
    assert abs(found.importance[3]) < 0.03
    assert len(found.penalties) == 15


def test_multiples_in_float32_are_found(rng: np.random.Generator) -> None:
    means = (100 + rng.normal(size=(400, 3))).astype(np.float32)
    x = np.column_stack(
        [means, means * np.float32(768), -means[:, :1], means[:, :1] + 0.01 * rng.normal(size=(400, 1))]
    )
    assert usable_columns(x).tolist() == [0, 1, 2, 7]


def studies(count: int, n: int, columns: int, weight: float) -> list[Readout]:
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, columns))
        y = weight * x[:, 0] + rng.normal(size=n)
        found.append(readout(x, y, settings=dataclasses.replace(NO_TESTS, repeats=5, seed=seed)))
    return found


@pytest.mark.parametrize(("n", "count"), [(60, 250), (256, 60)])
def test_readout_of_noise_is_zero_on_average(n: int, count: int) -> None:
    """A bias of 0.02 (of 0.04 in few images) would be seen: pooled predictions had -0.17 and -0.08."""
    found = studies(count, n, 12, 0.0)
    rho = np.array([one.rho for one in found])
    error = rho.std(ddof=1) / np.sqrt(count)
    assert error < 0.012
    assert abs(rho.mean()) < 2.5 * error
    outside = np.mean([one.ci_low > 0 or one.ci_high < 0 for one in found])
    assert outside <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / count)
    pooled = np.mean([one.pooled for one in found])
    assert pooled < -2.5 * error, "what the mean within folds is taken for"


def test_interval_holds_what_models_reach_on_new_images() -> None:
    """Of Gaussian columns the rho of a model is known: Pearson's r of its prediction, weights w, is w0 / |w| r."""
    found = studies(120, 100, 4, 0.7)
    reached = np.mean([one.weights[0] / np.linalg.norm(one.weights) for one in found]) * 0.7 / np.sqrt(1.49)
    wanted = 6 / np.pi * np.arcsin(reached / 2)
    held = np.mean([one.ci_low <= wanted <= one.ci_high for one in found])
    assert 0.88 <= held <= 1.0
    assert np.mean([one.rho for one in found]) == pytest.approx(wanted, abs=0.05)


def test_p_is_uniform_under_the_null_and_small_for_a_relation(rng: np.random.Generator) -> None:
    p = []
    for seed in range(80):
        own = np.random.default_rng(seed)
        settings = ReadoutSettings(repeats=1, permutations=49, shuffles=0, seed=seed)
        p.append(readout(own.normal(size=(40, 5)), own.normal(size=40), settings=settings).p)
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.01
    x = rng.normal(size=(60, 3))
    assert readout(x, x[:, 0] + rng.normal(size=60), settings=QUICK).p <= 0.02


def test_readout_keeps_clusters_together(rng: np.random.Generator) -> None:
    """Scores that belong to the cluster, columns that only name it: nothing carries over to unseen ones."""
    clusters = np.repeat(np.arange(40), 6)
    x = np.eye(40)[clusters] + 0.01 * rng.normal(size=(240, 40))
    y = rng.normal(size=40)[clusters] + 0.1 * rng.normal(size=240)
    together, apart = (readout(x, y, clusters=c, settings=NO_TESTS) for c in (clusters, None))
    assert all(len(set(together.fold[clusters == g])) == 1 for g in range(40))
    assert apart.rho > 0.9
    assert abs(together.rho) < 0.4
    assert together.ci_high - together.ci_low > 2 * (apart.ci_high - apart.ci_low)
    as_groups = readout(x, y, groups=clusters, settings=NO_TESTS)
    assert as_groups.within == "fold", "in groups of six there is no order to speak of"
    assert as_groups.rho == together.rho


def test_what_tells_groups_apart_counts_for_nothing(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(6), 50)
    means = 5 * rng.normal(size=6)[groups]
    x = np.column_stack([means + 0.1 * rng.normal(size=300), rng.normal(size=300)])
    named = readout(x, means + rng.normal(size=300), groups, settings=QUICK)
    assert named.within == "group"
    assert abs(named.rho) < 0.2
    assert named.ci_low < 0 < named.ci_high
    assert named.p > 0.01
    assert named.pooled > 0.5
    known = readout(x, means + 2 * x[:, 1] + rng.normal(size=300), groups, settings=QUICK)
    assert known.rho > 0.4
    assert known.ci_low > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": 9}, "10 images, got"),
        ({"groups": 2}, "groups: expected three or more, got 2"),
        (
            {"score": 0.5},
            "readout, scores: all 60 are 0.5, and what does not vary correlates with nothing; give scores that differ",
        ),
        ({"folds": 2}, "three folds or more"),
    ],
)
def test_what_cannot_be_read_out_is_one_line(change: dict, said: str, rng: np.random.Generator) -> None:
    n = change.get("n", 60)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=n) if "score" not in change else np.full(n, change["score"])
    groups = np.arange(n) % change["groups"] if "groups" in change else None
    with pytest.raises(InputError, match=said):
        readout(x, y, groups, settings=dataclasses.replace(NO_TESTS, folds=change.get("folds", 5)))


def test_many_columns_one_at_a_time(rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 300))
    y = x[:, 7] * 4 + rng.normal(size=60)
    found = readout(x, y, settings=dataclasses.replace(QUICK, permutations=0, repeats=1))
    assert np.argmax(found.importance) == 7
    assert np.isfinite(found.importance).all()


def test_rho_by_stratum_is_scipys(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(60, 2)).round(1), rng.normal(size=(60, 1)).round(1)
    strata = np.repeat([3, 5, 9], [10, 20, 30])
    rho, weights = rho_by_stratum(x, y, strata)
    for place, name in enumerate((3, 5, 9)):
        for column in range(2):
            wanted = scipy.stats.spearmanr(x[strata == name, column], y[strata == name, 0]).statistic
            assert rho[place, column] == pytest.approx(wanted)
    np.testing.assert_allclose(weights, np.array([9, 19, 29]) / 57)
    flat, _ = rho_by_stratum(np.ones((60, 1)), y, strata)
    assert (flat == 0).all(), "what orders nothing has rho 0"


def test_differences_are_paired(rng: np.random.Generator) -> None:
    """Two predictions that share their noise: the interval of the difference is narrower than those of each."""
    y, folds = rng.normal(size=400), [rng.permutation(np.arange(400) % 5) for _ in range(4)]
    shared = y + 2 * rng.normal(size=400)
    better, worse = shared + 0.3 * y, shared
    one, other = (within_rho([x] * 4, y, folds) for x in (better, worse))
    apart = rho_difference(one, other)
    assert apart.value == pytest.approx(one.rho - other.rho)
    assert apart.low > 0
    assert apart.p < 0.01
    each = rho_interval(one)
    assert apart.high - apart.low < 0.5 * (each.high - each.low)
    same = rho_difference(one, one)
    assert (same.value, same.p) == (0.0, 1.0)


def test_clusters_widen_the_interval_and_groups_use_t() -> None:
    of = WithinRho(np.array([0.3, 0.3]), np.full(100, 0.01), 5)
    each, joint = rho_interval(of), rho_interval(of, np.arange(100) // 4)
    assert joint.error == pytest.approx(2 * each.error)
    three = WithinRho(np.array([0.2]), np.zeros(9), 3, (np.array([0.1, 0.2, 0.3]), np.full(3, 1 / 3)))
    found = group_interval(three)
    wanted = scipy.stats.t.interval(0.95, 2, 0.2, scipy.stats.sem([0.1, 0.2, 0.3]))
    assert (found.low, found.high) == pytest.approx(wanted)


def test_labels_alone_and_what_is_added(rng: np.random.Generator) -> None:
    kind = rng.integers(0, 4, 300)
    x = rng.normal(size=(300, 2))
    y = 2 * rng.normal(size=4)[kind] + x[:, 0] + rng.normal(size=300)
    columns = stack({"one": {"a": x[:, :1]}, "two": {"b": x[:, 1:]}})
    found = readouts(columns, y, settings=QUICK)
    table = label_table(found, columns, y, {"kind": kind.astype(str)}, (Together(), QUICK)).set_index("model")
    assert list(table.index) == ["one", "two", ALL]
    assert table["labels_rho"].nunique() == 1
    assert table.loc["one", "increment_low"] > 0
    assert table.loc["two", "increment_low"] < 0, "noise adds nothing"
    assert abs(table.loc["two", "increment"]) < 0.06
    assert table.loc["one", "both_rho"] > found["one"].rho
    shares = readout_table(found, correlation_table(columns, y, n_boot=0))
    assert shares.loc[shares["model"] == "two", "p"].item() > 0.01


def test_labels_of_unseen_groups_are_no_baseline() -> None:
    labels = {"category": np.repeat(list("abcd"), 30), "sub": np.repeat(list("abcdefgh"), 15), "other": ["x", "y"] * 60}
    assert list(usable_labels(labels)) == ["category", "sub", "other"]
    assert list(usable_labels(labels, labels["category"])) == ["other"]
    assert list(usable_labels(labels, labels["sub"])) == ["category", "other"]


def test_best_single_of_all_encoders_is_one_of_theirs(rng: np.random.Generator) -> None:
    x = rng.normal(size=(100, 2))
    y = x[:, 0] + rng.normal(size=100)
    columns = stack({"one": {"a": x[:, :1]}, "two": {"b": x[:, 1:]}})
    found = readouts(columns, y, settings=NO_TESTS)
    others = stack({"autoencoder": {"loss": y[:, None]}})
    table = correlation_table(columns.beside(others), y, n_boot=0)
    row = readout_table(found, table).set_index("model").loc[ALL]
    assert row["best_single"] == "a, layer 0, one"


def test_the_error_of_noise_is_what_theory_says(rng: np.random.Generator) -> None:
    """Many columns of noise: between partitions 2 / (K n), influences (1 - 1 / K) / n; so the error is 2 (1 - 1 / K) / n."""
    n, found = 400, []
    for seed in range(12):
        own = np.random.default_rng(seed)
        x, y = own.normal(size=(n, 60)), own.normal(size=n)
        found.append(readout(x, y, settings=dataclasses.replace(NO_TESTS, repeats=8, seed=seed)).parts)
    influence = np.mean([(one.influence**2).sum() for one in found]) * n
    between = np.mean([one.by_repeat.var(ddof=1) for one in found]) * n
    assert influence == pytest.approx(0.8 + 0.2 / 8, abs=0.1)
    assert between == pytest.approx(0.4, abs=0.13)
    uncertain = WithinRho(np.array([0.1, 0.2]), np.zeros(50), 5)
    certain = WithinRho(np.array([0.1, 0.2] * 20), np.zeros(50), 5)
    assert rho_interval(uncertain).high > rho_interval(certain).high + 0.3, "two repeats tell little of their variance"
