"""Fewer than 30 images: p by random orders against all orders and scipy, its size under the null; what the intervals cover."""

import numpy as np
import pytest
import scipy.stats

from memjax.stats import exact
from memjax.stats.correlation import METHODS, correlate
from memjax.stats.exact import MOST_IMAGES, ORDERS, exact_p, random_p, reported


def columns_with_ties(rng: np.random.Generator, n: int, k: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    y = rng.normal(size=n)
    x = y[:, None] * np.linspace(-1, 1, k) + rng.normal(size=(n, k))
    return (x.round(), y.round()) if ties else (x, y)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ties", [False, True])
def test_random_orders_come_to_all_orders(method: str, ties: bool) -> None:
    x, y = columns_with_ties(np.random.default_rng(7), 7, 5, ties)
    every, some = exact_p(x, y, method), random_p(x, y, method)
    assert np.abs(some - every).max() < 5 * np.sqrt(0.25 / ORDERS)


@pytest.mark.parametrize(
    ("method", "of_scipy"), [("spearman", scipy.stats.spearmanr), ("pearson", scipy.stats.pearsonr)]
)
@pytest.mark.parametrize("n", [10, 29])
def test_they_come_to_scipys_permutation_test(method: str, of_scipy, n: int) -> None:
    x, y = columns_with_ties(np.random.default_rng(n), n, 3, True)
    p = reported(x, y, method, n_boot=0).p
    for column, ours in zip(x.T, p, strict=True):

        def statistic(a, axis, column=column):
            rho = [of_scipy(column, row).statistic for row in a.reshape(-1, n)]
            return np.abs(rho).reshape(a.shape[:-1])

        theirs = scipy.stats.permutation_test(
            (y,),
            statistic,
            permutation_type="pairings",
            n_resamples=1500,
            alternative="greater",
            vectorized=True,
            rng=1,
        )
        assert ours == pytest.approx(theirs.pvalue, abs=0.05)


def test_kendall_without_ties_is_exact_and_with_ties_is_counted() -> None:
    x, y = columns_with_ties(np.random.default_rng(3), 14, 2, False)
    x[:2, 1] = x[2, 1]
    found = reported(x, y, "kendall", n_boot=0)
    assert found.p[0] == scipy.stats.kendalltau(x[:, 0], y, method="exact").pvalue
    assert found.p[1] == random_p(x[:, 1:], y, "kendall")[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [10, 20, 29])
def test_under_the_null_p_is_uniform(method: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "ORDERS", 4_999)
    rng = np.random.default_rng(n)
    y = np.exp(rng.normal(size=n))
    x = rng.normal(size=(n, 1500)).round(1)  # tied, so that Kendall's p is counted too
    p = random_p(x, y, method)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=4 * np.sqrt(alpha * (1 - alpha) / 1500) + 0.01)
    assert p.min() >= 1 / 5_000


@pytest.mark.parametrize("method", METHODS)
def test_p_depends_on_its_own_column_and_the_seed_alone(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "ORDERS", 999)
    x, y = columns_with_ties(np.random.default_rng(2), 16, 6, True)
    together = random_p(x, y, method, seed=3)
    monkeypatch.setattr(exact, "_VALUES_AT_ONCE", 2_000)
    assert np.array_equal(together, random_p(x, y, method, seed=3))
    assert random_p(x[:, 2:3], y, method, seed=3)[0] == together[2]
    assert (random_p(x, y, method, seed=4) != together).any()


@pytest.mark.parametrize("method", METHODS)
def test_from_thirty_images_on_nothing_changes(method: str) -> None:
    x, y = columns_with_ties(np.random.default_rng(5), MOST_IMAGES + 1, 3, True)
    plain, told = correlate(x, y, method, 100), reported(x, y, method, 100)
    for name in ("rho", "ci_low", "ci_high", "p", "n_images"):
        assert np.array_equal(getattr(plain, name), getattr(told, name))
    fewer = reported(x[1:], y[1:], method, 100)
    assert (fewer.p != correlate(x[1:], y[1:], method, 0).p).any()


@pytest.mark.parametrize(
    ("method", "rho", "true"), [("spearman", 0.6, 0.582), ("pearson", 0.6, 0.6), ("kendall", 0.3, 0.194)]
)
@pytest.mark.parametrize("n", [7, 12, 25])
def test_intervals_cover(method: str, rho: float, true: float, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "ORDERS", 1)
    rng, covered = np.random.default_rng(n), []
    for _ in range(250):
        y = rng.normal(size=n)
        x = rho * y + np.sqrt(1 - rho**2) * rng.normal(size=n)
        found = reported(x[:, None], y, method, n_boot=256)
        covered += [found.ci_low[0] <= true <= found.ci_high[0]] * bool(np.isfinite(found.ci_low[0]))
    assert len(covered) > 240
    assert np.mean(covered) > 0.92


def test_without_resamples_there_is_no_interval_and_of_four_images_none_either() -> None:
    x, y = columns_with_ties(np.random.default_rng(1), 12, 3, False)
    assert np.isnan(reported(x, y, n_boot=0).ci_low).all()
    assert np.isnan(reported(x[:4], y[:4], n_boot=50).ci_low).all()
    assert np.isfinite(reported(x[:5], y[:5], n_boot=50).ci_low).any()
