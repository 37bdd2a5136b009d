"""How many images a device is given at once: what it does best, and whether that fits in its memory."""

import jax
from jax.sharding import Mesh

from memjax import devices
from memjax.models.config import ViTConfig

CACHED_TOKENS = 1100
"""Tokens of one batch on one core: more leave its cache, fewer make thin products (benchmarks/README.md)."""

BEST_VALUES = {"tpu": 5_000_000, "gpu": 50_800_000}
"""Backend -> tokens x width of a batch on one device, up to which an image costs least. On a TPU a block's arrays then stay on
the chip (128 images of 50 tokens, 32 of 197 or 16 of 257, 768 wide): by the compiler's estimate. A GPU keeps nothing there, and
needs enough for all of its multiprocessors (256 images of 197 tokens): measured on an H100. benchmarks/README.md has both."""

MOST_IMAGES = 256
"""On one accelerator, however small the encoder."""

SHARE = 0.9
"""Of a device's free memory that a program may need: what is freed in pieces cannot be used whole."""


def images_per_device(config: ViTConfig, image: tuple[int, int], backend: str | None = None) -> int:
    """The default batch size, for one device: a power of two, at least 1; memory may make it less.

    On a CPU up to 64, whose tokens stay within `CACHED_TOKENS`: 4 for 257 or 197 tokens, 16 for 50. On other devices up to
    `MOST_IMAGES`, whose tokens x width stay within `BEST_VALUES`.

    Args:
        config: the architecture.
        image: the image's size ``(y, x)``.
        backend: ``"cpu"``, ``"gpu"`` or ``"tpu"``; by default JAX's.
    """
    rows, columns = config.grid_of(image)
    tokens, backend = rows * columns + config.layout.prefix, backend or jax.default_backend()
    if backend == "cpu":
        return min(64, power_of_two(CACHED_TOKENS // tokens))
    best = BEST_VALUES.get(backend, BEST_VALUES["gpu"])
    return min(MOST_IMAGES, power_of_two(best // (tokens * config.width)))


def power_of_two(limit: int) -> int:
    """The largest one that is at most ``limit``, and at least 1."""
    return 1 << max(0, limit.bit_length() - 1)


def batch_size(asked: int | None, mesh: Mesh, each: int, image_bytes: int) -> int:
    """The batch over all devices of the mesh, before any program is compiled.

    As asked for, rounded up to a multiple of the devices. By default ``each`` on a device, or as many fewer (a power of two)
    as fit in half of its free memory.

    Args:
        asked: images over all devices; None for the default.
        mesh: from `memjax.devices.data_mesh`.
        each: images per device where memory allows (`images_per_device`).
        image_bytes: what one image needs (`memjax.selection.working_bytes`).
    """
    if asked is not None:
        return -(-asked // mesh.size) * mesh.size
    return min(each, power_of_two(least_free(mesh) // 2 // image_bytes)) * mesh.size


def least_free(mesh: Mesh) -> int:
    """Memory that each device of the mesh still has, at least."""
    return min(devices.free_bytes(device) for device in mesh.devices.flat)


def halved(size: int, mesh: Mesh) -> int:
    """Half of a batch, in whole images a device, at least one.

    Example:
        >>> mesh = devices.data_mesh()
        >>> halved(6 * mesh.size, mesh) // mesh.size, halved(mesh.size, mesh) // mesh.size
        (3, 1)
    """
    return max(1, size // mesh.size // 2) * mesh.size


def needed_bytes(program: jax.stages.Compiled) -> int:
    """Memory of one device that a compiled program needs while it runs, by its compiler's count: 0 where that gives none.

    Arguments, results and what lies between, less what shares its place; or its peak, where the compiler says more. The
    results twice: those of the batch before are still on their way to the host.
    """
    stats = program.memory_analysis()
    if stats is None:
        return 0
    parts = stats.argument_size_in_bytes + stats.output_size_in_bytes + stats.temp_size_in_bytes
    return max(parts - stats.alias_size_in_bytes, stats.peak_memory_in_bytes) + stats.output_size_in_bytes
