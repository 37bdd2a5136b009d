"""Batches through a program, in pieces that fit: a piece that finds no room is halved, and its images are run again.

What the loader makes stays as large as it was; only what the devices get at once becomes smaller, so that no image is lost,
read or measured twice. Each process of a run halves for itself: they need not agree.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import jax
import numpy as np
from jax.errors import JaxRuntimeError
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from memjax import batching, devices
from memjax.axes import UInt8
from memjax.checks import InputError
from memjax.faults import lacks_memory
from memjax.loader import Batch
from memjax.measure import Values

Measured = Iterator[tuple[Batch, dict[str, np.ndarray]]]
"""Batches with the values of their images."""

Tell = Callable[[str], None]
"""Given a line for whoever watches."""


Params = TypeVar("Params")


@dataclasses.dataclass(frozen=True, eq=False)
class Program(Generic[Params]):
    """What images are measured by.

    Attributes:
        run: jitted, ``(params, grey levels) -> values`` (`memjax.measure.compiled`).
        params: on every device (`memjax.devices.replicate`).
        mesh: the devices.
        image: size of the images, ``(y, x)``.
        name: the encoder's, for messages.
    """

    run: Callable[[Params, jax.Array], Values]
    params: Params
    mesh: Mesh
    image: tuple[int, int]
    name: str

    def __call__(self, levels: UInt8[np.ndarray, "b y x c"]) -> Values:
        """Start measuring a batch; its values arrive later."""
        return self.run(self.params, devices.split(levels, self.mesh))

    def fits(self, size: int) -> bool:
        """Whether the devices have room for a batch of so many images, by the compiler's own count.

        The compiled program is kept by jit: the first batch does not compile it again.
        """
        spread = NamedSharding(self.mesh, PartitionSpec(devices.AXIS))
        levels = jax.ShapeDtypeStruct((size, *self.image, 3), np.uint8, sharding=spread)
        try:
            needed = batching.needed_bytes(self.run.lower(self.params, levels).compile())
        except JaxRuntimeError as error:
            _check_memory(error)
            return False
        there = sum(leaf.nbytes for leaf in jax.tree.leaves(self.params))  # each device holds its copy already
        return needed - there <= batching.SHARE * batching.least_free(self.mesh)


def fitting_size(program: Program, size: int, tell: Tell) -> int:
    """A batch size, halved until the compiled program fits in the devices' memory; one image a device is left to be tried."""
    while size > program.mesh.size and not program.fits(size):
        size = _smaller(program, size, tell)
    return size


def measured_batches(stream: Iterable[Batch], program: Program, size: int, tell: Tell) -> Measured:
    """Each batch with its values, one batch behind the devices, so that decoding and writing overlap with them.

    Args:
        stream: from `memjax.loader.batches`.
        program: what measures.
        size: images that the devices get at once, a multiple of their number.
        tell: told of every halving.

    Raises:
        InputError: not even one image a device finds room.
    """
    pieces, flying = _Pieces(program, size, tell), list[_Started]()
    for batch in stream:
        flying.append(pieces.start(batch))
        if len(flying) > 1:
            yield pieces.finish(flying)
    while flying:
        yield pieces.finish(flying)


@dataclasses.dataclass
class _Started:
    """A batch on its way: the pieces it was cut into, of so many images; no pieces where there was no room for them."""

    batch: Batch
    size: int
    pieces: list[Values] | list[dict[str, np.ndarray]]

    def land(self) -> bool:
        """Wait for the values and free the devices of them; False where there was no room."""
        try:
            self.pieces = jax.device_get(self.pieces)
        except JaxRuntimeError as error:
            _check_memory(error)
            self.pieces = []
        return bool(self.pieces)

    def values(self) -> dict[str, np.ndarray]:
        """Of all images of the batch, once landed."""
        count = len(self.batch.pixels)
        first, several = self.pieces[0], len(self.pieces) > 1
        joined = {name: np.concatenate([piece[name] for piece in self.pieces]) for name in first} if several else first
        return {name: x[:count] for name, x in joined.items()}


class _Pieces:
    """Cuts batches into pieces of a size that falls when a piece finds no room."""

    def __init__(self, program: Program, size: int, tell: Tell) -> None:
        self.program, self.size, self.tell = program, size, tell

    def start(self, batch: Batch) -> _Started:
        """Give a batch to the devices, piece by piece; the last one is padded with black images."""
        short = -len(batch.pixels) % self.size
        levels = np.pad(batch.pixels, ((0, short), (0, 0), (0, 0), (0, 0))) if short else batch.pixels
        starts = range(0, len(levels), self.size)
        try:
            pieces = [self.program(levels[start : start + self.size]) for start in starts]
        except JaxRuntimeError as error:
            _check_memory(error)
            pieces = []
        return _Started(batch, self.size, pieces)

    def finish(self, flying: list[_Started]) -> tuple[Batch, dict[str, np.ndarray]]:
        """The first of the batches that are on their way, measured; the others may land too, to make room for it."""
        first = flying.pop(0)
        while not first.land():
            for other in flying:
                other.land()
            if first.size <= self.size:
                self.size = _smaller(self.program, self.size, self.tell)
            first = self.start(first.batch)
        return first.batch, first.values()


def _smaller(program: Program, size: int, tell: Tell) -> int:
    """Half of a batch that found no room.

    Raises:
        InputError: there is no smaller one.
    """
    mesh = program.mesh
    kind, free = mesh.devices.flat[0].device_kind, batching.least_free(mesh) / 1e9
    if size <= mesh.size:
        raise InputError(
            f"encoder {program.name}: not even one image a device fits in the memory of {kind} ({free:.1f} GB are free); "
            "end what else uses it, take bfloat16, keep fewer patch layers, or use a device with more memory"
        )
    half = batching.halved(size, mesh)
    tell(f"{program.name}: {size} images at once do not fit in the memory of {kind}; going on with {half}")
    return half


def _check_memory(error: JaxRuntimeError) -> None:
    """Raises anything but want of memory anew."""
    if not lacks_memory(str(error)):
        raise error
