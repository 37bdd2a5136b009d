"""What each head, MLP and the embedding adds to a score that is linear in the tokens of all layers: exact, they sum to it.

The residual stream is a sum: of what was embedded and of what every head and MLP before has added to it. So a weight on a token
of layer ``i`` is a weight on what each block up to ``i`` adds to that token (direct attribution; nostalgebraist 2020, Elhage et
al. 2021). What a head adds may matter in other ways too, through what later blocks make of it: see `memjax.causes`.
"""

from typing import Annotated

import jax.numpy as jnp
from flax import struct

from memjax.attribution.direct import Weights
from memjax.axes import Array, Float, Image, Leaf, Scalar
from memjax.checks import expected
from memjax.metrics.activation import readout_token
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, forward
from memjax.precision import Precision, at_its_precision
from memjax.traces import BlockTrace, Layout

TOKENS = ("cls", "mean")
"""Whose weights are shared out."""


@struct.dataclass
class Branches:
    """What each part adds to the score, in its units.

    Attributes:
        embedded: what enters the first block, one number.
        heads: ``[l, h]``.
        biases: of the output projection that a block's heads share, ``[l]``.
        mlps: ``[l]``.
    """

    embedded: Annotated[Leaf, ""]
    heads: Annotated[Leaf, "l h"]
    biases: Annotated[Leaf, "l"]
    mlps: Annotated[Leaf, "l"]

    def sum(self) -> Scalar:
        """The score, less its intercept."""
        return self.embedded + self.heads.sum() + self.biases.sum() + self.mlps.sum()


@at_its_precision
def branch_contributions(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    layout: Layout,
    weights: Weights,
    precision: Precision = "highest",
) -> Branches:
    """What each part of an encoder adds to the score of one image.

    Args:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        config: the architecture.
        layout: how its tokens are read, ``config.layout.under(protocol)``.
        weights: the readout's, of ``cls`` and ``mean``, ``[l+1, d]``.
        precision: see `memjax.models.vit.forward`.

    Raises:
        InputError: weights of anything else: what a head makes of the last layer, and metrics, are no sum over parts.

    Example:
        >>> import memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> image = jnp.ones((*encoder.config.image, 3))
        >>> weights = {"cls": jnp.ones((encoder.config.depth + 1, encoder.config.width))}
        >>> parts = branch_contributions(encoder.params, image, encoder.config, encoder.config.layout, weights)
        >>> hidden = memjax.trace(encoder, image[None]).hidden[0]
        >>> bool(abs(parts.sum() - hidden[:, 0].sum()) < 1e-4 * abs(parts.heads).sum())
        True
    """
    if other := sorted(set(weights) - set(TOKENS)):
        raise expected("weights", "of cls and mean alone", ", ".join(other), argument="weights")
    later = {name: jnp.cumsum(jnp.asarray(w, jnp.float32)[::-1], axis=0)[::-1] for name, w in weights.items()}

    def tokens(hidden: Float[Array, "t d"]) -> dict[str, Float[Array, "d"]]:
        made = {"cls": readout_token(hidden, layout), "mean": hidden[layout.prefix :].mean(axis=0)}
        return {name: made[name].astype(jnp.float32) for name in later}

    def tap(block: BlockTrace) -> tuple[dict[str, Float[Array, "h k"]], dict[str, Float[Array, "d"]]]:
        return {name: x for name, x in _of_heads(block, layout).items() if name in later}, tokens(block.mlp)

    out = forward(params, image.astype(params.patch.kernel.dtype), config, tap, precision)
    mixed, mlps = out.tapped
    found = [_shares(params, later[name], mixed[name], mlps[name]) for name in later]
    embedded = sum((later[name][0] * x).sum() for name, x in tokens(out.embedded).items())
    parts = [sum(part) for part in zip(*found, strict=True)]
    return Branches(jnp.asarray(embedded), *map(jnp.asarray, parts))


def _of_heads(block: BlockTrace, layout: Layout) -> dict[str, Float[Array, "h k"]]:
    """What each head makes, at the tokens that are read, before the output projection."""
    wide = block.heads.astype(jnp.float32)
    read = wide[:, 0] if layout.cls else wide.mean(axis=1)
    return {"cls": read, "mean": wide[:, layout.prefix :].mean(axis=1)}


def _shares(
    params: ViTParams, later: Float[Array, "l1 d"], mixed: Float[Array, "l h k"], mlps: Float[Array, "l d"]
) -> tuple[Array, Array, Array]:
    """Of heads, their bias and MLPs; ``later``: the weights of what a block adds to a token, its own layer's and all above."""
    blocks, weights = params.blocks, later[1:]
    out = blocks.attention.out
    scaled = weights if blocks.scale1 is None else weights * blocks.scale1.astype(jnp.float32)
    heads = jnp.einsum("lhk,lhkd,ld->lh", mixed, out.kernel.astype(jnp.float32), scaled)
    bias = jnp.zeros(len(weights)) if out.bias is None else (scaled * out.bias.astype(jnp.float32)).sum(axis=-1)
    last = weights if blocks.scale2 is None else weights * blocks.scale2.astype(jnp.float32)
    return heads, bias, (last * mlps).sum(axis=-1)
