"""How far the read-out token moves, for one image."""

import jax.numpy as jnp

from memjax.axes import Array, Float, Scalar
from memjax.metrics.patches import EPS

Token = Float[Array, "d"]


def layer_delta(before: Token, after: Token) -> Scalar:
    """``1 - cosine`` between two tokens, computed as ``|u - v|^2 / 2``, which keeps its digits where they are close.

    Args:
        before, after: the read-out token at two layers, ``[d]``.

    Returns:
        A scalar, float32, in [0, 2]; 0.5 if one of them is zero and the other is not.

    Reference:
        Takmaz, Gatt & Dotlačil 2025, section 3 (change between layers).
    """
    u, v = (x / jnp.maximum(jnp.sqrt(jnp.square(x).sum()), EPS) for x in (before, after))
    return 0.5 * jnp.square(u - v).sum()
