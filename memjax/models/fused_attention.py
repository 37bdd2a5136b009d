"""cuDNN's fused attention on NVIDIA GPUs: the output without the probabilities, which never reach the GPU's memory.

The same products and the same float32 softmax as `memjax.models.attention.weigh` of `attention_weights`, summed in blocks of
keys (Dao et al. 2022, arXiv 2205.14135; Rabe & Staats 2021, arXiv 2112.05682). It takes half precision alone: float32 keeps
its plain products, and the same numbers on every device.
"""

import functools

import jax
import jax.numpy as jnp

from memjax.models.layers import Heads, Sources

HALF = (jnp.bfloat16, jnp.float16)

LEAST_CAPABILITY = 8.0
"""Compute capability from which cuDNN fuses attention: Ampere."""

MOST_HEAD_WIDTH = 128
"""Of any of those GPUs; it has to be a multiple of 8."""


@functools.cache
def has_fused_attention() -> bool:
    """Whether JAX computes on an NVIDIA GPU that has it; all GPUs of a process are taken to be of one kind.

    A program that is compiled for a GPU from elsewhere, without one, is the plain one.
    """
    if jax.default_backend() != "gpu":
        return False
    device = jax.local_devices()[0]
    if "cuda" not in device.client.platform_version.lower():
        return False
    return float(getattr(device, "compute_capability", 0)) >= LEAST_CAPABILITY


def can_be_fused(query: Heads) -> bool:
    """Whether attention of these queries, ``[h, t, k]``, can be fused where it is computed."""
    width = query.shape[-1]
    return query.dtype in HALF and width % 8 == 0 and width <= MOST_HEAD_WIDTH and has_fused_attention()


def fused(query: Heads, key: Sources, value: Sources) -> Heads:
    """Attention's output before its projection, ``[h, t, k]``; `can_be_fused` says where."""
    by_token = (x.swapaxes(0, 1) for x in (query, key, value))
    return jax.nn.dot_product_attention(*by_token, implementation="cudnn").swapaxes(0, 1)
