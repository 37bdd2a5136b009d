"""One image explained from end to end, and its figure: slow, since every method is compiled for a whole encoder."""

import numpy as np
import pytest

from memjax.attribution.explain import Target, attribute
from memjax.attribution.settings import METHODS, AttributionSettings
from memjax.checks import InputError
from memjax.report.attribution import verdict, where_in_image
from tests.explained import INTERCEPT, encoder, image, target

pytestmark = pytest.mark.slow

KIND = "dinov2_with_registers"
QUICK = AttributionSettings(steps=4, window=2, points=4, orders=19)


@pytest.fixture(scope="module")
def found():
    return attribute(target(KIND), image(KIND), QUICK)


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
