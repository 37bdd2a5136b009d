"""What an encoder shows of its inside: the trace of one block, of an image, and how its tokens are laid out.

Models write these types and metrics read them; neither knows the other. Fields are `Annotated` with their shape and
not checked at run time, since scan and vmap stack them.
"""

import dataclasses
from typing import Annotated

import jax.numpy as jnp
from flax import struct

from memjax.axes import Array, Attention, Float, Leaf
from memjax.checks import expected
from memjax.showing import short_repr

Row = Float[Array, "s"]
Rows = Float[Array, "h s"]


@struct.dataclass
class BlockTrace:
    """One transformer block, seen from outside, for one image.

    Attributes:
        before: residual stream that enters the block, ``[t, d]``.
        after: residual stream that leaves it, ``[t, d]``, before any final norm.
        attention: probabilities, ``[h, t, s]``, rows sum to 1. While an encoder runs they are formed where they are read; who
            needs the read-out token's alone asks for its `readout_rows`, which cost an accelerator nearly nothing.
        query, key, value: of each head, with positions, ``[h, t, k]``.
        heads: what each head makes, before the output projection, ``[h, t, k]``.
        mlp_hidden: what enters the MLP's last projection, ``[t, m]``.
        mlp: what the MLP makes, before its layer scale, ``[t, d]``.

    The fields from ``query`` on are there for a tap while an encoder runs; a trace that a tap returned as a whole has None in
    them. Return those that are wanted.
    """

    before: Annotated[Leaf, "t d"]
    after: Annotated[Leaf, "t d"]
    attention: Annotated[Leaf, "h t s"]
    query: Annotated[Leaf, "h t k"] = None
    key: Annotated[Leaf, "h s k"] = None
    value: Annotated[Leaf, "h s k"] = None
    heads: Annotated[Leaf, "h t k"] = None
    mlp_hidden: Annotated[Leaf, "t m"] = None
    mlp: Annotated[Leaf, "t d"] = None

    __repr__ = short_repr

    def readout_rows(self, layout: "Layout") -> Rows:
        """`readout_rows` of the block's attention."""
        return readout_rows(self.attention, layout)

    def readout_row(self, layout: "Layout") -> Row:
        """`readout_row` of the block's attention."""
        return readout_row(self.attention, layout)


@struct.dataclass
class ImageTrace:
    """One image from end to end, without what lies between: what a metric of the whole image sees.

    Attributes:
        pixels: the image as it enters the encoder, ``[y, x, c]``.
        embedded: what enters block 1, ``[t, d]``.
        last: what leaves the last block, ``[t, d]``, before any final norm.
        decoder_loss: `memjax.models.mae.mean_mae_loss`, where a metric needs the decoder, else None.
    """

    pixels: Annotated[Leaf, "y x c"]
    embedded: Annotated[Leaf, "t d"]
    last: Annotated[Leaf, "t d"]
    decoder_loss: Annotated[Leaf, ""] = None

    __repr__ = short_repr


@struct.dataclass
class Trace:
    """A whole encoder, seen from outside.

    Attributes:
        hidden: ``[b, l+1, t, d]``; ``hidden[:, 0]`` enters block 1, ``hidden[:, i]`` leaves block ``i``.
        attention: ``[b, l, h, t, s]``.
        pooled: what the family's head makes of the last layer, ``[b, e]``; None where it has no head.
    """

    hidden: Annotated[Leaf, "b l1 t d"]
    attention: Annotated[Leaf, "b l h t s"]
    pooled: Annotated[Leaf, "b e"]

    __repr__ = short_repr


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which tokens are what: cls first (if any), then a distillation token and registers, then patches in row-major order.

    Attributes:
        cls: whether there is a cls token.
        extra: tokens between it and the first patch.
        registers: how many of these are registers; they are the last of them.
        grid: rows and columns of patches; None where it is not known.
        patch: side of a patch in pixels.
    """

    cls: bool
    extra: int = 0
    registers: int = 0
    grid: tuple[int, int] | None = None
    patch: int = 1

    @property
    def prefix(self) -> int:
        """How many tokens stand before the first patch."""
        return int(self.cls) + self.extra

    def under(self, protocol: str) -> "Layout":
        """The layout as a protocol reads it.

        Args:
            protocol: ``"native"`` keeps it. ``"paper"`` reads token 0 of an encoder without cls as if it were one, and
                tokens 1.. as patches, as the authors' scripts do with SigLIP.

        Raises:
            InputError: for any other word.
        """
        if protocol not in PROTOCOLS:
            raise expected("protocol", f"one of {', '.join(PROTOCOLS)}", repr(protocol), argument="protocol")
        if protocol == "native" or self.cls:
            return self
        return dataclasses.replace(self, cls=True, extra=0, registers=0)

    def on(self, grid: tuple[int, int]) -> "Layout":
        """The layout of an image with another number of rows and columns of patches."""
        return dataclasses.replace(self, grid=grid)


PROTOCOLS = ("native", "paper")


def readout_rows(attention: Attention, layout: Layout) -> Rows:
    """The attention that the read-out token pays in each head: that of cls, or the mean over all tokens where there is none."""
    wide = attention.astype(jnp.float32)
    return wide[:, 0] if layout.cls else wide.mean(axis=1)


def readout_row(attention: Attention, layout: Layout) -> Row:
    """`readout_rows`, heads averaged."""
    wide = attention.astype(jnp.float32)
    return (
        wide[:, 0].mean(axis=0) if layout.cls else wide.mean(axis=(0, 1))
    )  # the row first: heads of one row, not of all
