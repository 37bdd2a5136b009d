"""Starting points: torch's ``Linear`` (the paper), or a decoder of unit rows with the encoder as its transpose."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.config import SAEConfig
from memjax.sae.model import SAEParams, SAEState

FIRST_THRESHOLD = 0.1
"""Where ``jumprelu`` starts; low enough that nothing is cut off at first on standardised input."""


def torch_linear(key: Array, fan_in: int, shape: tuple[int, ...]) -> Array:
    """Uniform on ``±1/sqrt(fan_in)``: what ``torch.nn.Linear`` draws for its weight and for its bias.

    torch calls ``kaiming_uniform_(a=sqrt(5))`` for the weight, whose bound is ``sqrt(6 / ((1 + 5) fan_in))``: the same.
    """
    bound = 1 / math.sqrt(fan_in)
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


def init_params(key: Array, config: SAEConfig, centre: Float[Array, " d"] | None = None) -> SAEParams:
    """Fresh parameters.

    Args:
        key: a JAX key.
        config: the architecture; ``paper`` draws as torch's Linear does, the others tie the encoder to the decoder.
        centre: where the decoder's bias starts (the mean of the inputs, say); zero when left out. Not used by ``paper``.

    Returns:
        Parameters in float32.

    Example:
        >>> params = init_params(jax.random.key(0), SAEConfig(width=4, latents=6, variant="paper", k=1))
        >>> params.w_enc.shape, bool(jnp.abs(params.w_enc).max() <= 0.5)
        ((4, 6), True)
    """
    d, f = config.width, config.latents
    keys = jax.random.split(key, 4)
    if config.variant == "paper":
        return SAEParams(
            w_enc=torch_linear(keys[0], d, (d, f)),
            b_enc=torch_linear(keys[1], d, (f,)),
            w_dec=torch_linear(keys[2], f, (f, d)),
            b_dec=torch_linear(keys[3], f, (d,)),
        )
    rows = jax.random.normal(keys[0], (f, d), jnp.float32)
    rows = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    zeros = jnp.zeros((f,), jnp.float32)
    return SAEParams(
        w_enc=rows.T,
        b_enc=zeros,
        w_dec=rows,
        b_dec=jnp.zeros((d,), jnp.float32) if centre is None else centre,
        log_threshold=jnp.full((f,), math.log(FIRST_THRESHOLD), jnp.float32) if config.variant == "jumprelu" else None,
        r_mag=zeros if config.variant == "gated" else None,
        b_mag=zeros if config.variant == "gated" else None,
    )


def init_state(config: SAEConfig) -> SAEState:
    """No threshold yet, no latent silent yet."""
    return SAEState(threshold=jnp.zeros((), jnp.float32), idle=jnp.zeros((config.latents,), jnp.int32))
