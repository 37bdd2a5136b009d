"""Where the read-out token looks, for one image at one layer."""

import jax.numpy as jnp

from memjax.axes import Attention, Scalar
from memjax.traces import Layout


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
    wide = attention.astype(jnp.float32)
    row = (
        wide[:, 0].mean(axis=0) if layout.cls else wide.mean(axis=(0, 1))
    )  # the row first: heads of one row, not of all
    patches = row[layout.prefix :]
    p = patches / patches.sum()
    return -jnp.where(p > 0, p * jnp.log2(jnp.where(p > 0, p, 1.0)), 0.0 * p).sum()
