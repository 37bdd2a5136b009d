"""An accelerator that is there: images a second of whole sweeps on it, and how far its numbers lie from this machine's CPU.

  python benchmarks/device.py                                   encoders in bfloat16, every program warm, medians
  python benchmarks/device.py --encoders clip-b16 --dtypes float32 --precisions highest default

Weights and images are random: speed does not depend on them. `sweep` is all metrics of all layers from grey levels that lie on
the device, `forward` the encoder alone; of peak: matrix products of the encoder alone, by the device's peak in bfloat16. The
numbers are compared on a few images, layer by layer, with the CPU's in float32.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import numpy as np

from benchmarks import architectures
from memjax import batching, devices, measure
from memjax.cli.arguments import read_arguments, run_main
from memjax.encoder import Encoder
from memjax.models.vit import forward
from memjax.selection import Selection

PEAKS = {"NVIDIA H100 80GB HBM3": 989.4e12, "NVIDIA H200": 989.4e12, "TPU v5 lite": 197e12, "TPU v6 lite": 918e12}
"""Device -> floating-point operations a second in bfloat16 without sparsity, by its maker."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is timed."""

    encoders: tuple[str, ...] = ("dinov2-s14", "clip-b32", "clip-b16", "clip-l14-336", "siglip2-so400m-384")
    """Rows of benchmarks/architectures.py."""
    dtypes: tuple[Literal["bfloat16", "float32"], ...] = ("bfloat16",)
    """Compute types."""
    precisions: tuple[Literal["highest", "high", "default"], ...] = ("highest",)
    """Of products of float32."""
    factors: tuple[int, ...] = (1, 4)
    """Batches, as multiples of the one that a sweep takes by default."""
    rounds: int = 7
    """Timed rounds of each program."""
    compared: int = 8
    """Images whose metrics are compared with the CPU's; 0: none."""
    compared_encoders: tuple[str, ...] = ("dinov2-s14", "clip-b32", "clip-b16")
    """On which encoders."""


def program(encoder: Encoder, kind: str) -> Callable:
    """``(params, levels) -> values``, jitted, over all devices."""
    mesh, config = devices.data_mesh(), encoder.config
    if kind == "sweep":
        layout = config.layout.under("native")
        return measure.compiled(config, layout, Selection(), mesh, encoder.preprocessing, encoder.precision)
    from memjax.levels import normalise_levels

    def one(params: object, image: jax.Array) -> jax.Array:
        pixels = normalise_levels(image, encoder.preprocessing).astype(params.patch.kernel.dtype)
        return forward(params, pixels, config, lambda block: None, encoder.precision).last

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


def batch_of(encoder: Encoder, factor: int) -> int:
    """Images over all devices: ``factor`` times as many as a sweep takes by default."""
    return factor * batching.images_per_device(encoder.config, encoder.preprocessing.image_size) * jax.device_count()


def warm(encoder: Encoder, kind: str, size: int) -> Callable[[], jax.Array]:
    """The `program` of a batch of random grey levels that lie on the devices, after its first run."""
    mesh = devices.data_mesh()
    levels = np.random.default_rng(0).integers(0, 256, (size, *encoder.preprocessing.image_size, 3), np.uint8)
    run = partial(program(encoder, kind), devices.replicate(encoder.params, mesh), devices.split(levels, mesh))
    jax.block_until_ready(run())
    return run


def rate(encoder: Encoder, kind: str, size: int, rounds: int) -> float:
    """Images a second, warm: the median of the rounds."""
    run, times, seconds = warm(encoder, kind, size), max(1, 256 // size), []
    for _ in range(rounds):
        start = time.perf_counter()
        jax.block_until_ready([run() for _ in range(times)])
        seconds.append(time.perf_counter() - start)
    return size * times / statistics.median(seconds)


def largest_difference(encoder: Encoder, images: int) -> tuple[float, str]:
    """Of any metric at any layer from the CPU's in float32, relative to the metric's largest value; and of which."""
    side = encoder.preprocessing.image_size
    levels = np.random.default_rng(1).integers(0, 256, (images, *side, 3), np.uint8)
    layout, worst = encoder.config.layout.under("native"), (0.0, "")
    exact = dataclasses.replace(
        encoder, params=jax.tree.map(lambda x: np.asarray(x, np.float32), encoder.params), precision="highest"
    )
    found = []
    for here, mesh in ((encoder, devices.data_mesh()), (exact, devices.data_mesh(jax.devices("cpu")[:1]))):
        run = measure.compiled(here.config, layout, Selection(), mesh, here.preprocessing, here.precision)
        params = devices.replicate(jax.tree.map(np.asarray, here.params), mesh)
        found.append(jax.tree.map(np.asarray, run(params, devices.split(levels, mesh))))
    for name, here in found[0].items():
        there = found[1][name]
        scale = float(np.nanmax(np.abs(there)))
        worst = max(worst, (float(np.nanmax(np.abs(here - there))) / (scale or 1.0), name))
    return worst


def main() -> int:
    """Tables in Markdown."""
    args = read_arguments(Arguments, __doc__ or "")
    device = jax.devices()[0]
    print(f"{device.device_kind}, {jax.local_device_count()} of them; jax {jax.__version__}\n")
    print("| encoder | type | precision | images | sweep, images/s | forward | sweep over forward | forward, of peak |")
    print("|---|---|---|---|---|---|---|---|")
    for name in args.encoders:
        for dtype in args.dtypes:
            for precision in args.precisions if dtype == "float32" else args.precisions[:1]:
                for factor in args.factors:
                    print(row(name, dtype, precision, factor, args.rounds), flush=True)
    if args.compared:
        print(
            "\n| encoder | type | precision | largest relative difference from the CPU | metric |\n|---|---|---|---|---|"
        )
        kinds = [("float32", p) for p in ("highest", "high", "default")] + [("bfloat16", "highest")]
        for name in args.compared_encoders:
            for dtype, precision in kinds:
                worst, metric = largest_difference(random_encoder(name, dtype, precision), args.compared)
                print(f"| {name} | {dtype} | {precision} | {worst:.2g} | {metric} |", flush=True)
    return 0


def random_encoder(name: str, dtype: str, precision: str) -> Encoder:
    """Of the table, at a precision."""
    return dataclasses.replace(architectures.random_encoder(name, dtype), precision=precision)


def row(name: str, dtype: str, precision: str, factor: int, rounds: int) -> str:
    """One encoder, type, precision and batch."""
    encoder = random_encoder(name, dtype, precision)
    size = batch_of(encoder, factor)
    sweep, alone = (rate(encoder, kind, size, rounds) for kind in ("sweep", "forward"))
    flops = architectures.work(encoder.config, encoder.preprocessing.image_size[0]).flops
    peak = PEAKS.get(jax.devices()[0].device_kind)
    share = (
        "" if peak is None or dtype != "bfloat16" else f"{100 * alone * flops / peak / jax.local_device_count():.1f} %"
    )
    return (
        f"| {name} | {dtype} | {precision} | {size} | {sweep:,.0f} | {alone:,.0f} | {alone / sweep:.2f} x | {share} |"
    )


if __name__ == "__main__":
    run_main(main)
