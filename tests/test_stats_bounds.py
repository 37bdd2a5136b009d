"""No end of an interval excludes its estimate or leaves [-1, 1], whoever made it; ends that were right keep every digit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from memjax.stats import exact
from memjax.stats.bounds import held
from memjax.stats.correlation import METHODS, bootstrap, correlate
from memjax.stats.exact import reported
from memjax.stats.intervals import KINDS, fisher_z, interval
from memjax.stats.partial import partial_correlation, within_category

COLUMNS = hnp.arrays(np.float64, (12, 3), elements=st.integers(-4, 4).map(float))
SCORES = hnp.arrays(np.float64, 12, elements=st.integers(-4, 4).map(float))
CORRELATION = st.one_of(st.floats(-1, 1), st.just(np.nan))


@pytest.fixture(autouse=True, scope="module")
def few_orders():
    """p is of no account here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "ORDERS", 99)
        patch.setattr(exact, "MOST_ORDERS", 3)
        yield


def assert_held(rho: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    known = np.isfinite(low)
    assert np.array_equal(known, np.isfinite(high))
    assert not known[np.isnan(rho)].any()
    assert (low[known] >= -1).all()
    assert (high[known] <= 1).all()
    assert (low[known] <= rho[known]).all()
    assert (rho[known] <= high[known]).all()


@settings(max_examples=200, deadline=None)
@given(CORRELATION, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_ends_move_no_further_than_they_have_to(rho: float, low: float, high: float) -> None:
    one, other = held(*np.array([[rho], [low], [high]]))
    if np.isnan(rho):
        assert np.isnan([one, other]).all()
        return
    assert -1 <= one[0] <= rho <= other[0] <= 1
    if -1 <= low <= rho:
        assert one[0] == low
    if rho <= high <= 1:
        assert other[0] == high


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(x=COLUMNS, y=SCORES, follow=st.booleans())
def test_every_way_to_an_interval_of_a_table(method: str, x: np.ndarray, y: np.ndarray, follow: bool) -> None:
    if follow:
        x[:, 0], x[:, 1] = y, -(y**3)  # perfect correlations, to rounding
    for found in (correlate(x, y, method, n_boot=64), reported(x, y, method, n_boot=64)):
        assert_held(found.rho, found.ci_low, found.ci_high)
    groups = ["a"] * 6 + ["b"] * 6
    for found in within_category(x, y, groups, method, n_boot=64).values():
        assert_held(found.rho, found.ci_low, found.ci_high)
    if method != "kendall":
        found = partial_correlation(x, y, x[:, 2:], method)
        assert_held(found.rho, found.ci_low, found.ci_high)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10, deadline=None)
@given(x=COLUMNS, y=SCORES)
def test_every_kind_of_interval(method: str, kind: str, x: np.ndarray, y: np.ndarray) -> None:
    x[:, 0] = y
    rho = correlate(x, y, method, n_boot=0).rho
    assert_held(rho, *interval(x, y, method, kind, n_boot=64))


@pytest.mark.parametrize("method", METHODS)
def test_right_ends_are_the_quantiles_themselves(method: str) -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=80)
    x = y[:, None] * [0.0, 0.5] + rng.normal(size=(80, 2))
    found = correlate(x, y, method, n_boot=300, seed=6)
    boot, tail = bootstrap(x, y, method, 300, 6), (1 - 0.95) / 2
    assert np.array_equal([found.ci_low, found.ci_high], np.nanquantile(boot, [tail, 1 - tail], axis=0))


def test_a_perfect_correlation_has_no_interval_by_fishers_z() -> None:
    low, high = fisher_z(np.array([1.0, -1.0, 0.9999]), 40)
    assert np.isnan([low[:2], high[:2]]).all()
    assert low[2] < 0.9999 < high[2]
