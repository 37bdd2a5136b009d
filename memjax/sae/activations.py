"""From pre-activations to latents, one function per variant, all of one signature.

``activation(params, x [b, d], pre [b, f], state, config, training) -> latents [b, f]``, latents >= 0; ``x`` are the inputs that
the pre-activations are of, centred where the config asks for it. `memjax.sae.variants` says which variant has which; that of
``matching_pursuit`` is in `memjax.sae.pursuit`. Ties among equal pre-activations go to the lower index, as in `jax.lax.top_k`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.architecture import Architecture
from memjax.sae.model import SAEParams, SAEState


def relu(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Array:
    """``max(pre, 0)``."""
    return jax.nn.relu(pre)


def keep_largest(values: Float[Array, " f"], k: int) -> Float[Array, " f"]:
    """``values`` where they are among the ``k`` largest, 0 elsewhere."""
    top, where = jax.lax.top_k(values, k)
    return jnp.zeros_like(values).at[where].set(top)


def topk(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Array:
    """The ``k`` largest positive pre-activations of each input (Gao et al. 2024)."""
    return jax.vmap(partial(keep_largest, k=config.k))(jax.nn.relu(pre))


def batchtopk(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Array:
    """In training the ``b k`` largest of the batch; afterwards all above the running threshold (Bussmann et al. 2024)."""
    positive = jax.nn.relu(pre)
    if training:
        return keep_largest(positive.reshape(-1), config.k * pre.shape[0]).reshape(pre.shape)
    return jnp.where(positive > state.threshold, positive, jnp.zeros_like(positive))


def _kernel(z: Array) -> Array:
    """The rectangle: 1 on (-1/2, 1/2)."""
    return (jnp.abs(z) < 0.5).astype(z.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def jump(pre: Array, threshold: Array, bandwidth: float) -> Array:
    """``pre`` where it exceeds ``threshold``, else 0; the threshold's gradient is a straight-through estimate."""
    return jnp.where(pre > threshold, pre, jnp.zeros_like(pre))


def _jump_forward(pre: Array, threshold: Array, bandwidth: float) -> tuple[Array, tuple[Array, Array]]:
    return jump(pre, threshold, bandwidth), (pre, threshold)


def _jump_backward(bandwidth: float, saved: tuple[Array, Array], grad: Array) -> tuple[Array, Array]:
    pre, threshold = saved
    to_threshold = -(threshold / bandwidth) * _kernel((pre - threshold) / bandwidth) * grad
    return (pre > threshold).astype(grad.dtype) * grad, to_threshold


jump.defvjp(_jump_forward, _jump_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def step(pre: Array, threshold: Array, bandwidth: float) -> Array:
    """1 where ``pre`` exceeds ``threshold``, else 0 (the L0 penalty); no gradient into ``pre``."""
    return (pre > threshold).astype(pre.dtype)


def _step_forward(pre: Array, threshold: Array, bandwidth: float) -> tuple[Array, tuple[Array, Array]]:
    return step(pre, threshold, bandwidth), (pre, threshold)


def _step_backward(bandwidth: float, saved: tuple[Array, Array], grad: Array) -> tuple[Array, Array]:
    pre, threshold = saved
    return jnp.zeros_like(pre), -(1 / bandwidth) * _kernel((pre - threshold) / bandwidth) * grad


step.defvjp(_step_forward, _step_backward)


def thresholds(params: SAEParams, like: Float[Array, "b f"]) -> Float[Array, "b f"]:
    """``exp(log_threshold)``, repeated over the batch."""
    return jnp.broadcast_to(jnp.exp(params.log_threshold)[None], like.shape)


def jumprelu(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Array:
    """``pre`` above a learnt positive threshold (Rajamanoharan et al. 2024b)."""
    return jump(jax.nn.relu(pre), thresholds(params, pre), config.bandwidth)


def gated(
    params: SAEParams,
    x: Float[Array, "b d"],
    pre: Float[Array, "b f"],
    state: SAEState,
    config: Architecture,
    training: bool,
) -> Array:
    """Gate ``pre > 0`` times magnitude; both read the same projection, rescaled by ``exp(r_mag)``, with biases of their own."""
    projected = pre - params.b_enc[None]
    magnitude = jax.nn.relu(projected * jnp.exp(params.r_mag)[None] + params.b_mag[None])
    return jnp.where(pre > 0, magnitude, jnp.zeros_like(magnitude))
