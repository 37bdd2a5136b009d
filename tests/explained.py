"""A tiny encoder of every kind with a score that is linear in its hidden states, for the tests of attribution."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import memjax
from memjax.attribution.direct import layer_contributions
from memjax.attribution.explain import Target
from memjax.measure import image_features
from memjax.selection import Selection
from tests import tiny_families

KINDS = {"dinov2_with_registers": "native", "siglip_vision_model": "native",
         "clip": "native", "siglip": "paper"}  # fmt: skip
"""Families -> protocol: registers; no cls; a projection; no cls under the paper's protocol."""
INTERCEPT = 0.7


@functools.cache
def encoder(kind: str) -> memjax.Encoder:
    """Random weights of a family, from a folder that is gone again."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return memjax.load(str(tiny_families.write(Path(folder) / kind, kind)))


@functools.cache
def target(kind: str, tokens: tuple[str, ...] = ("cls", "mean", "pooled")) -> Target:
    """Random weights on tokens and on one metric that is NaN at layer 0."""
    model, protocol = encoder(kind), KINDS[kind]
    layout = model.config.layout.under(protocol)
    kept = tuple(t for t in tokens if t != "pooled" or model.config.has_output)
    selection = Selection(tuple(memjax.metrics.choose(["layer_delta"]).items()), kept)
    values = functools.partial(image_features, config=model.config, layout=layout, selection=selection)
    shapes = jax.eval_shape(values, model.params, image(kind))
    rng = np.random.default_rng(3)
    weights = {name: jnp.asarray(rng.normal(0, 0.1, x.shape), jnp.float32) for name, x in shapes.items()}
    weights["layer_delta"] = weights["layer_delta"].at[0].set(0.0)

    def score(params, image):
        found = layer_contributions(values(params, image), weights, model.config.depth)
        return INTERCEPT + sum(x.sum() for x in found.values())

    return Target(model, jax.jit(score), protocol, weights, jax.jit(values))


def image(kind: str, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(*encoder(kind).config.image, 3)), jnp.float32)
