"""Intervals of very many images: the linear part of the bootstrap, beside the bootstrap itself."""

import numpy as np
import pytest
import scipy.stats

from memjax.stats import correlation, resampling
from memjax.stats.correlation import METHODS, correlate
from memjax.stats.influence import INFLUENCES, concordances, half_width, lower_before, ranked
from memjax.stats.ordering import device_order, order_of, processor_order

FORMS = {
    "no ties": lambda x: x,
    "ties": lambda x: x.round(1),
    "three values": lambda x: np.sign(x.round(0)),
    "heavy tails": lambda x: x**3,
}


def pair(form: str, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A measure and the scores that it follows."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return FORMS[form](rng.normal(size=n) + 0.5 * y), FORMS[form](y)


def influence_of(x: np.ndarray, y: np.ndarray, method: str) -> np.ndarray:
    return INFLUENCES[method](x, y, ranked(x), ranked(y))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_influences_are_the_first_order_of_a_resample(method: str, form: str) -> None:
    """A resample that counts one image twice changes the coefficient by that image's influence over n."""
    x, y = pair(form, 400)
    influence = influence_of(x, y, method)
    rows = np.arange(400)
    rho = correlate(x[:, None], y, method, n_boot=0).rho[0]
    for image in range(0, 400, 57):
        twice = np.append(rows, image)
        changed = correlate(x[twice, None], y[twice], method, n_boot=0).rho[0] - rho
        assert changed == pytest.approx(influence[image] / 400, abs=3e-5 + 0.02 * abs(influence[image]) / 400)
    assert influence.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_ends_are_those_of_the_bootstrap(method: str, form: str) -> None:
    x, y = pair(form, 900, seed=1)
    drawn = correlate(x[:, None], y, method, n_boot=2000)
    half = half_width(influence_of(x, y, method), 0.95)
    width = drawn.ci_high[0] - drawn.ci_low[0]
    # Of 2,000 resamples an end has a standard error of 2.7 % of the width.
    assert 2 * half == pytest.approx(width, rel=0.12)
    assert drawn.rho[0] - half == pytest.approx(drawn.ci_low[0], abs=0.1 * width)


@pytest.mark.parametrize("method", METHODS)
def test_above_the_limit_coefficients_and_p_stay_and_intervals_are_linear(method: str, monkeypatch) -> None:
    x, y = pair("ties", 500)
    columns = np.column_stack([x, -x, np.zeros(500), np.where(np.arange(500) < 5, np.nan, x)])
    below = correlate(columns, y, method, n_boot=200)
    monkeypatch.setattr(correlation, "EXACT_IMAGES", 400)
    above = correlate(columns, y, method, n_boot=200)
    for name in ("rho", "p"):
        np.testing.assert_allclose(getattr(above, name), getattr(below, name), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(above.n_images, below.n_images)
    half = half_width(influence_of(x, y, method), 0.95)
    assert above.ci_high[0] - above.rho[0] == pytest.approx(half)
    assert above.ci_low[1] == pytest.approx(-above.ci_high[0])
    assert np.isnan([above.rho[2], above.ci_low[2], above.p[2]]).all()
    assert np.isnan(correlate(columns, y, method, n_boot=0).ci_low).all()


def test_an_interval_never_leaves_what_a_coefficient_can_be(monkeypatch) -> None:
    monkeypatch.setattr(correlation, "EXACT_IMAGES", 10)
    x = np.arange(50.0)
    x[[0, 49]] = x[[49, 0]]
    found = correlate(x[:, None], np.arange(50.0), n_boot=10)
    assert -1 <= found.ci_low[0] < found.rho[0] < found.ci_high[0] <= 1


@pytest.mark.parametrize("form", FORMS)
def test_ranks_and_pairs(form: str) -> None:
    x, y = pair(form, 300)
    assert np.array_equal(ranked(x).ranks, scipy.stats.rankdata(x) - 150.5)
    pairs = (np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).sum(axis=1)
    assert np.array_equal(concordances(ranked(x), ranked(y)), pairs)


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_smaller_ones_before_each_place(most: int) -> None:
    codes = np.random.default_rng(most).integers(0, most, 200)
    assert lower_before(codes).tolist() == [int((codes[:i] < code).sum()) for i, code in enumerate(codes)]


@pytest.mark.parametrize(
    "values",
    [[0.0, -0.0, 1.0, -0.0], [1e-45, -1e-45, 0.0, 2e-45, 1e-38], [np.inf, -np.inf, 3.0, -3.0], [2.0] * 5],
    ids=["signed zeros", "subnormal", "infinite", "level"],
)
def test_devices_order_as_the_processor_does(values: list[float]) -> None:
    x = np.array(values, np.float32).astype(np.float64)
    orders = [order(x).tolist() for order in (device_order, processor_order, order_of)]
    assert orders == [np.argsort(x, kind="stable").tolist()] * 3


@pytest.mark.parametrize(("n", "n_boot"), [(7, 11), (1000, 130), (1001, 257)])
def test_resamples_are_the_same_however_many_are_drawn_at_once(n: int, n_boot: int, monkeypatch) -> None:
    whole = resampling.bootstrap_weights(n, n_boot, np.random.default_rng(3))
    monkeypatch.setattr(resampling, "_DRAWN_AT_ONCE", 5000)
    some = resampling.bootstrap_weights(n, n_boot, np.random.default_rng(3))
    assert np.array_equal(whole, some)
    assert (whole.sum(axis=0) == n).all()
    draws = np.random.default_rng(3).integers(0, n, size=(n_boot, n))
    assert np.array_equal(whole[:, -1], np.bincount(draws[-1], minlength=n))


def test_less_memory_changes_no_digit(monkeypatch) -> None:
    x, y = pair("ties", 300)
    before = correlate(x[:, None], y, n_boot=1100)
    monkeypatch.setattr(resampling, "MEMORY", 1)
    after = correlate(x[:, None], y, n_boot=1100)
    assert resampling.threads_for(300) == 1
    np.testing.assert_array_equal([before.ci_low, before.ci_high], [after.ci_low, after.ci_high])
