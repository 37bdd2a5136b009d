"""Many processes, one run: who is this one, and a barrier between all of them, through `jax.distributed`.

Nothing is exchanged between processes but the state of the run: each computes on its own devices and writes its own chunks. So no
collective is needed, and a process that dies is noticed by the coordination service alone, within the time given to `start`.
"""

import itertools
import os
from typing import NoReturn

import jax

from memjax.checks import InputError, ProcessLostError, expected

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead."""
CONNECTING = 300
"""Seconds that processes have to find each other."""
FOR_EVER = 7 * 86_400

_barriers = itertools.count()


def start(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None, heartbeat: int = HEARTBEAT
) -> None:
    """Join the other processes; before anything touches JAX's backend.

    Args:
        coordinator: ``host:port`` of process 0. None, with ``processes`` and ``process`` None too: found out from SLURM,
            Open MPI or the TPU pod.
        processes, process: how many there are, and which one this is.
        heartbeat: seconds after which a silent process counts as dead, and all others end.

    Raises:
        InputError: only some of the three are given, or nothing says what they are, or the others cannot be reached.
    """
    given = (coordinator, processes, process)
    if any(value is None for value in given) and any(value is not None for value in given):
        told = "coordinator, processes, process: give all three, or none of them (SLURM, TPU pod)"
        raise InputError(told, argument="distributed")
    if processes is not None and process is not None and not 0 <= process < processes:
        raise expected("process", f"0 to {processes - 1}", process, argument="process")
    jax.config.update("jax_cpu_collectives_implementation", None)  # or every pair of processes would open a connection
    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=CONNECTING,
            heartbeat_timeout_seconds=heartbeat,
            shutdown_timeout_seconds=FOR_EVER,  # the others wait while process 0 does the statistics
        )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the processes could not be joined: {reason}", argument="distributed") from error


def this() -> tuple[int, int]:
    """The number of this process and how many there are: ``(0, 1)`` without `start`."""
    return jax.process_index(), jax.process_count()


def wait_for_all(what: str) -> None:
    """Go on when every process has come here; all have to call it in the same order. Nothing to do with one process.

    Raises:
        ProcessLostError: one has died.
    """
    index, count = this()
    if count == 1:
        return
    from orbax.checkpoint import multihost

    name = f"{what} {next(_barriers)}"
    try:
        multihost.sync_global_processes(name, timeout=FOR_EVER, processes=set(range(count)))
    except jax.errors.JaxRuntimeError as error:
        reason = " ".join(str(error).split())
        raise ProcessLostError(f"process {index} of {count} waited for the others ({what}): {reason[:300]}") from error


def leave_at_once(code: int) -> NoReturn:
    """End without waiting for processes that are dead: the usual way out would wait for them, then abort."""
    os._exit(code)
