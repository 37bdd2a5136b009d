"""Where an accelerator's time goes: its kernels, each with the operation that the trace names for it, if any, of whole batches.

  python benchmarks/kernels.py --encoders clip-b16                 a sweep's program, bfloat16
  python benchmarks/kernels.py --kinds forward --rows 30

Weights and images are random, as in `benchmarks/device.py`. A share is of the time that kernels ran, not of the clock's.
"""

import collections
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
from jax.profiler import ProfileData

from benchmarks.device import batch_of, random_encoder, warm
from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main

BATCHES = 8
"""Traced, after one that is not."""


@dataclass(frozen=True)
class Arguments:
    """What is traced."""

    encoders: tuple[str, ...] = ("clip-b16",)
    """Rows of benchmarks/architectures.py."""
    kinds: tuple[Literal["sweep", "forward"], ...] = ("sweep", "forward")
    """All metrics of all layers, or the encoder alone."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Compute type."""
    precision: Literal["highest", "high", "default"] = "highest"
    """Of products of float32."""
    factor: int = 4
    """The batch, as a multiple of the one that a sweep takes by default."""
    rows: int = 16
    """Operations shown."""


def traced(run: Callable[[], jax.Array]) -> ProfileData:
    """The trace of `BATCHES` batches."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready([run() for _ in range(BATCHES)])
        (found,) = Path(folder).rglob("*.xplane.pb")
        return ProfileData.from_file(str(found))


def times(trace: ProfileData) -> dict[tuple[str, str], float]:
    """``(kernel, operation)`` -> microseconds, over all devices of the trace."""
    spent: dict[tuple[str, str], float] = collections.Counter()
    for plane in trace.planes:
        if not plane.name.startswith("/device:"):
            continue
        for line in plane.lines:
            if not line.name.startswith("Stream"):  # other lines show the same time again
                continue
            for event in line.events:
                stats = dict(event.stats)
                operation = str(stats.get("tf_op", stats.get("hlo_op", "")))
                spent[event.name, operation] += event.duration_ns / 1e3
    return spent


def main() -> int:
    """Tables in Markdown."""
    args = read_arguments(Arguments, __doc__ or "")
    print(f"{jax.devices()[0].device_kind}; jax {jax.__version__}")
    for name in args.encoders:
        encoder = random_encoder(name, args.dtype, args.precision)
        size = batch_of(encoder, args.factor)
        for kind in args.kinds:
            spent = times(traced(warm(encoder, kind, size)))
            if not spent:
                raise expected("kernels in the trace", "those of an accelerator", f"none on {jax.default_backend()}")
            whole = sum(spent.values())
            print(
                f"\n{name}, {args.dtype}, {kind}: {whole / BATCHES / size:.1f} us of kernels an image, {size} images\n"
            )
            print("| share | us an image | kernel | operation |\n|---|---|---|---|")
            for (kernel, operation), us in sorted(spent.items(), key=lambda row: -row[1])[: args.rows]:
                print(
                    f"| {us / whole:.1%} | {us / BATCHES / size:.2f} | {kernel[:70]} | {operation[-90:]} |", flush=True
                )
    return 0


if __name__ == "__main__":
    run_main(main)
