"""What a block's heads and MLP make for the read-out token, for one image at one layer, before the residual stream takes it.

Every function takes values of all tokens, since the read-out token may be their mean (`memjax.metrics.activation.readout_token`).
"""

import jax.numpy as jnp

from memjax.axes import Array, Float, Hidden, Scalar
from memjax.metrics.activation import cls_norm, readout_token
from memjax.traces import Layout


def head_norms(heads: Float[Array, "h t k"], layout: Layout) -> Float[Array, "h"]:
    """Euclidean length of what each head makes for the read-out token: the values it attends to, weighted by its attention.

    Args:
        heads: `memjax.BlockTrace.heads`, before the output projection.
        layout: which token is read out; without a cls token the mean of all.

    Returns:
        ``[h]``, float32, in activation units.

    Reference:
        Kobayashi et al. 2020, "Attention Is Not Only a Weight: Analyzing Transformers with Vector Norms", where the norm of
        weighted values is taken in place of the weights.

    Example:
        >>> heads = jnp.zeros((2, 3, 4)).at[1, 0].set(3.0)
        >>> head_norms(heads, Layout(cls=True)).tolist()
        [0.0, 6.0]
    """
    wide = heads.astype(jnp.float32)
    token = wide[:, 0] if layout.cls else wide.mean(axis=1)
    return jnp.sqrt(jnp.square(token).sum(axis=-1))


def mlp_norm(mlp: Hidden, layout: Layout) -> Scalar:
    """Euclidean length of what the MLP makes for the read-out token, in activation units, before its layer scale."""
    return cls_norm(readout_token(mlp, layout))


def active_share(mlp_hidden: Float[Array, "t m"], layout: Layout) -> Scalar:
    """How many of the MLP's hidden units are above 0 for the read-out token, in [0, 1]; without a cls token for any token.

    Reference:
        Li et al. 2023, "The Lazy Neuron Phenomenon: On Emergence of Activation Sparsity in Transformers", of ReLU; GELU's
        units are above 0 for the same inputs.
    """
    above = (mlp_hidden > 0).astype(jnp.float32)
    return (above[0] if layout.cls else above).mean()
