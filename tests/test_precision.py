"""Matrix products of float32 keep all their bits on every device, also where the caller's own default is lower."""

import re

import jax
import jax.numpy as jnp
import pytest

from memjax import measure
from memjax.models import mae
from memjax.models.vit import encode, forward, pool
from tests import tiny_model
from tests.test_vit import SWITCHES, architecture

PRODUCT = re.compile(r"stablehlo\.dot_general.*")


def products(function, *arguments, platform: str = "tpu") -> list[str]:
    """Every matrix product of a function as it is lowered for a device, under JAX's own default precision."""
    with jax.default_matmul_precision("default"):
        lowered = jax.jit(function).trace(*arguments).lower(lowering_platforms=(platform,))
    return PRODUCT.findall(lowered.as_text())


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("name", [*SWITCHES, "mae"])
def test_every_product_of_the_metrics_is_of_the_highest_precision(name, platform):
    config = tiny_model.CONFIG if name == "mae" else architecture(name)
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    found = products(lambda p, x: measure.image_features(p, x, config, config.layout), params, image, platform=platform)
    assert len(found) >= 9, "patches, 4 projections, 2 of attention, 2 of the MLP"
    assert all("precision = [HIGHEST, HIGHEST]" in line for line in found), found


def test_every_public_function_computes_so():
    config, params = tiny_model.CONFIG, tiny_model.params()
    image, noise = tiny_model.images(1)[0], jnp.arange(16, dtype=jnp.float32)
    attention_pool = architecture("attention-pool")
    last = jnp.ones((12, attention_pool.width), jnp.float32)
    functions = {
        "untapped": (lambda p, x: forward(p, x, config, tap=None).last, params, image),
        "own tap": (lambda p, x: encode(p, x, config, lambda block: block.after @ block.after.T), params, image),
        "pool": (lambda p, x: pool(p, x, attention_pool), tiny_model.params(attention_pool), last),
        "loss": (lambda p, x: mae.mae_loss(p, x, noise, config), params, image),
        "gradient": (jax.grad(lambda p, x: mae.mae_loss(p, x, noise, config)), params, image),
    }
    for name, call in functions.items():
        found = products(*call)
        assert found, name
        assert all("precision = [HIGHEST, HIGHEST]" in line for line in found), (name, found)


def test_the_products_are_seen():
    """What `products` reads of a function that keeps JAX's default."""
    (line,) = products(lambda x: x @ x, jnp.ones((2, 2), jnp.float32))
    assert "HIGHEST" not in line
