"""The strongest of many correlations: is it there, and which others can it not be told from? Levels by simulation."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from memjax.outputs import DatasetRecord, Run
from memjax.stats import blocks
from memjax.stats import strongest as module
from memjax.stats.analysis import AnalysisSettings, analyse
from memjax.stats.correlation import METHODS
from memjax.stats.multiples import multiples, scaled
from memjax.stats.permutation import permutation_limit, permutation_test
from memjax.stats.strongest import FEWEST, Strongest, find_strongest
from memjax.stats.table import Columns, correlation_table, stack


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few permutations, and statsmodels' correction without the collection of garbage that it begins with."""
    monkeypatch.setattr(module, "PERMUTATIONS", 256)
    monkeypatch.setattr("gc.collect", lambda *_: 0)


def found_of(x: np.ndarray, y: np.ndarray, method: str = "spearman", name: str = "m"):
    columns = stack({name: {"a": x}})
    return find_strongest(columns, y, correlation_table(columns, y, method, n_boot=0), method)


def drawn(rng: np.random.Generator, n: int, rho: float, between: float, heavy: bool = False) -> np.ndarray:
    """Two measures of equal rho and the score, ``[n, 3]``; heavy: of Student's t with three degrees of freedom."""
    covariance = np.array([[1, between, rho], [between, 1, rho], [rho, rho, 1]])
    x = rng.normal(size=(n, 3)) @ np.linalg.cholesky(covariance).T
    return x * np.sqrt(3 / rng.chisquare(3, size=(n, 1))) if heavy else x


@pytest.mark.parametrize("test", [permutation_test, permutation_limit])
def test_p_of_the_largest_is_uniform_under_the_null(test) -> None:
    rng = np.random.default_rng(0)
    together = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(20), np.arange(20))))
    p = []
    for seed in range(200):
        x, y = rng.normal(size=(60, 20)) @ together.T, rng.normal(size=60).round(1)
        p.append(test(x, y, "spearman", 256, seed).p_family.min())
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001
    assert (np.array(p) <= 0.05).mean() < 0.1


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_the_limit_is_that_of_the_permutations(method: str) -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=900)
    x = rng.normal(size=(900, 8)) + 0.07 * y[:, None]
    x[:, 7] = 3 * x[:, 6]  # a singular covariance
    x[5, 2] = np.nan
    x = np.column_stack([x, np.ones(900)])
    drawn_, limit = permutation_test(x, y, method, 4096), permutation_limit(x, y, method, 4096)
    np.testing.assert_array_equal(drawn_.rho, limit.rho)
    np.testing.assert_allclose(drawn_.p_family, limit.p_family, atol=0.04)
    np.testing.assert_allclose(drawn_.p, limit.p, atol=0.04)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("rho", "between", "heavy"), [(0.0, 0.5, False), (0.6, 0.6, False), (0.6, 0.6, True)])
def test_the_paired_test_keeps_its_level(method: str, rho: float, between: float, heavy: bool) -> None:
    rng, rejected = np.random.default_rng(2), []
    for _ in range(120):
        x = drawn(rng, 100, rho, between, heavy)
        rejected.append(found_of(x[:, :2], x[:, 2], method).table["p"][1] < 0.05)
    most = 0.13 if heavy and method == "pearson" else 0.05  # moments that do not exist: see benchmarks/small_samples.py
    assert np.mean(rejected) <= most + 3 * np.sqrt(most * (1 - most) / 120)


def test_it_sees_a_difference_and_its_interval_is_about_it() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=2000)
    x = np.stack([0.6 * y, -0.3 * y, 0 * y], axis=1) + rng.normal(size=(2000, 3))
    table = found_of(x, y).table
    assert table["layer"].tolist() == [0, 1, 2]
    assert (table["p_holm"][1:] < 1e-6).all()
    assert np.isnan(table["difference"][0])
    gap = abs(table["rho"][0]) - table["rho"].abs()
    np.testing.assert_allclose(table["difference"][1:], gap[1:], atol=1e-12)  # sizes: a sign is no difference
    assert (table["difference_low"][1:] < gap[1:]).all()
    assert (gap[1:] < table["difference_high"][1:]).all()


@pytest.mark.parametrize("method", METHODS)
def test_its_error_is_the_bootstraps(method: str) -> None:
    rng = np.random.default_rng(4)
    x = drawn(rng, 400, 0.4, 0.7).round(1)
    row = found_of(x[:, :2], x[:, 2], method).table.iloc[1]
    of_scipy = {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr, "kendall": scipy.stats.kendalltau}[
        method
    ]
    differences = []
    for _ in range(400):
        rows = rng.integers(0, 400, 400)
        differences.append(of_scipy(x[rows, 0], x[rows, 2])[0] - of_scipy(x[rows, 1], x[rows, 2])[0])
    half = (row["difference_high"] - row["difference_low"]) / 2
    assert half == pytest.approx(1.97 * np.std(differences), rel=0.15)


def test_the_truly_strongest_is_rarely_lost() -> None:
    rng, lost = np.random.default_rng(5), 0
    covariance = np.full((7, 7), 0.6) + 0.4 * np.eye(7)
    covariance[6, :6] = covariance[:6, 6] = [0.33, 0.3, 0.3, 0.3, 0.3, 0.1]
    root = np.linalg.cholesky(covariance)
    for _ in range(120):
        x = rng.normal(size=(150, 7)) @ root.T
        table = found_of(x[:, :6], x[:, 6]).table
        lost += bool(table.loc[table["layer"] == 0, "p_holm"].iloc[0] < 0.05)
    assert lost <= 120 * 0.05


def test_multiples_are_no_rivals_and_are_counted_once() -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(size=80)
    mean = (y[:, None] + rng.normal(size=(80, 3))).astype(np.float32)
    mean[:, 0] = 0.25  # constant at layer 0
    largest = np.stack([np.zeros(80), mean[:, 1], rng.normal(size=80)], axis=1).astype(np.float32)
    measures = {"m": {"mean": mean, "total": np.float32(-384) * mean, "largest": largest}}
    columns = stack(measures)
    assert columns.keys[multiples(columns.values, columns.keys)].values.tolist() == [
        ["m", "total", 1],
        ["m", "total", 2],
        ["m", "largest", 1],
    ]
    found = find_strongest(columns, y, correlation_table(columns, y, n_boot=0))
    assert found.strongest.correlations == len(found.table) == 3
    assert found.strongest.left_out == 3
    assert found.strongest.multiples == ("total",), "largest is one at a single layer"
    assert found.strongest.metric == "mean"


@pytest.mark.parametrize("block", [2**40, 1])
@pytest.mark.parametrize("factor", [-2.0, 1.0, 384.0])
def test_a_measure_and_its_multiples_are_one_test(factor: float, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=100)
    x, other = y[:, None] + 4 * rng.normal(size=(100, 5)), y[:, None] + 5 * rng.normal(size=(100, 5))
    once = {"one": {"mean": x, "norm": other}, "two": {"mean": other + y[:, None]}}
    twice = {"one": {"mean": x, "norm": other, "sum": factor * x}, "two": {"mean": factor * (other + y[:, None])}}
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)  # 1: each measure is read by itself
    how = blocks.How("spearman", 0, 0, 1000)
    wanted, found = blocks.correlated(once, y, how).table, blocks.correlated(twice, y, how).table
    places = ["model", "metric", "layer"]
    q = found.set_index(places)["q"]
    for model, metric in (("one", "mean"), ("one", "norm"), ("two", "mean")):
        own = wanted.set_index(places)["q"].loc[model, metric]
        np.testing.assert_allclose(q.loc[model, metric], own, rtol=1e-9)
    np.testing.assert_array_equal(q.loc["one", "sum"], q.loc["one", "mean"])
    assert len(found) == len(wanted) + 5, "their rows stay"
    family = wanted["p"].to_numpy()
    np.testing.assert_allclose(wanted["q"], scipy.stats.false_discovery_control(family))


@pytest.mark.parametrize(
    ("x", "of", "wanted"),
    [
        ([1, 2, 4], [2, 4, 8], True),
        ([1, 2, 4], [2, 4, 8.01], False),
        ([1, 2, 4], [3, 4, 6], False),  # shifted
        ([1, 2, np.nan], [2, 4, 8], False),
        ([0, 0, 0], [2, 4, 8], False),
        ([2, 4, 8], [0, 0, 0], False),
        ([np.nan] * 3, [np.nan] * 3, False),
        ([0, -3, 1e-30], [0, 1, -1e-30 / 3], True),
    ],
)
def test_what_a_multiple_is(x, of, wanted) -> None:
    assert scaled(np.array(x, float), np.array(of, float)) is wanted


def test_the_same_column_twice_is_not_told_from_itself() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=50)
    x = np.stack([y + rng.normal(size=50)] * 2, axis=1)
    table = found_of(x, y).table
    assert (table["p"][1], table["difference"][1]) == (1.0, 0.0)
    perfect = found_of(np.stack([y, rng.normal(size=50)], axis=1), y).table
    assert perfect["p"][1] < 1e-6


def test_missing_values_constant_parts_and_too_few() -> None:
    rng = np.random.default_rng(8)
    y = rng.normal(size=90)
    x = y[:, None] * [1.0, 0.9, 0.8, 2.0] + rng.normal(size=(90, 4))
    x[:20, 1] = np.nan
    x[20:, 2] = np.where(np.arange(70) < 3, x[20:, 2], np.nan)  # 23 images: of no account
    y[85:] = np.nan
    found = found_of(x, y)
    assert found.table["layer"].tolist() == [3, 0, 1]
    assert found.table["n"].tolist() == [85, 85, 65]
    assert found.strongest.images == 65
    x[:60, 1] = np.nan  # then no image has all, but those of 25: no permutation
    few = found_of(np.column_stack([x, np.where(np.arange(90) < 45, x[:, 0], np.nan)]), y)
    assert few.strongest.correlations == 3
    assert few.strongest.p_family is not None
    apart = np.column_stack(
        [np.where(np.arange(90) < 45, x[:, 0], np.nan), np.where(np.arange(90) < 45, np.nan, x[:, 0])]
    )
    found = found_of(apart, y)
    assert found.strongest.p_family is None
    assert found.strongest.unsettled == 1, "no image has both"
    assert found_of(x[: FEWEST - 1], y[: FEWEST - 1]) is None


def test_kendall_has_rivals_and_no_max_statistic() -> None:
    rng = np.random.default_rng(9)
    y = rng.normal(size=70)
    found = found_of(y[:, None] + rng.normal(size=(70, 3)), y, "kendall")
    assert found.strongest.p_family is None
    assert found.table["p_family"].isna().all()
    assert found.table["p"][1:].notna().all()


def test_of_many_images_it_is_of_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_IMAGES", 100)
    rng = np.random.default_rng(10)
    y = rng.normal(size=400)
    x = y[:, None] * [0.5, 0.2] + rng.normal(size=(400, 2))
    found = analyse({"m": {"a": x}}, y, settings=AnalysisSettings(bootstraps=20, readout_values=400))
    assert found.table["n"].tolist() == [400, 400]
    assert (found.strongest.strongest.n, found.strongest.strongest.images) == (200, 200)
    assert found.strongest.strongest.permutations == 0
    assert found.strongest.strongest.p_family < 0.01
    assert found.strongest.strongest.rho == found.table["rho"][0]


def test_it_is_recorded_and_read_back() -> None:
    rng = np.random.default_rng(11)
    y = rng.normal(size=60)
    for method in ("spearman", "kendall"):
        found = found_of(rng.normal(size=(60, 4)), y, method).strongest
        assert Run.from_json(Run(DatasetRecord("x"), strongest=found).to_json()).strongest == found
    assert isinstance(found, Strongest)


def test_columns_of_one_value_do_not_stand_in_the_way() -> None:
    rng = np.random.default_rng(12)
    y = rng.normal(size=60)
    keys = pd.DataFrame({"model": "m", "metric": "a", "layer": range(3)})
    values = np.column_stack([np.ones(60), rng.normal(size=60), y + rng.normal(size=60)])
    columns = Columns(values, keys)
    found = find_strongest(columns, y, correlation_table(columns, y, n_boot=0))
    assert found.table["layer"].tolist() == [2, 1]
