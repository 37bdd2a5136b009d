"""What the read-out token's activations say, for one image at one layer. Units: the encoder's own activations.

Takmaz, Gatt & Dotlačil 2025, section 3: mean, sum, maximum and maximum of absolute values over the width of the cls
token; the norm is added here. Every function takes the read-out token, ``[d]``, and returns a scalar.
"""

import jax.numpy as jnp

from memjax.axes import Array, Float, Hidden, Scalar
from memjax.traces import Layout

Token = Float[Array, "d"]


def readout_token(hidden: Hidden, layout: Layout) -> Token:
    """The token that stands for the image: cls, or the mean of all tokens where there is none. Float32."""
    wide = hidden.astype(jnp.float32)
    return wide[0] if layout.cls else wide.mean(axis=0)


def cls_mean(token: Token) -> Scalar:
    return token.mean()


def cls_sum(token: Token) -> Scalar:
    return token.sum()


def cls_max(token: Token) -> Scalar:
    return token.max()


def cls_max_abs(token: Token) -> Scalar:
    return jnp.abs(token).max()


def cls_norm(token: Token) -> Scalar:
    """Euclidean length."""
    return jnp.sqrt(jnp.square(token).sum())
