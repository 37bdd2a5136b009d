"""Edits: how what is inside a block is changed while an encoder runs.

An **edit** is a pure function ``(block, place, values) -> values``, applied inside the ``lax.scan`` over blocks at each of
`PLACES`. The block is its layer coordinate, 1 for the first, a traced integer: compare it with ``==`` and choose with
``jnp.where``. The place is a plain string. What is of no interest is returned as it is.
"""

import functools
from collections.abc import Callable
from typing import Literal, get_args

from memjax.axes import Array, Float, Int
from memjax.checks import expected

Place = Literal["before", "attention", "heads", "mlp", "after"]
"""In the order of computation: the residual stream that enters the block ``[t, d]``; the attention probabilities ``[h, t, s]``;
what each head makes, before the output projection ``[h, t, k]``; what the MLP makes, before its layer scale ``[t, d]``; the
residual stream that leaves the block ``[t, d]``.
"""

PLACES: tuple[Place, ...] = get_args(Place)

Values = Float[Array, "..."]
BlockIndex = Int[Array, ""]
Edit = Callable[[BlockIndex, Place, Values], Values]
Change = Callable[[Place, Values], Values]
"""An edit in one block."""


def left_alone(place: Place, values: Values) -> Values:
    """The change that leaves all as it is."""
    return values


def changes_in(edit: Edit | None, block: BlockIndex | None) -> Change | None:
    """An edit in a block whose layer coordinate is ``block``; None without one."""
    return None if edit is None or block is None else functools.partial(_changed, edit, block)


def _changed(edit: Edit, block: BlockIndex, place: Place, values: Values) -> Values:
    found = edit(block, place, values)
    if getattr(found, "shape", None) != values.shape:
        wanted = f"an array of the shape that was given at {place!r}, {values.shape}"
        raise expected("edit", wanted, getattr(found, "shape", type(found).__name__), argument="edit")
    return found.astype(values.dtype)
