"""What heads, MLPs and the embedding add to a score sums to the score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.attribution.branches import branch_contributions
from memjax.checks import InputError
from memjax.measure import image_features
from memjax.predictor.linear import weighted_sum
from memjax.selection import Selection
from tests import tiny_model
from tests.explained import KINDS, encoder, image
from tests.test_vit import SWITCHES, architecture


def weights_of(depth, width):
    rng = np.random.default_rng(3)
    return {name: jnp.asarray(rng.normal(size=(depth + 1, width)), jnp.float32) for name in ("cls", "mean")}


def check(params, pixels, config, layout):
    weights = weights_of(config.depth, config.width)
    parts = jax.jit(lambda p, x: branch_contributions(p, x, config, layout, weights))(params, pixels)
    values = image_features(params, pixels, config, layout, Selection((), ("cls", "mean")))
    scale = sum(float(jnp.abs(part).sum()) for part in jax.tree.leaves(parts))
    assert abs(parts.sum() - weighted_sum(weights, values)) < 1e-5 * scale
    assert parts.heads.shape == (config.depth, config.heads)
    return parts, weights


@pytest.mark.parametrize("name", SWITCHES)
def test_parts_sum_to_the_score_in_every_architecture(name):
    config = architecture(name)
    check(tiny_model.params(config), tiny_model.images(1, config)[0], config, config.layout)


@pytest.mark.parametrize(("kind", "protocol"), KINDS.items())
def test_parts_sum_to_the_score_under_both_protocols(kind, protocol):
    model = encoder(kind)
    check(model.params, image(kind), model.config, model.config.layout.under(protocol))


def test_a_part_of_the_last_block_is_what_the_score_loses_without_it():
    """Nothing reads what the last block makes but the score: there the direct contribution is the whole effect."""
    config = architecture("plain")
    params, pixels = tiny_model.params(config), tiny_model.images(1, config)[0]
    parts, weights = check(params, pixels, config, config.layout)
    out = params.blocks.attention.out
    kernel = out.kernel.at[-1, 1].set(0.0)
    without = params.replace(
        blocks=params.blocks.replace(attention=params.blocks.attention.replace(out=out.replace(kernel=kernel)))
    )
    down = params.blocks.mlp.down
    no_mlp = params.replace(
        blocks=params.blocks.replace(
            mlp=params.blocks.mlp.replace(
                down=down.replace(kernel=down.kernel.at[-1].set(0.0), bias=down.bias.at[-1].set(0.0))
            )
        )
    )

    def score(these):
        return weighted_sum(
            weights, image_features(these, pixels, config, config.layout, Selection((), ("cls", "mean")))
        )

    np.testing.assert_allclose(score(params) - score(no_mlp), parts.mlps[-1], rtol=1e-3, atol=1e-4)
    gone = branch_contributions(without, pixels, config, config.layout, weights)
    np.testing.assert_array_equal(gone.heads[-1, 1], 0.0)
    np.testing.assert_allclose(gone.heads[-1, 0], parts.heads[-1, 0], rtol=1e-5)


def test_what_is_no_sum_over_parts_is_refused():
    config = architecture("plain")
    with pytest.raises(InputError, match="weights: expected of cls and mean alone, got pooled"):
        branch_contributions(
            tiny_model.params(config), tiny_model.images(1, config)[0], config, config.layout, {"pooled": jnp.ones(3)}
        )
