"""An autoencoder before its first step."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.config import SAEConfig
from memjax.sae.model import ArchetypalState, SAEParams, SAEState


def init_params(key: Array, config: SAEConfig, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """Fresh parameters, as the variant has them (`memjax.sae.initialisers`).

    Args:
        key: a JAX key.
        config: the architecture; ``paper`` draws as torch's Linear does, the others tie the encoder to the decoder, but
            for transcoders.
        centre: where the decoder's bias starts (the mean of what is decoded, say); zero when left out. Not used by ``paper``.

    Returns:
        Parameters in float32.

    Example:
        >>> import jax
        >>> params = init_params(jax.random.key(0), SAEConfig(width=4, latents=6, variant="paper", k=1))
        >>> params.w_enc.shape, bool(jnp.abs(params.w_enc).max() <= 0.5)
        ((4, 6), True)
    """
    return config.row.init(key, config, centre)


def init_state(config: SAEConfig) -> SAEState:
    """No threshold yet, no latent silent yet; the candidates of ``archetypal`` are zeros until they are known."""
    threshold, idle = jnp.zeros((), jnp.float32), jnp.zeros((config.latents,), jnp.int32)
    if config.row.archetypal:
        return ArchetypalState(threshold, idle, jnp.zeros((config.candidates, config.width), jnp.float32))
    return SAEState(threshold, idle)
