"""How a predictor is fitted and calibrated, on arrays: against its definition, and on images that are in no fit."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from memjax.checks import InputError
from memjax.predictor import PredictorSettings
from memjax.predictor.calibration import Residuals, coverage_of
from memjax.predictor.domain import fit_domain
from memjax.predictor.fitting import Features, fit_bands, out_of_fold
from memjax.predictor.linear import weighted_sums
from memjax.predictor.places import Place


def made(n: int = 200, seed: int = 0, noise: float = 0.5) -> tuple[Features, np.ndarray]:
    """Two layers of 5 and a single number; the score stands in layer 1 and in the number."""
    rng = np.random.default_rng(seed)
    values = {"m": {"cls": rng.normal(2, 3, size=(n, 2, 5)), "size": rng.normal(size=(n, 1))}}
    values["m"]["cls"][:, 0, 2] = 7.0  # does not vary
    y = values["m"]["cls"][:, 1, 0] + 2 * values["m"]["size"][:, 0] + noise * rng.normal(size=n)
    places = [Place("m", "cls", (0,)), Place("m", "cls", (1,)), Place("m", "size", (0,))]
    return Features(values, [[place] for place in places], places[1:2]), y


def test_it_is_a_ridge_regression_on_standardised_bands() -> None:
    features, y = made()
    found = fit_bands(features, y, np.arange(len(y)), PredictorSettings(repeats=1))
    cls, size = features.values["m"]["cls"], features.values["m"]["size"]
    x = np.concatenate([cls[:, 0], cls[:, 1], size], axis=1)
    varied = x.std(axis=0) > 0
    widths = np.repeat([4, 5, 1], [5, 5, 1])[varied]
    z = (x[:, varied] - x[:, varied].mean(axis=0)) / x[:, varied].std(axis=0) / np.sqrt(widths)
    peer = Ridge(alpha=found.penalty * len(y)).fit(z, y)
    ours = found.intercept + weighted_sums(found.weights["m"], features.values["m"])
    np.testing.assert_allclose(ours, peer.predict(z), atol=1e-9)
    assert found.columns == 10
    assert found.weights["m"]["cls"][0, 2] == 0, "a column that does not vary has no weight"
    assert found.rho.value > 0.9
    assert 0.9 < found.coverage <= 1


def test_residuals_are_of_images_that_a_model_has_not_seen() -> None:
    y, folds = np.array([0.0, 1.0, 2.0, 5.0]), np.array([0, 0, 1, 1])
    assert out_of_fold(y, np.zeros(4), folds).tolist() == [-3.5, -2.5, 1.5, 4.5]


@pytest.mark.parametrize("n", [60, 300])
def test_intervals_cover_new_images_of_the_same_kind(n: int) -> None:
    """With skewed noise; over 40 fits, the mean coverage of images that are in no fit."""
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        features, y = made(n + 500, seed, noise=0.0)
        y = y + rng.exponential(2.0, size=len(y))
        part = {"m": {name: x[:n] for name, x in features.values["m"].items()}}
        found = fit_bands(
            dataclasses.replace(features, values=part), y[:n], np.arange(n), PredictorSettings(repeats=1, seed=seed)
        )
        new = {name: x[n:] for name, x in features.values["m"].items()}
        score = found.intercept + weighted_sums(found.weights["m"], new)
        low, high = found.residuals.ends(0.9)
        covered.append(((score + low <= y[n:]) & (y[n:] <= score + high)).mean())
    assert 0.885 < np.mean(covered) < 0.93


def test_levels_that_so_few_images_cannot_give_are_refused() -> None:
    few = Residuals.of(np.arange(10.0)[None])
    assert few.ends(0.8) == (0.0, 9.0)
    with pytest.raises(InputError, match=r"level: expected at most 0.818, with 10 images"):
        few.ends(0.9)
    with pytest.raises(InputError, match="between 0 and 1"):
        few.ends(1.0)
    assert np.isnan(coverage_of(np.arange(10.0), np.arange(10) % 5))


def test_the_domain_flags_one_in_a_hundred_of_its_own_kind() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(20, 20))
    x = rng.normal(size=(4_500, 20)) @ mixed
    domain = fit_domain(x[:500], np.arange(500) % 5)
    assert 0.002 < domain.outside(x[500:]).mean() < 0.03
    assert domain.outside(x[500:] + 40).all()
    assert domain.outside(np.full((1, 20), np.nan)).all()
