"""Directions of the residual stream: one taken out of it, or added to it."""

from typing import Annotated

import jax.numpy as jnp
from flax import struct

from memjax.axes import Array, Float, Leaf
from memjax.models.edits import BlockIndex, Place, Values


@struct.dataclass
class ProjectOut:
    """What leaves a block loses its component along a direction, at every token.

    Attributes:
        direction: ``[d]``, of any length but 0.
        block: the layer coordinate, 1 for the first block; None for every block.

    Reference:
        Bolukbasi et al. 2016, Man is to Computer Programmer as Woman is to Homemaker?; Arditi et al. 2024, Refusal in Language
        Models Is Mediated by a Single Direction (directional ablation).

    Example:
        >>> edit = ProjectOut(jnp.array([3.0, 0.0]), block=1)
        >>> edit(jnp.int32(1), "after", jnp.array([[5.0, 7.0]])).tolist()
        [[0.0, 7.0]]
    """

    direction: Annotated[Leaf, "d"]
    block: Annotated[Leaf, ""]

    def __call__(self, block: BlockIndex, place: Place, values: Values) -> Values:
        if place != "after":
            return values
        unit = jnp.asarray(self.direction, jnp.float32) / jnp.linalg.norm(jnp.asarray(self.direction, jnp.float32))
        along = jnp.einsum("td,d->t", values, unit, precision="highest")
        return _here(self.block, block, values - along[:, None] * unit[None, :], values)


@struct.dataclass
class Steer:
    """What leaves a block has a direction added to it, at every token or at some.

    Attributes:
        direction: ``[d]``, as long as it is to be added.
        block: the layer coordinate, 1 for the first block; None for every block.
        tokens: True, or 1, for a token to which it is added, ``[t]``; None for all.

    Reference:
        Turner et al. 2023, Steering Language Models With Activation Engineering.

    Example:
        >>> edit = Steer(jnp.array([0.0, 1.0]), block=1, tokens=jnp.array([True, False]))
        >>> edit(jnp.int32(1), "after", jnp.zeros((2, 2))).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    direction: Annotated[Leaf, "d"]
    block: Annotated[Leaf, ""]
    tokens: Annotated[Leaf, "t"] = None

    def __call__(self, block: BlockIndex, place: Place, values: Values) -> Values:
        if place != "after":
            return values
        added = jnp.asarray(self.direction, values.dtype)[None, :]
        if self.tokens is not None:
            added = jnp.asarray(self.tokens, values.dtype)[:, None] * added
        return _here(self.block, block, values + added, values)


def _here(wanted: Leaf, block: BlockIndex, edited: Float[Array, "t d"], values: Float[Array, "t d"]) -> Values:
    """``edited`` in the block that is wanted."""
    return edited if wanted is None else jnp.where(block == wanted, edited, values)
