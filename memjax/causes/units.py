"""What is taken out of a block, one at a time."""

from typing import Annotated, NamedTuple

import jax.numpy as jnp
import pandas as pd
from flax import struct

from memjax.axes import Leaf

PARTS = ("head", "attention", "mlp", "block")
HEAD, ATTENTION, MLP, BLOCK = PARTS
"""One head; all heads of a block; its MLP; the block itself, which then leaves the stream as it entered."""


class Unit(NamedTuple):
    """One thing that is taken out: a part, and which head it is, else -1."""

    part: str
    head: int = -1


def units_of(heads: int) -> list[Unit]:
    """Of a block with so many heads.

    Example:
        >>> [unit.part for unit in units_of(2)]
        ['head', 'head', 'attention', 'mlp', 'block']
    """
    return [*(Unit(HEAD, head) for head in range(heads)), Unit(ATTENTION), Unit(MLP), Unit(BLOCK)]


@struct.dataclass
class Masks:
    """Where something is taken out, a row a unit (``u``): heads ``[u, h]``, MLP ``[u]``, block ``[u]``."""

    heads: Annotated[Leaf, "u h"]
    mlp: Annotated[Leaf, "u"]
    block: Annotated[Leaf, "u"]


def masks_of(units: list[Unit], heads: int) -> Masks:
    """Of some units, as `memjax.edits` takes them."""
    which = [[unit.part == ATTENTION or unit.head == head for head in range(heads)] for unit in units]
    mlp, block = ([unit.part == part for unit in units] for part in (MLP, BLOCK))
    return Masks(jnp.array(which), jnp.array(mlp), jnp.array(block))


def unit_table(depth: int, heads: int) -> pd.DataFrame:
    """Columns ``layer, part, head`` of every unit of every block, in the order of the effects."""
    found = [(layer, *unit) for layer in range(1, depth + 1) for unit in units_of(heads)]
    return pd.DataFrame(found, columns=["layer", "part", "head"])
