"""`memjax.stats.resampling`, `intervals`, `permutation`: every resample against scipy on the repeated rows."""

import numpy as np
import pytest
import scipy.stats

from memjax.checks import InputError
from memjax.stats import resampling
from memjax.stats.correlation import bootstrap, correlate
from memjax.stats.intervals import fisher_z, interval, jackknife
from memjax.stats.permutation import permutation_test

SCIPY = {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr, "kendall": scipy.stats.kendalltau}


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three columns with many ties, one without, and a tied score."""
    y = rng.normal(size=57).round(1)
    x = 0.5 * y[:, None] + rng.normal(size=(57, 4))
    x[:, :3] = x[:, :3].round(1)
    return x, y


@pytest.mark.parametrize("method", SCIPY)
def test_each_resample_is_scipys_on_the_repeated_rows(data, rng: np.random.Generator, method: str) -> None:
    x, y = data
    weights = resampling.bootstrap_weights(len(y), 150, rng)  # more than one chunk
    assert (weights.sum(axis=0) == len(y)).all()
    ours = resampling.KERNELS[method](x, y, weights)
    assert ours.shape == (150, 4)
    for r in (0, 1, 127, 128, 149):
        rows = np.repeat(np.arange(len(y)), weights[:, r].astype(int))
        theirs = [SCIPY[method](column[rows], y[rows]).statistic for column in x.T]
        np.testing.assert_allclose(ours[r], theirs, atol=1e-6)


def test_a_resample_without_variation_is_nan() -> None:
    x, y = np.arange(6.0)[:, None], np.arange(6.0)
    weights = np.zeros((6, 1), np.float32)
    weights[2] = 6
    for kernel in resampling.KERNELS.values():
        assert np.isnan(kernel(x, y, weights)).all()


def test_linear_kendall_has_the_spread_of_the_exact_one(data, rng: np.random.Generator, monkeypatch) -> None:
    x, y = (np.tile(a.T, 5).T + 0.01 * rng.normal(size=a.shape[0] * 5).reshape(-1, *[1] * (a.ndim - 1)) for a in data)
    weights = resampling.bootstrap_weights(len(y), 400, rng)
    exact = resampling.weighted_kendall(x, y, weights)
    monkeypatch.setattr(resampling, "EXACT_KENDALL_LIMIT", 10)
    linear = resampling.weighted_kendall(x, y, weights)
    np.testing.assert_allclose(linear.std(axis=0), exact.std(axis=0), rtol=0.05)
    assert np.abs(linear - exact).mean() < 0.15 * exact.std()


def test_jackknife_leaves_one_out(data) -> None:
    x, y = data
    left_out = jackknife(x, y, "spearman")
    for i in (0, 30, 56):
        rows = np.delete(np.arange(len(y)), i)
        wanted = [scipy.stats.spearmanr(c[rows], y[rows]).statistic for c in x.T]
        np.testing.assert_allclose(left_out[i], wanted, atol=1e-6)


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_intervals_are_scipys_up_to_the_resamples(data, kind: str) -> None:
    x, y = data
    low, high = interval(x[:, :1], y, "pearson", kind, n_boot=9_999)
    theirs = scipy.stats.bootstrap(
        (x[:, 0], y),
        lambda a, b, axis: scipy.stats.pearsonr(a, b, axis=axis).statistic,
        paired=True,
        vectorized=True,
        method="BCa" if kind == "bca" else kind,
        n_resamples=9_999,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert low[0] == pytest.approx(theirs.low, abs=0.012)
    assert high[0] == pytest.approx(theirs.high, abs=0.012)


def test_fisher_z_is_scipys_and_follows_the_policy(data) -> None:
    x, y = data
    theirs = scipy.stats.pearsonr(x[:, 0], y).confidence_interval()
    low, high = interval(np.column_stack([x[:, 0], np.ones(57)]), y, "pearson", "fisher")
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high))
    assert np.isnan(low[1])
    assert np.isnan(fisher_z(np.array([0.5]), 4)[0]).all()
    with pytest.raises(InputError, match="percentile, bca, fisher"):
        interval(x, y, kind="normal")


def test_bootstrap_repeats_with_its_seed(data) -> None:
    x, y = data
    np.testing.assert_array_equal(bootstrap(x, y, "pearson", 20, 1), bootstrap(x, y, "pearson", 20, 1))
    assert (bootstrap(x, y, "pearson", 20, 1) != bootstrap(x, y, "pearson", 20, 2)).any()


def test_permutation_p_is_near_the_analytic_one(data, rng: np.random.Generator) -> None:
    x, y = data
    columns = np.column_stack([x[:, 0], rng.normal(size=57), np.ones(57), np.full(57, np.nan)])
    found = permutation_test(columns, y, n_perm=4_000)
    wanted = correlate(columns, y, n_boot=0)
    np.testing.assert_allclose(found.rho[:2], wanted.rho[:2], atol=1e-12)
    assert found.p[1] == pytest.approx(wanted.p[1], abs=0.03)
    assert found.p[0] < 0.01
    assert (found.p_family[:2] >= found.p[:2]).all()
    assert np.isnan(found.p[2:]).all()
    with pytest.raises(InputError, match="kendall"):
        permutation_test(x, y, "kendall")


def test_permutation_false_positives_keep_their_rate(rng: np.random.Generator) -> None:
    """Under independence p is uniform: 200 columns, about 5 % below 0.05; of the family-wise p at most a few."""
    found = permutation_test(rng.normal(size=(40, 200)), rng.normal(size=40), n_perm=500)
    assert 0.01 < (found.p < 0.05).mean() < 0.10
    assert (found.p_family < 0.05).sum() <= 1
