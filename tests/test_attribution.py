"""One image explained: curves against orders whose areas are known, what the result holds, what is refused, the figure."""

import jax.numpy as jnp
import numpy as np
import pytest

from memjax.attribution.contrast import contrast_of
from memjax.attribution.curves import against_random, curves_of, random_orders
from memjax.attribution.explain import Target, attribute
from memjax.attribution.settings import METHODS, AttributionSettings
from memjax.checks import InputError
from memjax.report.attribution import verdict, where_in_image
from tests.explained import INTERCEPT, encoder, image, target

KIND = "dinov2_with_registers"
QUICK = AttributionSettings(steps=4, window=2, points=4, orders=19)


def linear(weights):
    """A score that is a weighted sum of patches of side 1."""
    return lambda params, x: (jnp.asarray(weights, jnp.float32)[:, :, None] * x).sum() / 3


@pytest.fixture(scope="module")
def found():
    return attribute(target(KIND), image(KIND), QUICK)


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
    np.testing.assert_allclose(
        found.insertion, found.deletion[:, ::-1] if points == 2 else 48 * found.shares * np.ones((2, 1))
    )


def test_what_is_found_of_an_image(found):
    model, of = encoder(KIND), target(KIND)
    assert list(found.maps) == list(METHODS) == list(found.compared)
    assert {x.shape for x in found.maps.values()} == {model.config.grid}
    assert {x.shape for x in found.pixels.values()} == {model.config.image}
    assert found.heads.shape == (model.config.depth, model.config.heads)
    assert found.curves.deletion.shape[0] == len(METHODS) + QUICK.orders
    assert found.score == pytest.approx(float(of.score(model.params, image(KIND))), abs=1e-5)
    for layers, score in ((found.layers, found.score), (found.layers_of_baseline, found.baseline_score)):
        assert sum(x.sum() for x in layers.values()) == pytest.approx(score - INTERCEPT, abs=1e-4)
    by_mean = (found.layers["mean"] - found.layers_of_baseline["mean"]).sum()
    assert found.maps["direct"].sum() == pytest.approx(by_mean, abs=1e-4)
    summed = found.maps["integrated_gradients"].sum()
    assert summed - found.gap == pytest.approx(found.score - found.baseline_score, abs=1e-4)


def test_the_same_image_is_explained_the_same(found):
    again = attribute(target(KIND), image(KIND), QUICK)
    for name, values in found.maps.items():
        np.testing.assert_array_equal(values, again.maps[name])
    assert found.compared == again.compared


def test_a_score_that_is_not_known_to_be_linear_has_no_direct_map():
    of = target(KIND)
    found = attribute(
        Target(of.encoder, of.score), image(KIND), AttributionSettings(("direct", "rollout"), points=3, orders=2)
    )
    assert list(found.maps) == ["rollout"]
    assert found.layers == {}
    assert np.isnan(found.gap)


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


def test_the_figure_says_which_maps_beat_random_orders(found, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (*encoder(KIND).config.image, 3), dtype=np.uint8)
    figure = where_in_image(found, colours, "a.jpg", "tiny", synthetic=True)
    figure.savefig(tmp_path / "a.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    for name, row in found.compared.items():
        assert any(METHODS[name].title in title for title in titles)
        assert (METHODS[name].title in verdict(found).split("Not shown")[0]) == (row.p <= 0.05)
    assert "Synthetic" in figure.get_label()
    assert "a.jpg" in figure.get_suptitle()


def test_the_figure_of_a_score_without_layers():
    of = target(KIND)
    found = attribute(Target(of.encoder, of.score), image(KIND), AttributionSettings(("rollout",), points=3, orders=2))
    figure = where_in_image(found, np.zeros((32, 32, 3)))
    assert not [axes for axes in figure.axes if axes.get_title(loc="left").startswith("Layers")]
    with pytest.raises(InputError, match="y, x, 3"):
        where_in_image(found, np.zeros((32, 32)))
    assert verdict(found) == "Not shown to be better than 2 random orders of the patches: Attention rollout."
