"""What an encoder shows of its inside: the trace of one block, and how its tokens are laid out.

Models write these types and metrics read them; neither knows the other. Fields are `Annotated` with their shape and
not checked at run time, since scan and vmap stack them.
"""

import dataclasses
from typing import Annotated, Any

from flax import struct


@struct.dataclass
class BlockTrace:
    """One transformer block, seen from outside, for one image.

    Attributes:
        before: residual stream that enters the block, ``[t, d]``.
        after: residual stream that leaves it, ``[t, d]``, before any final norm.
        attention: probabilities, ``[h, t, s]``, rows sum to 1.
    """

    before: Annotated[Any, "t d"]
    after: Annotated[Any, "t d"]
    attention: Annotated[Any, "h t s"]


@struct.dataclass
class Trace:
    """A whole encoder, seen from outside.

    Attributes:
        hidden: ``[b, l+1, t, d]``; ``hidden[:, 0]`` enters block 1, ``hidden[:, i]`` leaves block ``i``.
        attention: ``[b, l, h, t, s]``.
        pooled: what the family's head makes of the last layer, ``[b, e]``; None where it has no head.
    """

    hidden: Annotated[Any, "b l+1 t d"]
    attention: Annotated[Any, "b l h t s"]
    pooled: Annotated[Any, "b e"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which tokens are what: cls first (if any), then registers and the like, then patches in row-major order."""

    cls: bool
    extra: int = 0

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
            ValueError: for any other word.
        """
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol: expected one of {PROTOCOLS}, got {protocol!r}")
        return Layout(cls=True) if protocol == "paper" and not self.cls else self


PROTOCOLS = ("native", "paper")
