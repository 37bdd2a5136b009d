"""`memjax.stats` `reliability`, and `regression`: textbook values, simulation, leakage."""

import json

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from memjax.checks import InputError
from memjax.stats.regression import fit_glm
from memjax.stats.reliability import Reliability, halves_from_counts, simulate_halves, spearman_brown, split_half


def test_spearman_brown_steps_up_and_down() -> None:
    assert spearman_brown(0.6) == pytest.approx(0.75)
    assert spearman_brown(spearman_brown(0.4, 3.0), 1 / 3) == pytest.approx(0.4)


def test_split_half_recovers_a_known_reliability(rng: np.random.Generator) -> None:
    """True scores and half-noise of variance 1 each: halves correlate 1/2, all observers 2/3."""
    truth = rng.normal(size=4000)
    halves = truth + rng.normal(size=(2, 10, 4000))
    halves[0, :, 7] = np.nan
    found = split_half(halves, "pearson")
    assert found.consistency == pytest.approx(0.5, abs=0.03)
    assert found.reliability == pytest.approx(2 / 3, abs=0.03)
    assert found.ceiling == pytest.approx(np.sqrt(found.reliability))
    assert (found.n_splits, found.n_images) == (10, 3999)
    assert found.consistency_low <= found.consistency <= found.consistency_high
    low, high = found.ceiling_interval
    assert low <= found.ceiling <= high


def test_reliability_survives_json_and_cannot_contradict_itself() -> None:
    found = Reliability(0.779, 0.765, 0.792, 25, 2632, "half-splits published with lnsim")
    read = Reliability.from_json(json.loads(json.dumps(found.to_json())))
    assert read == found
    changed = Reliability.from_json({**found.to_json(), "ceiling": 0.1})
    assert changed.ceiling == found.ceiling, "what follows from the consistency is never read"
    assert Reliability(-0.2).ceiling == Reliability(-0.2).reliability == 0
    with pytest.raises(InputError, match="ceiling: expected an object with a consistency"):
        Reliability.from_json({"rho": 0.779})


def test_halves_from_counts_share_the_responses(rng: np.random.Generator) -> None:
    responses = rng.integers(20, 41, size=300)
    hits = rng.binomial(responses, 0.7)
    alarms = rng.binomial(responses, 0.1)
    even = responses % 2 == 0
    halves = halves_from_counts(hits, responses, alarms, n_splits=8)
    assert halves.shape == (2, 8, 300)
    mean = halves.mean(axis=0)[:, even]
    np.testing.assert_allclose(mean, np.broadcast_to(((hits - alarms) / responses)[even], mean.shape))
    assert (halves[:, 0] != halves[:, 1]).any()


def test_reliability_of_counts_is_none_without_true_differences(rng: np.random.Generator) -> None:
    responses = np.full(2000, 40)
    same = rng.binomial(responses, 0.7)
    differing = rng.binomial(responses, rng.uniform(0.4, 1, size=2000))
    assert abs(split_half(halves_from_counts(same, responses, n_splits=20)).consistency) < 0.05
    assert split_half(halves_from_counts(differing, responses, n_splits=20)).consistency > 0.6
    # Simulation from the noisy rates reports agreement even there: the bias that its docstring names.
    assert split_half(simulate_halves(same / responses, responses, n_splits=20)).consistency > 0.2


@pytest.mark.parametrize(("hits", "responses"), [([5], [4]), ([-1], [4]), ([1.5], [4]), ([1, 2], [4]), ([np.nan], [4])])
def test_impossible_counts(hits: list, responses: list) -> None:
    with pytest.raises(InputError, match="hits"):
        halves_from_counts(np.array(hits), np.array(responses))
    with pytest.raises(InputError, match="halves"):
        split_half(np.zeros((3, 2, 5)))


def test_glm_is_statsmodels_and_least_squares(rng: np.random.Generator) -> None:
    x = rng.normal(size=(70, 3)) * [1, 10, 100] + 5
    y = x @ [1, 0.1, 0] + rng.normal(size=70)
    x[4, 1] = np.nan
    found = fit_glm(x, y, ["a", "b", "c"])
    kept = np.isfinite(x).all(axis=1)
    z = (x[kept] - x[kept].mean(axis=0)) / x[kept].std(axis=0)
    ols = sm.OLS(y[kept], sm.add_constant(z)).fit()
    np.testing.assert_allclose(found.coef, ols.params)
    np.testing.assert_allclose(found.z, ols.tvalues)
    assert found.deviance == pytest.approx(ols.ssr)
    assert (found.n_images, found.rank, found.n_columns, found.dependent) == (69, 4, 4, ())
    # The null model's likelihood at the dispersion deviance / (n - 4).
    null = scipy.stats.norm.logpdf(y[kept], y[kept].mean(), np.sqrt(found.deviance / 65)).sum()
    assert found.log_likelihood == pytest.approx(ols.llf)
    assert found.cox_snell_r2 == pytest.approx(1 - np.exp(2 / 69 * (null - ols.llf)))


def test_glm_says_what_is_rank_deficient(rng: np.random.Generator) -> None:
    """Two columns that coincide share their effect, as in the paper's DINOv2 model."""
    a, b = rng.normal(size=(2, 60))
    y = 2 * a + b + rng.normal(size=60)
    found = fit_glm(np.column_stack([a, b, 3 * a + 1]), y, ["a", "b", "copy"])
    assert found.dependent == ("copy",)
    assert (found.rank, found.n_columns) == (3, 4)
    assert found.coef[1] == pytest.approx(found.coef[3])
    alone = fit_glm(np.column_stack([a, b]), y, ["a", "b"])
    assert found.coef[1] + found.coef[3] == pytest.approx(alone.coef[1])
    assert found.deviance == pytest.approx(alone.deviance)
    with pytest.raises(InputError, match="measures that vary, got flat"):
        fit_glm(np.column_stack([a, np.ones(60)]), y, ["a", "flat"])
    with pytest.raises(InputError, match="more than 3 images"):
        fit_glm(np.column_stack([a, b])[:3], y[:3], ["a", "b"])
