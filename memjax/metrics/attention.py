"""Where tokens look, for one image at one layer."""

import jax.numpy as jnp

from memjax.axes import Array, Attention, Float, Scalar
from memjax.traces import Layout, Row, readout_row, readout_rows


def entropy_bits(weights: Float[Array, "... p"]) -> Float[Array, "..."]:
    """Entropy of weights that are first made to sum to 1, ``-sum p log2 p`` with ``0 log 0 = 0``; NaN where all are 0."""
    p = weights / weights.sum(axis=-1, keepdims=True)
    return -jnp.where(p > 0, p * jnp.log2(jnp.where(p > 0, p, 1.0)), 0.0 * p).sum(axis=-1)


def attention_entropy(attention: Attention, layout: Layout) -> Scalar:
    """Entropy, in bits, of the attention that the read-out token pays to the patches.

    Heads are averaged; the row of the cls token is taken; its own column and those of registers are left out; the rest
    is renormalised to sum to 1; ``-sum p log2 p`` with ``0 log 0 = 0``. Without a cls token the rows of all queries are
    averaged first. Uniform attention over ``p`` patches gives ``log2 p``, attention to one patch 0.

    Args:
        attention: probabilities ``[h, t, s]``.
        layout: which tokens are cls, extras and patches.

    Returns:
        A scalar, float32, in [0, log2 p]; NaN where the patches get no attention at all.

    Reference:
        Takmaz, Gatt & Dotlačil 2025, section 3 (attention distributions).
    """
    return patch_entropy(readout_row(attention, layout), layout)


def head_entropies(attention: Attention, layout: Layout) -> Float[Array, "h"]:
    """`attention_entropy` of each head's own row, without averaging heads first: ``[h]``, in bits."""
    return patch_entropy(readout_rows(attention, layout), layout)


def patch_entropy(rows: Float[Array, "*h s"], layout: Layout) -> Float[Array, "*h"]:
    """`entropy_bits` of rows of attention over the patches alone."""
    return entropy_bits(rows[..., layout.prefix :])


def attention_distance(attention: Attention, layout: Layout) -> Scalar:
    """How far patches look: the distance from a patch to all patches, weighted by the attention it pays them, in pixels.

    Distances run between centres of patches. Each row is renormalised over patches (cls and registers left out); then
    the mean over query patches and heads is taken.

    Args:
        attention: probabilities ``[h, t, s]``.
        layout: which tokens are patches; its ``grid`` and ``patch`` say where they lie.

    Returns:
        A scalar, float32, from 0 (each patch sees itself alone) to the largest distance of two patches; NaN where a patch
        pays none to patches.

    Raises:
        ValueError: a layout without a grid.

    Reference:
        Raghu et al. 2021, "Do Vision Transformers See Like Convolutional Neural Networks?", section 3; Dosovitskiy et
        al. 2021, appendix D.7.
    """
    if layout.grid is None:
        raise ValueError("attention_distance: expected a layout with a grid of patches, got none")
    rows, columns = layout.grid
    token = jnp.arange(attention.shape[-1])
    place = token - (token.size - rows * columns)  # the patches are the last tokens, row by row
    y, x = ((layout.patch * z).astype(jnp.float32) for z in (place // columns, place % columns))
    patch = (token >= layout.prefix).astype(jnp.float32)
    distance = jnp.hypot(y[:, None] - y[None], x[:, None] - x[None])
    wide = attention.astype(jnp.float32) * patch[None, None, :]
    mean = (wide * distance[None]).sum(axis=-1) / wide.sum(axis=-1)
    return mean[:, layout.prefix :].mean()


def register_attention(attention: Attention, layout: Layout) -> Scalar:
    """The share of the read-out token's attention that goes to the registers, heads averaged: in [0, 1].

    Reference:
        Darcet et al. 2023, "Vision Transformers Need Registers".
    """
    return register_share(readout_row(attention, layout), layout)


def register_share(row: Row, layout: Layout) -> Scalar:
    """What a row of attention gives to the registers."""
    return row[layout.prefix - layout.registers : layout.prefix].sum()
