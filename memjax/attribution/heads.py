"""What each attention head and MLP adds to a score, to first order: the derivative with respect to a gate of 1 on its output.

No hook is needed: a gate on a head is a scaling of its rows of the output projection, one on an MLP of its last projection.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from flax import struct

from memjax.attribution.contrast import ImageScore
from memjax.axes import Array, Image, Leaf
from memjax.models.vit import ViTParams


@struct.dataclass
class Gates:
    """A number for each head and each MLP: factors of their outputs, or derivatives with respect to these.

    Attributes:
        heads: ``[l, h]``.
        mlps: ``[l]``.
    """

    heads: Annotated[Leaf, "l h"]
    mlps: Annotated[Leaf, "l"]


def open_gates(params: ViTParams) -> Gates:
    """Gates that leave everything as it is: 1 for each head and MLP."""
    layers, heads = params.blocks.attention.out.kernel.shape[:2]
    return Gates(jnp.ones((layers, heads), jnp.float32), jnp.ones(layers, jnp.float32))


def with_gates(params: ViTParams, gates: Gates) -> ViTParams:
    """The encoder with the output of each head and MLP times its gate; the bias that heads share is no head's and stays."""

    def times(leaf: Array | None, factors: Array) -> Array | None:
        if leaf is None:
            return None
        return leaf * factors.reshape(factors.shape + (1,) * (leaf.ndim - factors.ndim)).astype(leaf.dtype)

    blocks = params.blocks
    out, down = blocks.attention.out, blocks.mlp.down
    attention = blocks.attention.replace(out=out.replace(kernel=times(out.kernel, gates.heads)))
    last = down.replace(kernel=times(down.kernel, gates.mlps), bias=times(down.bias, gates.mlps))
    return params.replace(blocks=blocks.replace(attention=attention, mlp=blocks.mlp.replace(down=last)))


def gate_derivatives(score: ImageScore, params: ViTParams, image: Image) -> Gates:
    """Derivatives of the score with respect to every gate: what the score gains, to first order, by each head and MLP.

    Args:
        score: what is explained; static under jit.
        params: the encoder's.
        image: ``[y, x, 3]``, normalised, float32.

    Returns:
        Signed, in units of the score; positive: the head's output raises the score.

    Reference:
        Michel, Levy & Neubig 2019, Are Sixteen Heads Really Better than One? (who take the absolute value, mean over images).
    """
    return jax.grad(lambda gates: score(with_gates(params, gates), image))(open_gates(params))
