"""The machine beside the numbers: its rate of float32 matrix products, its name, versions, load, memory."""

import os
import platform
import resource
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.turns import Side, Timing

SGEMM = "sgemm, "
GEMM_ROWS = 2056
"""Rows of the matrix products: eight images of 257 tokens, as a batch has them."""


def sgemm_sides(width: int, mlp_width: int, mesh: Any, rows: int = GEMM_ROWS) -> dict[str, Side]:
    """``[rows, width] x [width, mlp_width]`` in float32 on all cores: numpy, JAX, and torch if it is there.

    Returns:
        ``"sgemm, LIBRARY"`` -> a side whose units are floating-point operations.
    """
    rng = np.random.default_rng(0)
    left = rng.normal(size=(rows, width)).astype(np.float32)
    right = rng.normal(size=(width, mlp_width)).astype(np.float32)
    runs: dict[str, Callable[[], Any]] = {"numpy": lambda: left @ right, "jax": _jax(left, right, mesh)}
    if find_spec("torch"):
        runs["torch"] = _torch(left, right, mesh.size)
    times = max(1, int(2e10 / (2.0 * rows * width * mlp_width)))  # long enough for the clock

    def repeated(run: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: [run() for _ in range(times)][-1]

    flops = 2.0 * rows * width * mlp_width * times
    return {f"{SGEMM}{library}": Side(repeated(run), flops) for library, run in runs.items()}


def sgemm_rate(timings: dict[str, Timing]) -> tuple[str, Timing]:
    """The library whose product was fastest, and its timing: what the encoders are measured against."""
    products = {name.removeprefix(SGEMM): t for name, t in timings.items() if name.startswith(SGEMM)}
    best = max(products, key=lambda library: products[library].rate)
    return best, products[best]


def _jax(left: np.ndarray, right: np.ndarray, mesh: Any) -> Callable[[], Any]:
    import jax

    from memjax import devices

    run = devices.data_parallel(lambda weights, x: x @ weights, mesh)
    x = devices.split(left[: len(left) // mesh.size * mesh.size], mesh)
    weights = devices.replicate(right, mesh)
    return lambda: jax.block_until_ready(run(weights, x))


def _torch(left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], Any]:
    import torch  # pyrefly: ignore[missing-import] (not in the environment that types are checked in)

    a, b = torch.from_numpy(left), torch.from_numpy(right)

    def run() -> Any:
        torch.set_num_threads(threads)
        return a @ b

    return run


def processor() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """Processor, cores, load average, versions."""
    packages = ("jax", "numpy", "torch", "transformers")
    return {
        "processor": processor(),
        "cores": cores(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in packages if find_spec(name)},
    }


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_torch() -> bool:
    """Whether the PyTorch sides can run."""
    return bool(find_spec("torch") and find_spec("transformers"))


def peak_mib() -> float:
    """Largest resident memory of this program so far, in MiB.

    Linux's own high-water mark, where there is one: ``ru_maxrss`` also counts the program that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (peak,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 2**10
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_bytes / (2**20 if sys.platform == "darwin" else 2**10)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
