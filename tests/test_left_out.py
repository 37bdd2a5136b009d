"""Folds left out of one inverse, and tridiagonal covariances: the models of `memjax.stats.nested`, found another way."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from memjax.stats.left_out import LeftOut, from_columns, from_products
from memjax.stats.nested import nested
from memjax.stats.ridge import PENALTIES


def made(n: int, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(n, k)) @ (np.eye(k) + 0.3 * rng.normal(size=(k, k)))
    return x, 2 * x[:, 0] + 3 * rng.normal(size=n) + 7


def both_ways(x: np.ndarray, y: np.ndarray, folds: np.ndarray) -> list[LeftOut]:
    return [from_columns(x, y, folds), from_products(x @ x.T, [y[:, None]], [folds])[0]]


@pytest.mark.parametrize(
    ("n", "k", "count"), [(60, 8, 3), (120, 40, 4), (120, 1, 5), (400, 90, 5), (90, 2, 6), (50, 120, 5)]
)
def test_the_same_models_as_of_one_decomposition_each(n: int, k: int, count: int, rng: np.random.Generator) -> None:
    x, y = made(n, k, rng)
    folds = rng.permutation(np.arange(n) % count)
    wanted = nested(x, y[:, None], folds)
    for found in both_ways(x, y, folds):
        np.testing.assert_array_equal(found.chosen, wanted.chosen)
        np.testing.assert_allclose(found.predicted, wanted.predicted, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.error, wanted.error, rtol=1e-9)


def test_folds_of_any_size_are_ridge_regressions_with_an_intercept(rng: np.random.Generator) -> None:
    x, y = made(75, 9, rng)
    folds = np.repeat([0, 1, 2, 3], [40, 20, 10, 5])
    for found in both_ways(x, y, folds):
        for f in range(4):
            rest = folds != f
            model = Ridge(alpha=PENALTIES[found.chosen[f, 0]] * 75 * 3 / 4).fit(x[rest], y[rest])
            np.testing.assert_allclose(found.predicted[~rest, 0], model.predict(x[~rest]) - y[rest].mean(), atol=1e-9)
            error = np.zeros(len(PENALTIES))
            for g in set(range(4)) - {f}:
                inner, held = rest & (folds != g), folds == g
                models = [Ridge(alpha=penalty * 75 * 2 / 4).fit(x[inner], y[inner]) for penalty in PENALTIES]
                error += [((one.predict(x[held]) - y[held]) ** 2).sum() for one in models]
            assert found.chosen[f, 0] == error.argmin()
            assert found.error[f, 0] == pytest.approx(error.min())


def test_partitions_and_permutations_do_not_mix(rng: np.random.Generator) -> None:
    x, y = made(80, 100, rng)
    partitions = [rng.permutation(np.arange(80) % 5) for _ in range(3)]
    scores = [np.column_stack([y, rng.permutation(y), rng.permutation(y)]), y[:, None], y[:, None]]
    found = from_products(x @ x.T, scores, partitions)
    for one, own, folds in zip(found, scores, partitions, strict=True):
        wanted = nested(x, own, folds)
        np.testing.assert_array_equal(one.chosen, wanted.chosen)
        np.testing.assert_allclose(one.predicted, wanted.predicted, atol=1e-9)


def test_columns_that_add_nothing_change_nothing(rng: np.random.Generator) -> None:
    x, y = made(60, 5, rng)
    folds = np.arange(60) % 3
    twice = np.column_stack([x, x]) / np.sqrt(2)
    for found, doubled in zip(both_ways(x, y, folds), both_ways(twice, y, folds), strict=True):
        np.testing.assert_allclose(doubled.predicted, found.predicted, atol=1e-9)
    constant = np.zeros((60, 3))
    for found in both_ways(constant, y, folds):
        np.testing.assert_allclose(found.predicted, 0, atol=1e-9)
