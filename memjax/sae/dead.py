"""Latents that never fire are counted while training; decoder rows are kept at length 1."""

import jax.numpy as jnp

from memjax.sae.config import SAEConfig
from memjax.sae.model import Reconstruction, SAEParams, SAEState


def observe(state: SAEState, out: Reconstruction, config: SAEConfig) -> SAEState:
    """After a batch: how long each latent was silent, and the smallest value that got through the budget (a running mean)."""
    batch = out.latents.shape[0]
    fired = jnp.any(out.latents > 0, axis=0)
    idle = jnp.where(fired, jnp.zeros_like(state.idle), state.idle + batch)
    if not config.row.shares_budget:
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
