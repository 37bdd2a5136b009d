"""Latents that never fire are counted while training, and the threshold of a shared budget follows."""

import jax.numpy as jnp

from memjax.sae.config import SAEConfig
from memjax.sae.model import Reconstruction, SAEState


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
    return state.replace(threshold=moved, idle=idle)
