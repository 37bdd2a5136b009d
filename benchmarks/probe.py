"""One side alone in a fresh process: how long it takes to start, to compile, and how much memory it needs.

Started by throughput.py, prints one line of JSON:

  python benchmarks/probe.py memjax ENCODER BATCH DTYPE       import, load, compile, first and second batch, peak memory
  python benchmarks/probe.py forward FOLDER BATCH DTYPE       the same for a PyTorch side: forward, vectorised
  python benchmarks/probe.py sweep [MODEL]                    the clock when a sweep has its first images measured
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any


def memjax_side(source: str, batch: int, dtype: str) -> dict[str, float]:
    """Seconds of each step of memjax's start."""
    clock = Clock()
    from memjax import devices

    cores = devices.use_cores()
    devices.use_cache()
    import jax
    import numpy as np

    from benchmarks.architectures import SIDE, open_encoder
    from memjax.measure import compiled
    from memjax.selection import Selection

    clock.lap("import_s")
    encoder = open_encoder(source, dtype)
    mesh = devices.data_mesh()
    params = jax.block_until_ready(devices.replicate(encoder.params, mesh))
    clock.lap("load_s")
    pixels = devices.split(np.zeros((-(-batch // cores) * cores, SIDE, SIDE, 3), np.float32), mesh)
    run = compiled(encoder.config, encoder.config.layout, Selection(), mesh).lower(params, pixels).compile()
    clock.lap("compile_s")
    for name in ("first_batch_s", "second_batch_s"):
        jax.block_until_ready(run(params, pixels))
        clock.lap(name)
    return clock.done()


def torch_side(side: str, source: str, batch: int, dtype: str) -> dict[str, float]:
    """Seconds of each step of a PyTorch side's start."""
    clock = Clock()
    import numpy as np

    from benchmarks import peers
    from benchmarks.architectures import SIDE
    from benchmarks.machine import cores

    clock.lap("import_s")
    model = peers.load(source, "sdpa" if side == "forward" else "eager", dtype)
    clock.lap("load_s")
    pixels = peers.to_torch(np.zeros((batch, SIDE, SIDE, 3), np.float32), dtype)
    run: Callable[[], Any] = peers.forward(model, pixels, batch, cores())
    if side == "vectorised":
        run = peers.vectorised(model, pixels, batch, cores(), cls=True)
    for name in ("first_batch_s", "second_batch_s"):
        run()
        clock.lap(name)
    return clock.done()


class Clock:
    """Named laps, and the peak memory at the end."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now

    def done(self) -> dict[str, float]:
        from benchmarks.machine import peak_mib

        return {**self.laps, "peak_mib": peak_mib()}


def sweep(models: list[str]) -> None:
    """A sweep of the demo, until its progress first moves; prints the time of day then, and leaves."""
    import memjax
    from memjax import devices

    def first_images(what: str, done: int, total: int) -> None:
        if done:
            print(json.dumps({"measured_at": time.time(), "images": done}), flush=True)
            os._exit(0)

    devices.use_cache()
    with tempfile.TemporaryDirectory() as out:
        memjax.sweep(memjax.open_dataset("demo"), models or ["memjax/tiny"], out, progress=first_images)


def main() -> None:
    side, *rest = sys.argv[1:]
    if side == "sweep":
        sweep(rest)
        return
    source, batch, dtype = rest
    made = memjax_side(source, int(batch), dtype) if side == "memjax" else torch_side(side, source, int(batch), dtype)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
