"""One image through an encoder as it is, and again from a block on with an edit: what both are read from."""

import dataclasses

import jax.numpy as jnp

from memjax.axes import Array, Image
from memjax.measure import Reader, Values
from memjax.models.blocks import Entering, resume_blocks
from memjax.models.edits import Edit
from memjax.models.vit import Output, ViTParams, forward, rotation_of
from memjax.predictor.scoring import Reading
from memjax.traces import BlockTrace


@dataclasses.dataclass(frozen=True)
class PlainPass:
    """The plain pass of one image; what an edit of a block leaves as it was is not run again.

    Attributes:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        reading: how what is read is made.
        reader: the same, of the image's grid.
        out: of the pass.
        streams: what enters each block, and last what leaves the last, ``[l+1, t, d]``.
    """

    params: ViTParams
    image: Image
    reading: Reading
    reader: Reader
    out: Output
    streams: Array

    @property
    def values(self) -> Values:
        """What is read of it."""
        return self.reader.values(self.params, self.image, self.out, self.reading.precision)

    def edited(self, edit: Edit, block: Array) -> Values:
        """What is read of the pass with an edit of ``block``, and of no block before it.

        An edit of what enters the first block changes what is read at layer 0 too.
        """
        config, embedded = self.reading.config, edit(jnp.int32(1), "before", self.out.embedded)
        entering = Entering(block, self.streams[block - 1], self.out.tapped)
        rotation = rotation_of(self.image.astype(self.params.patch.kernel.dtype), config)
        last, tapped = resume_blocks(self.params.blocks, entering, config, self.reader.tap, rotation, edit)
        seen = Output(embedded=embedded, last=last, tapped=tapped)
        return self.reader.values(self.params, self.image, seen, self.reading.precision)


def plain_pass(params: ViTParams, image: Image, reading: Reading) -> PlainPass:
    """Run it.

    Args:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        reading: how what is read is made.
    """
    config = reading.config
    reader = Reader(config, reading.layout.on(config.grid_of(image.shape)), reading.selection)

    def tap(block: BlockTrace) -> tuple[tuple[Values, Values], Array]:
        return reader.tap(block), block.after

    out = forward(params, image.astype(params.patch.kernel.dtype), config, tap, reading.precision)
    tapped, after = out.tapped
    streams = jnp.concatenate([out.embedded[None], after])
    return PlainPass(params, image, reading, reader, out.replace(tapped=tapped), streams)
