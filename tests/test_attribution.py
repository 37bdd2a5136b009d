"""One image explained: curves against orders whose areas are known, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from memjax.attribution.contrast import contrast_of
from memjax.attribution.curves import Curves, against_random, curves_of, random_orders
from memjax.attribution.explain import Target, attribute
from memjax.attribution.settings import AttributionSettings
from memjax.checks import InputError
from tests.explained import image, target

KIND = "dinov2_with_registers"
QUICK = AttributionSettings(steps=4, window=2, points=4, orders=19)


def linear(weights):
    """A score that is a weighted sum of patches of side 1."""
    return lambda params, x: (jnp.asarray(weights, jnp.float32)[:, :, None] * x).sum() / 3


def test_the_order_of_the_weights_gains_most_and_its_reverse_least():
    weights = np.random.default_rng(0).normal(size=(4, 5))
    maps = jnp.asarray(np.stack([weights, -weights]), jnp.float32)
    against = contrast_of(jnp.ones((4, 5, 3)), 1)
    found = curves_of(linear(weights), (), against, jnp.concatenate([maps, random_orders(40, (4, 5))]), points=21)
    best, worst = against_random(found, 2)
    assert best.gain == pytest.approx(-worst.gain, abs=1e-5)
    assert best.gain > found.gains[2:].max()
    assert (best.p, worst.p) == (1 / 41, 1.0)
    taken = weights.sum() - np.concatenate([[0], np.cumsum(np.sort(weights.ravel())[::-1])])
    np.testing.assert_allclose(found.deletion[0], taken, atol=1e-5)
    assert best.deletion == pytest.approx(np.trapezoid(taken, np.linspace(0, 1, 21)), abs=1e-5)


def test_random_orders_gain_nothing_on_average():
    """Of a score that is far from linear, too: 4,000 orders, the mean within three standard errors of 0."""
    against = contrast_of(jnp.asarray(np.random.default_rng(1).normal(size=(3, 3, 3)), jnp.float32), 1)

    def score(params, x):
        return jnp.sin(x[:, :, 0].sum()) * x[0, 0, 1] + jnp.exp(x[1, 1, 2])

    gains = curves_of(score, (), against, random_orders(4000, (3, 3)), points=10, batch=512).gains
    assert abs(gains.mean()) < 3 * gains.std() / np.sqrt(len(gains))
    assert gains.std() > 0.05


def test_a_score_that_is_no_number_is_never_better():
    nan = np.array([[1.0, np.nan], [1.0, 0.5], [1.0, 0.2]])
    for values in (nan, np.full((3, 2), np.nan), np.ones((3, 2))):  # the last: of equal gains none is better
        (found,) = against_random(Curves(np.array([0.0, 1.0]), values, np.ones((3, 2))), 1)
        assert found.p == 1.0


def test_random_orders_are_permutations_from_seeds_of_their_own():
    orders = np.asarray(random_orders(6, (3, 4), seed=5)).reshape(6, -1)
    assert (np.sort(orders, axis=1) == np.arange(12)).all()
    assert len(np.unique(orders, axis=0)) == 6
    np.testing.assert_array_equal(random_orders(2, (3, 4), seed=6).reshape(2, -1), orders[1:3])


@pytest.mark.parametrize("points", [2, 3, 17, 500])
def test_curves_end_in_the_image_and_the_baseline(points):
    against = contrast_of(jnp.ones((9, 7, 3)), 2)  # a row and a column of pixels belong to no patch
    weights = np.zeros((9, 7))
    weights[:8, :6] = 1
    found = curves_of(linear(weights), (), against, random_orders(2, against.grid), points=points)
    assert len(found.shares) == min(points, 13)
    assert (found.shares[0], found.shares[-1]) == (0, 1)
    np.testing.assert_allclose(found.deletion[:, [0, -1]], [[48, 0]] * 2)
    np.testing.assert_allclose(found.insertion[:, [0, -1]], [[0, 48]] * 2)
    np.testing.assert_allclose(found.insertion, np.tile(48 * np.asarray(found.shares), (2, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"steps": 0}, "steps"),
        ({"window": 0}, "window"),
        ({"stride": 4}, "stride"),
        ({"points": 1}, "points"),
        ({"orders": 0}, "orders"),
        ({"seed": -1}, "seed"),
        ({"batch_size": True}, "batch_size"),
        ({"methods": ("lime",)}, "methods"),
        ({"baseline": "black"}, "baseline"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, argument):
    made = AttributionSettings()
    for name, value in change.items():
        object.__setattr__(made, name, value)  # as where no type checker stands before it
    with pytest.raises(InputError) as refused:
        made.__post_init__()
    assert refused.value.argument == argument
    assert "\n" not in str(refused.value)


def test_what_cannot_be_explained_is_refused():
    of = target(KIND)
    with pytest.raises(InputError, match="window: expected at most the 4 patches"):
        attribute(of, image(KIND), AttributionSettings(window=5))
    with pytest.raises(InputError, match="methods: expected one that this score has, got direct"):
        attribute(Target(of.encoder, of.score), image(KIND), AttributionSettings(("direct",)))
    with pytest.raises(InputError, match="weights and values"):
        attribute(Target(of.encoder, of.score, weights=of.weights), image(KIND), QUICK)
    with pytest.raises(InputError, match="shape"):
        attribute(of, jnp.zeros((32, 32, 1)), QUICK)
