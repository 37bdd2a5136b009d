"""The whole pass, encode and decode: the one place that picks a variant's activation."""

from jaxtyping import Array, Float

from memjax.sae.activations import ACTIVATIONS
from memjax.sae.config import SAEConfig
from memjax.sae.model import Output, SAEParams, SAEState, decode, pre_activations


def forward(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, training: bool = False
) -> Output:
    """Encode and decode.

    Args:
        params: from `memjax.sae.init.init_params` or a checkpoint.
        x: inputs.
        state: holds the inference threshold of ``batchtopk``.
        config: the architecture.
        training: share the budget over the batch (``batchtopk``) instead of using the threshold.

    Returns:
        Pre-activations, latents and reconstructions.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from memjax.sae.init import init_params, init_state
        >>> config = SAEConfig(width=5, latents=7, variant="topk", k=2)
        >>> params = init_params(jax.random.key(0), config)
        >>> out = forward(params, jnp.ones((3, 5)), init_state(config), config)
        >>> out.latents.shape, bool(((out.latents > 0).sum(1) <= 2).all())
        ((3, 7), True)
    """
    pre = pre_activations(params, x, config)
    latents = ACTIVATIONS[config.variant](params, pre, state, config, training)
    return Output(pre=pre, latents=latents, recons=decode(params, latents))
