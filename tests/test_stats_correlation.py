"""`memjax.stats.correlation`: agreement with scipy and statsmodels, and the stated policy for NaN, ties, constants."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from memjax.checks import InputError
from memjax.stats.correlation import METHODS, benjamini_hochberg, correlate, holm

SCIPY = {
    "spearman": scipy.stats.spearmanr,
    "pearson": scipy.stats.pearsonr,
    "kendall": scipy.stats.kendalltau,
}


def sample(rng: np.random.Generator, n: int = 41, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Columns with ties that follow the score to different degrees."""
    y = rng.normal(size=n).round(1)
    return (y[:, None] * np.linspace(-1, 1, k) + rng.normal(size=(n, k))).round(1), y


@pytest.mark.parametrize("method", METHODS)
def test_values_and_p_are_scipys(rng: np.random.Generator, method: str) -> None:
    x, y = sample(rng)
    found = correlate(x, y, method, n_boot=0)
    wanted = [SCIPY[method](column, y) for column in x.T]
    np.testing.assert_allclose(found.rho, [w.statistic for w in wanted], rtol=1e-12)
    np.testing.assert_allclose(found.p, [w.pvalue for w in wanted], rtol=1e-9)
    assert np.isnan(found.ci_low).all()


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float64, (9, 2), elements=st.integers(-3, 3).map(float)),
    hnp.arrays(np.float64, 9, elements=st.integers(-3, 3).map(float)),
)
def test_spearman_with_heavy_ties_is_scipys(x: np.ndarray, y: np.ndarray) -> None:
    found = correlate(x, y, n_boot=0)
    for j, column in enumerate(x.T):
        if np.ptp(column) == 0 or np.ptp(y) == 0:
            assert np.isnan(found.rho[j])
        else:
            assert found.rho[j] == pytest.approx(scipy.stats.spearmanr(column, y).statistic, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_missing_and_constant_columns(rng: np.random.Generator, method: str) -> None:
    x, y = sample(rng)
    x[:, 1] = 7.0
    x[[0, 3], 2] = np.nan
    x[5, 3] = np.inf
    x[:, 4] = np.nan
    y[9] = np.nan
    found = correlate(x, y, method, n_boot=50)
    assert found.n_images.tolist() == [40, 40, 38, 39, 0]
    for values in (found.rho, found.p, found.ci_low, found.ci_high):
        assert np.isfinite(values).tolist() == [True, False, True, True, False]
    keep = np.isfinite(x[:, 2]) & np.isfinite(y)
    assert found.rho[2] == pytest.approx(SCIPY[method](x[keep, 2], y[keep]).statistic)


@pytest.mark.parametrize("method", METHODS)
def test_interval_does_not_depend_on_the_other_columns(rng: np.random.Generator, method: str) -> None:
    x, y = sample(rng)
    x[2, 0] = np.nan
    together, alone = correlate(x, y, method, n_boot=100), correlate(x[:, 3:4], y, method, n_boot=100)
    np.testing.assert_allclose(together.ci_low[3:4], alone.ci_low, atol=1e-6)
    assert (together.ci_low <= together.rho).all()
    assert (together.rho <= together.ci_high).all()


def test_perfect_order_and_wrong_input() -> None:
    x = np.arange(10.0)[:, None]
    found = correlate(x, np.exp(x[:, 0]), n_boot=20)
    assert found.rho[0] == pytest.approx(1)
    assert found.p[0] == 0
    assert found.ci_low[0] == pytest.approx(1, abs=1e-6)
    assert np.isnan(correlate(x[:2], x[:2, 0]).rho[0])
    for bad in ((x, x), (x, x[:4, 0])):
        with pytest.raises(InputError, match=r"\[n, k\]"):
            correlate(*bad)
    with pytest.raises(InputError, match="spearman"):
        correlate(x, x[:, 0], "tau")
    with pytest.raises(InputError, match="between 0 and 1"):
        correlate(x, x[:, 0], level=95.0)


def test_multiple_testing() -> None:
    """Benjamini & Hochberg 1995, section 4.2: 15 p-values, four rejected by their procedure at 0.05, three by Holm."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590]
    p = np.array([*p, 1.0])
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3
    q = benjamini_hochberg(np.array([[np.nan, 0.01], [0.04, np.nan]]))
    np.testing.assert_allclose(q, [[np.nan, 0.02], [0.04, np.nan]])
    assert np.isnan(holm(np.array([np.nan]))).all()
