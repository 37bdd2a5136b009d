"""Grey levels to pixels on the device: `memjax.images.normalise` inside a jitted function, so that bytes travel to it."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from memjax.axes import Array, Float, UInt8
from memjax.preprocessing import Preprocessing, normalise_table

HIGH_BITS = 16
"""Significant bits of the high part of a factor: times 8 bits of a grey level the product is exact in float32."""


def normalise_levels(levels: UInt8[Array, "*b y x c"], pre: Preprocessing) -> Float[Array, "*b y x c"]:
    """Rescale and normalise uint8 grey levels; pure, for jit.

    A CPU looks the 256 levels up, which gives the bits of `memjax.images.normalise`; other devices compute (a lookup is
    one scalar access a value there, which ruins a TPU), within one unit in the last place of it.

    Args:
        levels: ``[..., y, x, 3]``.
        pre: how the encoder's pixels are made.

    Returns:
        float32 ``[..., y, x, 3]``.
    """
    return jax.lax.platform_dependent(
        levels, cpu=lambda x: look_up_levels(x, pre), default=lambda x: compute_levels(x, pre)
    )


def look_up_levels(levels: UInt8[Array, "*b y x c"], pre: Preprocessing) -> Float[Array, "*b y x c"]:
    """`memjax.preprocessing.normalise_table`, looked up."""
    return jnp.asarray(normalise_table(pre))[levels, jnp.arange(3)]


def compute_levels(levels: UInt8[Array, "*b y x c"], pre: Preprocessing) -> Float[Array, "*b y x c"]:
    """``(float32(level * rescale) - mean) / std`` in float32, the rescaled level as exact as a product in float64."""
    values = levels.astype(jnp.float32)
    if pre.rescale is not None:
        high, low = split_factor(pre.rescale)
        values = values * high + values * low
    if pre.mean is None or pre.std is None:
        return values
    mean, std = (jnp.asarray(x, jnp.float32).reshape((1,) * (levels.ndim - 1) + (3,)) for x in (pre.mean, pre.std))
    return (values - mean) / std


def split_factor(factor: float) -> tuple[np.float32, np.float32]:
    """A float64 as the sum of two float32, the first of `HIGH_BITS` significant bits.

    Example:
        >>> high, low = split_factor(1 / 255)
        >>> float(high) + float(low) - 1 / 255 < 1e-15
        True
    """
    mantissa, exponent = math.frexp(factor)
    high = math.ldexp(round(mantissa * 2**HIGH_BITS), exponent - HIGH_BITS)
    return np.float32(high), np.float32(factor - high)
