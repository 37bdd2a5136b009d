"""Devices: a one-axis mesh over the data, and a function for one image made into one for a batch on all devices.

On a CPU, one host device per core is used: it was measured faster than XLA's own threads inside an operation. Call
`use_cores` before anything touches JAX's backend.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import psutil
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from memjax.axes import Array
from memjax.cache import cache_dir

AXIS = "data"

Params, Batch, Result = TypeVar("Params"), TypeVar("Batch"), TypeVar("Result")


def use_cores(cores: int | None = None) -> int:
    """Give JAX one CPU device per core; returns how many devices it has then.

    Args:
        cores: how many; by default those that this process may run on.

    Note:
        It has no effect once the backend is up, or where ``XLA_FLAGS`` already forces a number.
    """
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        try:
            jax.config.update("jax_num_cpu_devices", cores)
        except RuntimeError:  # the backend is up: its devices stay
            return jax.device_count()
    return jax.device_count()


def use_cache() -> None:
    """Keep compiled programs between runs (`memjax.cache`), so that the second start is quick."""
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def profiled(folder: Path | None) -> AbstractContextManager[None]:
    """A block whose operations are traced into ``folder``, for xprof or Perfetto; a no-op if it is None."""
    return nullcontext() if folder is None else jax.profiler.trace(str(folder))


def free_bytes(device: jax.Device) -> int:
    """Memory that a device still has; host memory is shared out among this process's CPU devices."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats:
        return int(stats["bytes_limit"] - stats["bytes_in_use"])
    return psutil.virtual_memory().available // jax.local_device_count(device.platform)


def data_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """A mesh of one axis, ``"data"``, over this process's devices (or those given)."""
    chosen = jax.local_devices() if devices is None else devices
    return Mesh(np.array(chosen), (AXIS,), axis_types=(AxisType.Auto,))


def data_parallel(batched: Callable[[Params, Batch], Result], mesh: Mesh) -> Callable[[Params, Batch], Result]:
    """``batched(params, batch)`` under jit and shard_map: params on every device, the batch split along its first axis.

    Args:
        batched: maps ``(params, [b, ...])`` to a pytree of ``[b, ...]``; images must not depend on each other.
        mesh: from `data_mesh`; the batch must be divisible by its size (see `pad_to`).
    """
    mapped = jax.shard_map(
        batched, mesh=mesh, in_specs=(PartitionSpec(), PartitionSpec(AXIS)), out_specs=PartitionSpec(AXIS)
    )
    return jax.jit(mapped)


def replicate(params: Params, mesh: Mesh) -> Params:
    """Parameters placed once on every device."""
    return jax.device_put(params, NamedSharding(mesh, PartitionSpec()))


def split(batch: np.ndarray, mesh: Mesh) -> jax.Array:
    """A host batch placed on the devices, split along its first axis."""
    return jax.device_put(batch, NamedSharding(mesh, PartitionSpec(AXIS)))


def pad_to(batch: Array, multiple: int) -> Array:
    """A batch with zero rows appended until its length is a multiple."""
    short = -batch.shape[0] % multiple
    if not short:
        return batch
    return jnp.concatenate([batch, jnp.zeros((short, *batch.shape[1:]), batch.dtype)])
