"""Matching pursuit as an encoder: one latent after another takes from what the ones before it have left.

Reference: Mallat & Zhang 1993; Costa et al. 2025, arXiv 2506.03093.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.axes import Leaf
from memjax.sae.architecture import Architecture
from memjax.sae.model import SAEParams, SAEState


class _Pursuit(NamedTuple):
    residual: Leaf  # [b, d]
    latents: Leaf  # [b, f]
    done: Leaf  # [b]


def matching_pursuit(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Float[Array, "b f"]:
    """``k`` steps: the decoder row with the largest product with the residual is taken off it, times that product.

    A latent may be chosen again; its values are summed. Nothing is taken off where no product is positive, or after an input is
    done: its residual is shorter than ``config.tolerance``, or (``config.stop_on_repeat``) a step chose a latent that it had.
    The choice has no gradient, the products have. As `memjax.sae.activations`; ``x`` are the centred inputs.

    Example:
        >>> from memjax.sae.init import init_state
        >>> from memjax.sae.config import SAEConfig
        >>> rows = jnp.array([[1.0, 0.0], [0.6, 0.8]])
        >>> params = SAEParams(w_enc=rows.T, b_enc=jnp.zeros(2), w_dec=rows, b_dec=jnp.zeros(2))
        >>> config, x = SAEConfig(width=2, latents=2, variant="matching_pursuit", k=2), jnp.array([[3.0, 1.0]])
        >>> found = matching_pursuit(params, x, x @ rows.T, init_state(config), config, False)
        >>> bool(jnp.allclose(found, jnp.array([[3.0, 0.8]])))
        True
    """
    stops = config.tolerance > 0 or config.stop_on_repeat

    def step(now: _Pursuit, _: None) -> tuple[_Pursuit, None]:
        following = _next(params, now, config)
        return (jax.lax.cond(jnp.all(now.done), lambda: now, lambda: following) if stops else following), None

    start = _Pursuit(x, jnp.zeros_like(pre), jnp.zeros(len(x), bool))
    return jax.lax.scan(step, start, length=config.k)[0].latents


def _next(params: SAEParams, now: _Pursuit, config: Architecture) -> _Pursuit:
    rows = jnp.arange(len(now.residual))
    chosen = jnp.argmax(jax.lax.stop_gradient(now.residual @ params.w_enc), axis=1)
    atom = jnp.asarray(params.w_dec)[chosen]
    product = jax.nn.relu(jnp.sum(now.residual * atom, axis=1))
    value = jnp.where(now.done, jnp.zeros_like(product), product)
    residual, done = now.residual - value[:, None] * atom, now.done
    if config.stop_on_repeat:
        done = done | (value == 0) | (now.latents[rows, chosen] != 0)
    if config.tolerance > 0:
        done = done | (jnp.linalg.norm(residual, axis=1) < config.tolerance)
    return _Pursuit(residual, now.latents.at[rows, chosen].add(value), done)
