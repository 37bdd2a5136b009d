"""Latents that never fire: counted while training, drawn anew where the fit asks for it."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from memjax.sae.config import SAEConfig
from memjax.sae.forward import forward
from memjax.sae.model import Output, SAEParams, SAEState

ENCODER_SHARE = 0.2
"""Length of a redrawn encoder column, as a share of the living ones' mean (Bricken et al. 2023)."""


def observe(state: SAEState, out: Output, config: SAEConfig) -> SAEState:
    """After a batch: how long each latent was silent, and the smallest value that got through the budget (a running mean)."""
    batch = out.latents.shape[0]
    fired = jnp.any(out.latents > 0, axis=0)
    idle = jnp.where(fired, jnp.zeros_like(state.idle), state.idle + batch)
    if config.variant not in ("batchtopk", "matryoshka"):
        return state.replace(idle=idle)
    least = jnp.min(jnp.where(out.latents > 0, out.latents, jnp.inf))
    least = jnp.where(jnp.isfinite(least), least, state.threshold)
    kept = config.threshold_decay
    moved = jnp.where(state.threshold > 0, kept * state.threshold + (1 - kept) * least, least)
    return SAEState(threshold=moved, idle=idle)


def unit_rows(params: SAEParams) -> SAEParams:
    """Decoder rows at length 1."""
    length = jnp.linalg.norm(params.w_dec, axis=-1, keepdims=True)
    return params.replace(w_dec=params.w_dec / jnp.maximum(length, 1e-12))


def tangent(grads: SAEParams, params: SAEParams) -> SAEParams:
    """Without the part of the decoder's gradient that would only change its rows' length."""
    along = jnp.sum(grads.w_dec * params.w_dec, axis=-1, keepdims=True)
    return grads.replace(w_dec=grads.w_dec - along * params.w_dec)


def resample(
    key: Array,
    params: SAEParams,
    opt_state: optax.OptState,
    state: SAEState,
    x: Float[Array, "n d"],
    config: SAEConfig,
    optimiser: optax.GradientTransformation,
) -> tuple[SAEParams, optax.OptState, SAEState]:
    """Point dead latents at inputs that are badly reconstructed, and forget their moments.

    An input is drawn with probability proportional to its squared loss; the decoder row becomes its residual's direction,
    the encoder column the same with a fifth of the living ones' mean length, the bias 0.

    Args:
        key: a JAX key.
        params, opt_state, state: of one autoencoder.
        x: standardised inputs to draw from.
        config: says when a latent counts as dead.
        optimiser: the one that made ``opt_state``.

    Returns:
        The same three; unchanged where no latent is dead.

    Reference: Bricken et al. 2023, "Towards Monosemanticity", appendix on neuron resampling.
    """
    dead = state.idle >= config.dead_after
    residual = x - forward(params, x, state, config).recons
    loss = jnp.sum(residual**2, axis=1)
    drawn = jax.random.categorical(key, 2 * jnp.log(loss + 1e-30), shape=(config.latents,))
    rows = residual[drawn]
    rows = rows / jnp.maximum(jnp.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    lengths = jnp.linalg.norm(params.w_enc, axis=0)
    alive = jnp.maximum(jnp.sum(~dead), 1).astype(lengths.dtype)
    length = ENCODER_SHARE * jnp.sum(jnp.where(dead, 0.0, lengths)) / alive
    new = params.replace(
        w_enc=jnp.where(dead[None], length * rows.T, params.w_enc),
        b_enc=jnp.where(dead, 0.0, params.b_enc),
        w_dec=jnp.where(dead[:, None], rows, params.w_dec),
    )
    live = ~dead
    keep = jax.tree.map(jnp.ones_like, params).replace(
        w_enc=jnp.broadcast_to(live[None], params.w_enc.shape).astype(jnp.float32),
        b_enc=live.astype(jnp.float32),
        w_dec=jnp.broadcast_to(live[:, None], params.w_dec.shape).astype(jnp.float32),
    )
    moments = optax.tree.map_params(optimiser, lambda moment, kept: moment * kept, opt_state, keep)
    return new, moments, state.replace(idle=jnp.where(dead, 0, state.idle))
