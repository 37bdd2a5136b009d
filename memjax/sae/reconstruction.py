"""The whole pass, encode and decode, and what training minimises of it: the variant's row says which functions."""

from jaxtyping import Array, Float

from memjax.axes import Scalar
from memjax.precision import Precision, at_its_precision
from memjax.sae.config import SAEConfig
from memjax.sae.model import (
    Reconstruction,
    SAEParams,
    SAEState,
    centred_inputs,
    decode_latents,
    pair_of,
    pre_activations,
)


@at_its_precision
def reconstruct(
    params: SAEParams,
    x: Float[Array, "b d"],
    state: SAEState,
    config: SAEConfig,
    training: bool = False,
    precision: Precision = "highest",
) -> Reconstruction:
    """Encode and decode.

    Args:
        params: from `memjax.sae.init.init_params` or a checkpoint.
        x: inputs; of a transcoder too, without targets.
        state: holds the inference threshold of ``batchtopk``.
        config: the architecture.
        training: share the budget over the batch (``batchtopk``) instead of using the threshold.
        precision: of the two products (`memjax.precision`).

    Returns:
        Pre-activations, latents and reconstructions.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from memjax.sae.init import init_params, init_state
        >>> config = SAEConfig(width=5, latents=7, variant="topk", k=2)
        >>> params = init_params(jax.random.key(0), config)
        >>> out = reconstruct(params, jnp.ones((3, 5)), init_state(config), config)
        >>> out.latents.shape, bool(((out.latents > 0).sum(1) <= 2).all())
        ((3, 7), True)
    """
    centred = centred_inputs(params, x, config)
    pre = pre_activations(params, centred)
    latents = config.row.activation(params, centred, pre, state, config, training)
    return Reconstruction(pre=pre, latents=latents, recons=decode_latents(params, latents))


@at_its_precision
def objective(
    params: SAEParams,
    x: Float[Array, "b w"],
    state: SAEState,
    config: SAEConfig,
    sparsity: Scalar,
    precision: Precision = "highest",
) -> tuple[Float[Array, ""], Reconstruction]:
    """The variant's loss on a batch (`memjax.sae.losses`), and the pass; products at ``precision``, the gradient's too.

    ``x`` are the inputs; of a transcoder, each with its target behind it (`memjax.sae.model.pair_of`).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from memjax.sae.init import init_params, init_state
        >>> config = SAEConfig(width=5, latents=7, k=2)
        >>> params = init_params(jax.random.key(0), config)
        >>> loss, out = objective(params, jnp.ones((3, 5)), init_state(config), config, jnp.float32(1e-3))
        >>> loss.shape, out.recons.shape
        ((), (3, 5))
    """
    whole = config.row.constraint.derive(params, state)
    inputs, target = pair_of(x, config)
    out = reconstruct(whole, inputs, state, config, True, precision)
    return config.row.loss(whole, target, out, state, config, sparsity), out
