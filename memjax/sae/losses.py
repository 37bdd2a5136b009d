"""What each variant minimises, one function per variant, all of one signature.

``loss(params, x [b, o], out, state, config, sparsity) -> scalar``, where ``x`` is what is to be decoded (the inputs, or a
transcoder's targets), ``out`` the pass in training mode, and ``sparsity`` weighs the penalty (it may be traced).
`memjax.sae.variants` says which variant has which. ``paper`` sums squared errors over the width, as the authors' script does;
the others take the mean, so that what returns the mean of standardised vectors costs 1 whatever the width. Batches are averaged
in all.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.axes import Scalar
from memjax.sae.activations import keep_largest, step, thresholds
from memjax.sae.architecture import Architecture
from memjax.sae.model import Reconstruction, SAEParams, SAEState, decode_latents


def mean_error(recons: Float[Array, "b o"], x: Float[Array, "b o"]) -> Float[Array, ""]:
    """Mean squared error over batch and width."""
    return jnp.mean((recons - x) ** 2)


def decoder_norms(params: SAEParams) -> Float[Array, "1 f"]:
    """Length of each decoder row, to be broadcast over a batch."""
    return jnp.linalg.norm(params.w_dec, axis=1)[None]


def paper_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """Sum of squared errors + ``sparsity`` x sum of |pre-activations|, before the ReLU (Takmaz et al. 2025)."""
    error = jnp.sum((out.recons - x) ** 2, axis=1)
    return jnp.mean(error + sparsity * jnp.sum(jnp.abs(out.pre), axis=1))


def relu_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """Error + ``sparsity`` x L1 of the latents, each weighed by its decoder row's length (so that rescaling gains nothing)."""
    penalty = jnp.mean(jnp.sum(out.latents * decoder_norms(params), axis=1))
    return mean_error(out.recons, x) + sparsity * penalty


def auxiliary(
    params: SAEParams, x: Float[Array, "b o"], out: Reconstruction, state: SAEState, config: Architecture
) -> Float[Array, ""]:
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


def topk_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """Error + auxiliary loss; the budget ``k`` is the sparsity (``topk`` and ``batchtopk``)."""
    loss = mean_error(out.recons, x)
    if config.aux_k:
        loss = loss + config.aux_coefficient * auxiliary(params, x, out, state, config)
    return loss


def matryoshka_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """The mean over nested dictionaries (the first ``prefix`` latents alone) of the error, + auxiliary loss."""
    recons = jnp.zeros_like(x) + params.b_dec[None]
    errors, start = [], 0
    for stop in config.prefixes:
        recons = recons + out.latents[:, start:stop] @ params.w_dec[start:stop]
        errors.append(mean_error(recons, x))
        start = stop
    loss = jnp.mean(jnp.stack(errors))
    if config.aux_k:
        loss = loss + config.aux_coefficient * auxiliary(params, x, out, state, config)
    return loss


def jumprelu_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """Error + ``sparsity`` x L0, whose gradient reaches the thresholds by the straight-through kernel."""
    active = step(jax.nn.relu(out.pre), thresholds(params, out.pre), config.bandwidth)
    return mean_error(out.recons, x) + sparsity * jnp.mean(jnp.sum(active, axis=1))


def gated_loss(
    params: SAEParams,
    x: Float[Array, "b o"],
    out: Reconstruction,
    state: SAEState,
    config: Architecture,
    sparsity: Scalar,
) -> Float[Array, ""]:
    """Error + ``sparsity`` x L1 of the gate + error of the gate's own reconstruction through a frozen decoder."""
    gate = jax.nn.relu(out.pre)
    penalty = jnp.mean(jnp.sum(gate * decoder_norms(params), axis=1))
    frozen = jax.lax.stop_gradient(params)
    return mean_error(out.recons, x) + sparsity * penalty + mean_error(decode_latents(frozen, gate), x)
