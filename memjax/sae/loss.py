"""What each variant minimises, one function per variant, all of one signature.

``loss(params, x [b, d], state, config, sparsity) -> (scalar, Output)``. ``sparsity`` weighs the penalty and may be traced.
``paper`` sums squared errors over the width, as the authors' script does; the others take the mean, so that on standardised
input an autoencoder that returns the mean costs 1 whatever the width. Batches are averaged in all. `LOSSES` is the table.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.activations import keep_largest, step, thresholds
from memjax.sae.config import SAEConfig
from memjax.sae.forward import forward
from memjax.sae.model import Output, SAEParams, SAEState, decode


def mean_error(recons: Float[Array, "b d"], x: Float[Array, "b d"]) -> Float[Array, ""]:
    """Mean squared error over batch and width."""
    return jnp.mean((recons - x) ** 2)


def decoder_norms(params: SAEParams) -> Float[Array, "1 f"]:
    """Length of each decoder row, to be broadcast over a batch."""
    return jnp.linalg.norm(params.w_dec, axis=1)[None]


def paper(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """Sum of squared errors + ``sparsity`` x sum of |pre-activations|, before the ReLU (Takmaz et al. 2025)."""
    out = forward(params, x, state, config, training=True)
    error = jnp.sum((out.recons - x) ** 2, axis=1)
    return jnp.mean(error + sparsity * jnp.sum(jnp.abs(out.pre), axis=1)), out


def relu(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """Error + ``sparsity`` x L1 of the latents, each weighed by its decoder row's length (so that rescaling gains nothing)."""
    out = forward(params, x, state, config, training=True)
    penalty = jnp.mean(jnp.sum(out.latents * decoder_norms(params), axis=1))
    return mean_error(out.recons, x) + sparsity * penalty, out


def auxiliary(params: SAEParams, x: Float[Array, "b d"], out: Output, state: SAEState, config: SAEConfig) -> Array:
    """How badly the ``aux_k`` strongest dead latents reconstruct the residual, relative to the residual (0 when none is dead).

    Reference: Gao et al. 2024, section A.2; the residual is held fixed.
    """
    dead = state.idle >= config.dead_after
    residual = jax.lax.stop_gradient(x - out.recons)
    candidates = jnp.where(dead[None], jax.nn.relu(out.pre), jnp.zeros_like(out.pre))
    latents = jax.vmap(partial(keep_largest, k=config.aux_k))(candidates)
    size = jnp.maximum(jnp.mean(residual**2), jnp.finfo(x.dtype).tiny)
    value = mean_error(latents @ params.w_dec, residual) / size
    return jnp.where(jnp.any(dead), value, jnp.zeros_like(value))


def topk(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """Error + auxiliary loss; the budget ``k`` is the sparsity (``topk`` and ``batchtopk``)."""
    out = forward(params, x, state, config, training=True)
    loss = mean_error(out.recons, x)
    if config.aux_k:
        loss = loss + config.aux_coefficient * auxiliary(params, x, out, state, config)
    return loss, out


def matryoshka(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """The mean over nested dictionaries (the first ``prefix`` latents alone) of the error, + auxiliary loss."""
    out = forward(params, x, state, config, training=True)
    recons = jnp.zeros_like(x) + params.b_dec[None]
    errors, start = [], 0
    for stop in config.prefixes:
        recons = recons + out.latents[:, start:stop] @ params.w_dec[start:stop]
        errors.append(mean_error(recons, x))
        start = stop
    loss = jnp.mean(jnp.stack(errors))
    if config.aux_k:
        loss = loss + config.aux_coefficient * auxiliary(params, x, out, state, config)
    return loss, out


def jumprelu(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """Error + ``sparsity`` x L0, whose gradient reaches the thresholds by the straight-through kernel."""
    out = forward(params, x, state, config, training=True)
    active = step(jax.nn.relu(out.pre), thresholds(params, out.pre), config.bandwidth)
    return mean_error(out.recons, x) + sparsity * jnp.mean(jnp.sum(active, axis=1)), out


def gated(
    params: SAEParams, x: Float[Array, "b d"], state: SAEState, config: SAEConfig, sparsity: Array
) -> tuple[Array, Output]:
    """Error + ``sparsity`` x L1 of the gate + error of the gate's own reconstruction through a frozen decoder."""
    out = forward(params, x, state, config, training=True)
    gate = jax.nn.relu(out.pre)
    penalty = jnp.mean(jnp.sum(gate * decoder_norms(params), axis=1))
    frozen = jax.lax.stop_gradient(params)
    return mean_error(out.recons, x) + sparsity * penalty + mean_error(decode(frozen, gate), x), out


LOSSES = {
    "paper": paper,
    "relu": relu,
    "topk": topk,
    "batchtopk": topk,
    "jumprelu": jumprelu,
    "gated": gated,
    "matryoshka": matryoshka,
}
