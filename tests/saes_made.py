"""Autoencoders of every variant with random weights and a standardiser that is not the identity, made without training."""

import dataclasses

import jax
import numpy as np

from memjax.sae.config import SAEConfig
from memjax.sae.init import init_params, init_state
from memjax.sae.origin import SAEOrigin
from memjax.sae.standardiser import Standardiser
from memjax.sae.trained import TrainedSAE
from memjax.sae.variants import VARIANTS

D, F, OUT = 7, 13, 5
TRANSCODED = [name for name, row in VARIANTS.items() if row.transcoder]
"""Variants that there are transcoders of."""


def made_config(variant: str) -> SAEConfig:
    """With the constants of its preset, in sizes that are odd."""
    prefixes = (3, 8, F) if VARIANTS[variant].nested else ()
    plain = variant == "paper"
    own = {"candidates": 10} if VARIANTS[variant].archetypal else {}
    return SAEConfig(D, F, k=3, prefixes=prefixes, pre_bias=not plain, unit_norm=not plain, variant=variant, **own)


def made_sae(variant: str, seed: int = 0, pre_bias: bool | None = None) -> TrainedSAE:
    """All parameters moved off where they start; means far from 0 beside deviations far from 1, as encoders have them.

    Weights that follow from others do so; a variant whose encoder is its decoder's transpose centres alone, with a pre-bias.
    """
    config = made_config(variant)
    return _made(
        config if pre_bias is None or config.row.tied else dataclasses.replace(config, pre_bias=pre_bias), seed
    )


def made_transcoder(variant: str, seed: int = 0) -> TrainedSAE:
    """As `made_sae`, into targets of width `OUT` with a scale of their own."""
    one = _made(dataclasses.replace(made_config(variant), target_width=OUT, pre_bias=False), seed)
    rng = np.random.default_rng(seed + 100)
    scale = Standardiser(
        mean=rng.normal(-2, 4, OUT).astype(np.float32), std=rng.uniform(0.2, 4, OUT).astype(np.float32)
    )
    origin = dataclasses.replace(one.origin, target_place="blocks.4.hook_mlp_out")
    return one.replace(target_standardiser=scale, origin=origin)


def _made(config: SAEConfig, seed: int) -> TrainedSAE:
    rng, tied = np.random.default_rng(seed), config.row.tied
    start = init_params(jax.random.key(seed), config)
    params = jax.tree.map(lambda a: np.asarray(a + 0.2 * rng.normal(size=a.shape), np.float32), start)
    state = init_state(config).replace(threshold=np.float32(0.3), idle=np.arange(F, dtype=np.int32))
    if config.row.archetypal:
        state = state.replace(points=np.random.default_rng(seed).normal(size=(config.candidates, D)).astype(np.float32))
    params = jax.tree.map(np.asarray, config.row.constraint.derive(params, state))
    scale = Standardiser(mean=rng.normal(3, 5, D).astype(np.float32), std=rng.uniform(0.2, 4, D).astype(np.float32))
    scale = scale.replace(std=np.ones(D, np.float32)) if tied else scale
    origin = SAEOrigin(encoder_id="someone/encoder", dataset="made up", images=40, parts=3, token="cls", rho=0.25)
    return TrainedSAE(params, state, scale, config, 4, seed, 2, "encoder", "none", origin)


def vectors(one: TrainedSAE, n: int = 60, seed: int = 1) -> np.ndarray:
    """Raw vectors that it could have been trained on."""
    z = np.random.default_rng(seed).normal(size=(n, D))
    return (z * np.asarray(one.standardiser.std) + np.asarray(one.standardiser.mean)).astype(np.float32)


def leaves_close(found: TrainedSAE, wanted: TrainedSAE, rtol: float) -> None:
    """Every array of two autoencoders, and everything else that they say."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=0)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
