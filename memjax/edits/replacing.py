"""Values that take the place of others: zero, mean and resample ablation, activation patching, and edits one after another."""

from typing import Annotated

import jax.numpy as jnp
from flax import struct

from memjax.axes import Array, Float, Leaf
from memjax.checks import expected
from memjax.models.edits import PLACES, BlockIndex, Edit, Place, Values

Filling = float | Float[Array, "..."]
"""What takes the place of values: a number, or an array that broadcasts to them."""


@struct.dataclass
class Replace:
    """At one place of one block, other values in the places of some.

    Attributes:
        value: what is put there; broadcasts to the values.
        block: the layer coordinate, 1 for the first block; None for every block.
        where: True where values are replaced; broadcasts to the values.
        place: of `memjax.models.edits.PLACES`.

    Example:
        >>> import memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> image = jnp.zeros((*encoder.config.image, 3))
        >>> edit = memjax.edits.ablate_head(block=2, head=0, heads=encoder.config.heads)
        >>> heads = memjax.encode(encoder.params, image, encoder.config, lambda block: abs(block.heads).max((1, 2)), edit=edit)
        >>> [bool(largest == 0) for largest in heads[:3, 0]]
        [False, True, False]
    """

    value: Annotated[Leaf, "..."]
    block: Annotated[Leaf, ""]
    where: Annotated[Leaf, "..."]
    place: Place = struct.field(pytree_node=False)

    def __call__(self, block: BlockIndex, place: Place, values: Values) -> Values:
        if place != self.place:
            return values
        here = jnp.asarray(self.where) if self.block is None else jnp.asarray(self.where) & (block == self.block)
        value = jnp.asarray(self.value).astype(values.dtype)
        return jnp.where(_standing_on(here, values), _standing_on(value, values), values)


def _standing_on(x: Array, values: Values) -> Array:
    """``x`` with as many axes as the values, its own the last."""
    if x.ndim > values.ndim:
        raise expected("edit", f"at most the axes of the values, {values.shape}", x.shape, argument="edit")
    return x.reshape((1,) * (values.ndim - x.ndim) + x.shape)


def patch(place: str, block: int | Array | None, value: Filling, where: bool | Array = True) -> Replace:
    """Activation patching: the values of a place, or some of them, become those of another image, or any others.

    Args:
        place: of `memjax.models.edits.PLACES`.
        block: the layer coordinate, 1 for the first block; None for every block.
        value: what is put there, for instance what a tap has returned of another image.
        where: True where values are replaced.

    Raises:
        InputError: an unknown place.

    Reference:
        Vig et al. 2020, Investigating Gender Bias in Language Models Using Causal Mediation Analysis; Meng et al. 2022,
        Locating and Editing Factual Associations in GPT.

    Example:
        >>> import memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> one, other = jnp.zeros((2, *encoder.config.image, 3)).at[1].set(1.0)
        >>> streams = memjax.encode(encoder.params, other, encoder.config, lambda block: block.after)
        >>> edit = patch("after", 2, streams[1])
        >>> patched = memjax.encode(encoder.params, one, encoder.config, lambda block: block.after, edit=edit)
        >>> [bool((patched[i] == streams[i]).all()) for i in range(3)]
        [False, True, True]
    """
    for known in PLACES:
        if known == place:
            return Replace(value=value, block=block, where=where, place=known)
    raise expected("place", f"one of {', '.join(PLACES)}", place, argument="place")


def ablate_head(block: int | Array, head: int | Array, heads: int, value: Filling = 0.0) -> Replace:
    """Zero ablation of one attention head; mean or resample ablation with its mean, or another image's, as ``value``.

    Args:
        block: the layer coordinate, 1 for the first block.
        head: which, from 0.
        heads: how many a block has.
        value: what the head makes instead, ``[h, t, k]`` or what broadcasts to it; of other heads it is not used.

    Raises:
        InputError: a head that is not there.

    Reference:
        Michel, Levy & Neubig 2019, Are Sixteen Heads Really Better than One?
    """
    if isinstance(head, int) and not 0 <= head < heads:
        raise expected("head", f"0 to {heads - 1}", head, argument="head")
    return ablate_heads(block, jnp.arange(heads) == head, value)


def ablate_heads(block: int | Array, which: Array | bool = True, value: Filling = 0.0) -> Replace:
    """`ablate_head` of several; of all, the default, it takes out a block's attention but for the bias that its heads share.

    Args:
        block: the layer coordinate, 1 for the first block.
        which: True for a head that is ablated, ``[h]``.
        value: what they make instead.
    """
    return patch("heads", block, value, jnp.asarray(which).reshape(-1, 1, 1))


def ablate_mlp(block: int | Array, value: Filling = 0.0) -> Replace:
    """Zero ablation of a block's MLP, its bias too; mean or resample ablation with ``value``, ``[t, d]``."""
    return patch("mlp", block, value)


def ablate_tokens(block: int | Array | None, tokens: Array, value: Filling = 0.0) -> Replace:
    """Some tokens of what enters a block become 0, or ``value``.

    Args:
        block: the layer coordinate, 1 for the first block; None for every block.
        tokens: True for a token that is ablated, ``[t]``.
        value: what stands there instead, ``[t, d]`` or what broadcasts to it.
    """
    return patch("before", block, value, jnp.asarray(tokens)[:, None])


@struct.dataclass
class Several:
    """Edits one after another, each of what the one before has left.

    Example:
        >>> both = Several((ablate_mlp(1), ablate_mlp(2)))
        >>> [float(both(jnp.int32(block), "mlp", jnp.ones((1, 1)))[0, 0]) for block in (1, 2, 3)]
        [0.0, 0.0, 1.0]
    """

    edits: tuple[Edit, ...]

    def __call__(self, block: BlockIndex, place: Place, values: Values) -> Values:
        for edit in self.edits:
            values = edit(block, place, values)
        return values
