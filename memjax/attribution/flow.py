"""Attention rollout: through which patches information can have reached the token that is read, by attention alone.

It knows no score and has no sign: what is attended to may raise the score, lower it or leave it.
"""

import jax
import jax.numpy as jnp

from memjax.axes import Array, Attention, Float, Image
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, forward
from memjax.precision import Precision
from memjax.traces import BlockTrace, Layout


def rollout(attention: Float[Array, "l h t s"], layout: Layout) -> Float[Array, "gy gx"]:
    """The product over blocks of the mean attention of their heads, half of it the residual stream's.

    Args:
        attention: probabilities of every block; `memjax.trace` gives them.
        layout: which tokens are patches, with their grid. Cls and registers pass information on and have no place in the map.

    Returns:
        The patches' shares in the cls token; in the mean of all tokens where there is none. With the tokens before the
        patches they sum to 1.

    Reference:
        Abnar & Zuidema 2020, Quantifying Attention Flow in Transformers.

    Example:
        >>> even = jnp.full((1, 2, 4, 4), 0.25)
        >>> rollout(even, Layout(cls=True, grid=(1, 3))).tolist()
        [[0.125, 0.125, 0.125]]
    """
    assert layout.grid is not None, "rollout needs a layout with its grid"
    tokens = attention.shape[-1]
    mixed = 0.5 * attention.astype(jnp.float32).mean(axis=1) + 0.5 * jnp.eye(tokens, dtype=jnp.float32)[None]
    asks = jnp.zeros(tokens, jnp.float32).at[0].set(1.0) if layout.cls else jnp.full(tokens, 1 / tokens, jnp.float32)

    def back(row: Float[Array, "t"], block: Float[Array, "t s"]) -> tuple[Float[Array, "s"], None]:
        return jnp.einsum("t,ts->s", row, block, precision="highest"), None

    shares, _ = jax.lax.scan(back, asks, mixed, reverse=True)
    rows, columns = layout.grid
    patches = shares[layout.prefix :]
    return jnp.pad(patches, (rows * columns - patches.size, 0)).reshape(rows, columns)


def attention_rollout(
    params: ViTParams, image: Image, config: ViTConfig, layout: Layout, precision: Precision = "highest"
) -> Float[Array, "gy gx"]:
    """`rollout` of one image; of each block the mean over heads is kept.

    Args:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        config: the architecture.
        layout: how its tokens are read, ``config.layout.under(protocol)``.
        precision: see `memjax.models.vit.forward`.
    """

    def mean_of_heads(block: BlockTrace) -> Attention:
        return block.attention.mean(axis=0, keepdims=True)

    out = forward(params, image.astype(params.patch.kernel.dtype), config, mean_of_heads, precision)
    return rollout(out.tapped, layout.on(config.grid_of(image.shape)))
