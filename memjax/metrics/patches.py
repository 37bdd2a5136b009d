"""How alike the patches of an image are, and how many stand out, at one layer."""

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
    count = hidden.shape[0] - layout.prefix
    if count < 2:
        return jnp.asarray(jnp.nan, jnp.float32)
    wide = hidden.astype(jnp.float32)
    lengths = jnp.sqrt(jnp.square(wide).sum(axis=-1))
    patch = (
        jnp.arange(hidden.shape[0]) >= layout.prefix
    )  # a weight of 0 leaves a token out, without a copy of the others
    weights = jnp.where(patch, 1 / jnp.maximum(lengths, EPS), 0.0)
    total = jnp.matmul(weights, wide, precision="highest")
    return (jnp.square(total).sum() - jnp.square(weights * lengths).sum()) / (count * (count - 1))


OUTLYING = 3 * 1.4826
"""Median absolute deviations above the median from which a norm is an outlier: 3 standard deviations of a normal one."""


def patch_norm_outliers(hidden: Hidden, layout: Layout) -> Scalar:
    """The share of patch tokens whose norm is an outlier among the norms of the image's patches at that layer.

    An outlier lies above ``median + 3 * 1.4826 * MAD``, MAD being the median absolute deviation from the median. Darcet et
    al. cut at one norm for each model (150 for DINOv2-g); this needs none, and does not see the tokens' scale.

    Args:
        hidden: tokens ``[t, d]``.
        layout: which of them are patches.

    Returns:
        A scalar, float32, in [0, 0.5); 0 where all norms are equal.

    Reference:
        Darcet et al. 2023, "Vision Transformers Need Registers", section 2.
    """
    norms = jnp.sqrt(jnp.square(hidden[layout.prefix :].astype(jnp.float32)).sum(axis=-1))
    median = jnp.median(norms)
    spread = jnp.median(jnp.abs(norms - median))
    return (norms > median + OUTLYING * spread).astype(jnp.float32).mean()
