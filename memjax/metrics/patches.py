"""How alike the patches of an image are, at one layer."""

import jax.numpy as jnp

from memjax.axes import Hidden, Scalar
from memjax.traces import Layout

EPS = 1e-8
"""Smallest length that a token is divided by, as in torch's ``cosine_similarity``."""


def patch_uniformity(hidden: Hidden, layout: Layout) -> Scalar:
    """Mean cosine between every two different patch tokens, in closed form.

    With unit vectors ``u``: ``(|sum u|^2 - sum |u|^2) / (P (P - 1))``, so O(P d) and not O(P^2 d). The authors call it
    patch regularity and average each patch's cosines with all others, which is the same number.

    Args:
        hidden: tokens ``[t, d]``.
        layout: which of them are patches.

    Returns:
        A scalar, float32, in [-1 / (P - 1), 1]; NaN for a single patch.

    Reference:
        Takmaz, Gatt & Dotlačil 2025, section 3 (patch uniformity).
    """
    patches = hidden[layout.prefix :].astype(jnp.float32)
    lengths = jnp.sqrt(jnp.square(patches).sum(axis=-1, keepdims=True))
    unit = patches / jnp.maximum(lengths, EPS)
    count = patches.shape[0]
    if count < 2:
        return jnp.asarray(jnp.nan, jnp.float32)
    return (jnp.square(unit.sum(axis=0)).sum() - jnp.square(unit).sum()) / (count * (count - 1))
