"""Many processes, one run: who is this one, and a barrier between all of them, through `jax.distributed`.

Nothing is exchanged between processes but the state of the run (`memjax.board`): each computes on its own devices and writes its
own chunks. So no collective is needed. A process that fails tells the others; one that dies is noticed by its missing signs of
life.
"""

import _thread
import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import jax

from memjax.board import DONE, SAYING, SLICE, Board, complain
from memjax.checks import InputError, ProcessLostError, expected
from memjax.faults import machine_fault
from memjax.waiting import interruptible

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead."""
CONNECTING = 300
"""Seconds that processes have to find each other."""
GRACE = 10
"""Seconds that a process has to end by itself once another has failed."""
FOR_EVER = 7 * 86_400

Value = TypeVar("Value")

_boards: list[Board] = []
_watchers: list[threading.Thread] = []


def start(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None, heartbeat: int = HEARTBEAT
) -> None:
    """Join the other processes, before anything touches JAX's backend; `part` is the last call of each.

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
    if coordinator is not None and processes is not None and process is not None:
        host, port = address_of(coordinator)
        check_free(port) if process == 0 else wait_for_port(host, port, f"process {process} of {processes}")
    jax.config.update("jax_cpu_collectives_implementation", None)  # or every pair of processes would open a connection
    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM

    def join() -> None:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=CONNECTING,
            heartbeat_timeout_seconds=heartbeat + 30,  # our own signs of life are looked at first
            shutdown_timeout_seconds=FOR_EVER,  # the others wait while process 0 does the statistics
        )

    _tell_aborts(f"distributed: not all processes were there within {CONNECTING} s; were all of them started?", 2)
    try:
        patiently(join, f"process {process} of {processes} waits for the others at {coordinator}")
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"the processes could not be joined: {reason}", argument="distributed") from error
    _watch_over(heartbeat)


def address_of(coordinator: str) -> tuple[str, int]:
    """Host and port of ``host:port``. Raises `InputError` if it is not that."""
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise expected("coordinator", "host:port", repr(coordinator), argument="coordinator")
    return host.strip("[]"), int(port)


def check_free(port: int) -> None:
    """Raises `InputError` if another program has the port: two jobs would get into each other's way."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError as error:
            reason = f"port {port} can't be had ({error.strerror}): another job or program has it"
            raise InputError(f"coordinator: {reason}; choose another port", argument="coordinator") from error


def wait_for_port(host: str, port: int, me: str) -> None:
    """Until process 0 listens. Raises `InputError` if it does not within `CONNECTING` seconds, or has no address."""
    begun, said = time.monotonic(), False
    while True:
        try:
            socket.create_connection((host, port), timeout=5).close()
            return
        except socket.gaierror as error:
            reason, over = f"no such host ({error.strerror})", min(SAYING, CONNECTING)
        except OSError as error:
            reason, over = f"process 0 does not answer ({error.strerror or error})", CONNECTING
        waited = time.monotonic() - begun
        if waited > over:
            raise InputError(f"coordinator {host}:{port}: {reason} for {waited:.0f} s; was it started?", "coordinator")
        if not said and waited > SAYING:
            said = True
            complain(f"{me} waits for process 0 at {host}:{port}, {CONNECTING} s at most")
        time.sleep(0.2)


def patiently(call: Callable[[], Value], waiting: str) -> Value:
    """`interruptible`, where it is said after a while what is ``waiting``."""
    return interruptible(call, lambda: complain(f"{waiting}, {CONNECTING} s at most"), SAYING)


def this() -> tuple[int, int]:
    """The number of this process and how many there are: ``(0, 1)`` without `start`."""
    return jax.process_index(), jax.process_count()


def board() -> Board | None:
    """What the processes tell each other; None where there is one process, or `start` was not called."""
    return _boards[0] if _boards else None


def wait_for_all(what: str) -> None:
    """Go on when every process has come here; all have to call it in the same order. Nothing to do with one process.

    Raises:
        ProcessLostError: one has died or failed.
    """
    if (found := board()) is not None:
        found.barrier(what, FOR_EVER)


def agree(facts: Mapping[str, str]) -> None:
    """Go on if all processes have the same facts (`memjax.board.Board.agree`). Nothing to do with one process."""
    if (found := board()) is not None:
        found.agree(facts)


@contextmanager
def failures_told() -> Iterator[None]:
    """A block whose failure the other processes are told, so that they end too; theirs ends it with `ProcessLostError`."""
    found = board()
    try:
        yield
    except ProcessLostError:
        raise
    except BaseException as error:
        if found is None:
            raise
        if isinstance(error, KeyboardInterrupt) and found.lost:
            raise ProcessLostError(f"{found.me}: {found.lost}") from None
        told = machine_fault(error) or error
        interrupted = isinstance(error, KeyboardInterrupt)
        found.fail("interrupted" if interrupted else str(told) or type(told).__name__)
        raise


def part() -> None:
    """Wait until every process is done, and stop looking at the others: JAX's service must not be in use when Python ends.

    Raises:
        ProcessLostError: another is gone; or through an interruption, where it has failed (`failures_told`).
    """
    if (found := board()) is None:
        return
    found.beat(DONE)
    try:
        interruptible(jax.distributed.shutdown)
    except RuntimeError as error:
        raise found.gone("end of the run", error) from error
    for watcher in _watchers:
        watcher.join(GRACE)
    _boards.clear()


def finish(well: bool) -> None:
    """The last word of this process: it is done, or it leaves before the others."""
    if (found := board()) is not None:
        if well:
            found.beat(DONE)
        else:
            found.leave()


def _watch_over(heartbeat: int) -> None:
    from jax._src.distributed import global_state  # nothing public gives the key-value store

    index, count = global_state.process_id, global_state.num_processes
    if count > 1 and global_state.client is not None:
        _boards[:] = [Board(global_state.client, index, count)]
        _tell_aborts(f"{_boards[0].me}: process 0 is gone; the same command again, on all hosts, resumes", 3)
        _watchers[:] = [threading.Thread(target=watch, args=(_boards[0], heartbeat), daemon=True)]
        _watchers[0].start()


def watch(found: Board, heartbeat: float, end: Callable[[Board], None] | None = None) -> None:
    """Give signs of life, process 0 look at those of the others, all look whether one has failed; until then.

    Args:
        found: of this process.
        heartbeat: seconds without a sign after which a process counts as dead.
        end: what to do when one has failed; by default the process ends.
    """
    seen: dict[int, tuple[str, float]] = {}
    for turn in range(FOR_EVER):
        try:
            if not found.done:
                found.beat(str(turn))
            if found.index == 0:
                _look_at_signs(found, seen, heartbeat)
            found.check()
        except (ProcessLostError, RuntimeError):
            if not found.done or "has ended" in found.lost:
                (end or _end)(found)
            return
        time.sleep(min(SLICE, heartbeat / 5))


def _look_at_signs(found: Board, seen: dict[int, tuple[str, float]], heartbeat: float) -> None:
    """Process 0 tells of a process whose sign has not changed for too long."""
    now, signs = time.monotonic(), found.beats()
    for process in range(1, found.count):
        sign = signs.get(process, "")
        if process not in seen or seen[process][0] != sign:
            seen[process] = (sign, now)
        elif sign != DONE and now - seen[process][1] > heartbeat:
            reason = f"Task {process} has sent no heartbeat for {heartbeat:.0f} s: it was killed, or can't be reached"
            found.fail(reason, whose=process)


def _end(found: Board) -> None:
    """End this process from a thread: by an exception, or at once where that is not heeded."""
    main = threading.main_thread()
    with contextlib.suppress(OSError):
        if hasattr(signal, "pthread_kill") and main.ident is not None:
            signal.pthread_kill(main.ident, signal.SIGINT)
        else:
            _thread.interrupt_main()
    main.join(GRACE)
    if found.leaving:
        return  # it has said so itself
    complain(f"error: {found.me}: {found.lost}; the same command again, on all hosts, resumes")
    found.leave()
    os._exit(3)


_handlers: list[Callable[[int], None]] = []


def _tell_aborts(line: str, code: int) -> None:
    """JAX aborts the process when processes do not find each other, and as soon as process 0 is gone: one line and a code too."""

    def tell(number: int) -> None:
        complain(f"error: {line}")
        os._exit(code)

    if hasattr(ctypes, "CFUNCTYPE") and os.name == "posix":
        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(tell)
        _handlers.append(handler)  # as long as the process lives
        set_handler = ctypes.CDLL(None).signal
        set_handler.argtypes, set_handler.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        set_handler(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
