"""How a program ends: its exit code and its one line, whatever happens. Light, so that it is there before anything is imported.

Exit codes: 0 done; 1 done, but some images could not be used; 2 wrong input, or something that the machine refuses (room, rights,
memory), with one line; 3 another process of the run has ended; 70 a mistake of memjax itself, with one line that says where the
log is; 130 interrupted (Ctrl-C); 141 nobody reads the output any more; 143 terminated.
"""

import _thread
import atexit
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from memjax.checks import InputError, ProcessLostError
from memjax.naming import printable

DONE, SOME_FAILED, WRONG, LOST, UNFORESEEN, INTERRUPTED, UNREAD, TERMINATED = 0, 1, 2, 3, 70, 130, 141, 143
PATIENCE = 10
"""Seconds that threads have to end after an error or an interruption."""


class TerminatedError(KeyboardInterrupt):
    """The system asks the program to end (SIGTERM)."""


def run_main(main: Callable[[], int]) -> None:
    """Run a program and leave with its exit code, after one line where it is not done."""
    _open_streams()
    with _terminable():
        code = code_of(main)
    if code not in (DONE, SOME_FAILED):
        _wait_for_no_thread(code)
    _flush()
    atexit.register(
        signal.signal, signal.SIGINT, signal.SIG_IGN
    )  # all is said: Ctrl-C while Python ends changes no exit code
    sys.exit(code)


def code_of(main: Callable[[], int]) -> int:
    """The exit code of a program, after the one line that says why where it is not done."""
    from memjax.faults import machine_fault

    try:
        return _with_output(main)
    except InputError as error:
        return _said(f"error: {told(error)}", WRONG)
    except ProcessLostError as error:
        return _said(f"error: {error}; the same command again, on all hosts, resumes", LOST)
    except KeyboardInterrupt as stop:
        return _interrupted(stop)
    except BrokenPipeError as error:
        return UNREAD if _output_is_broken() else _unforeseen(error)
    except Exception as error:
        found = machine_fault(error)
        return _unforeseen(error) if found is None else _said(f"error: {told(found)}", WRONG)


def _with_output(main: Callable[[], int]) -> int:
    """``main``, and its output written to the end: only then is it done."""
    if sys.flags.optimize:  # zarr reads its metadata inside assertions
        raise InputError("python -O: the package zarr does not work without assertions; leave out -O (PYTHONOPTIMIZE)")
    try:
        code = main()
    except SystemExit as stop:  # --help
        code = stop.code if isinstance(stop.code, int) else DONE
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _interrupted(stop: KeyboardInterrupt) -> int:
    """One line, and no traceback if Ctrl-C is pressed again; what does not end by itself is ended."""
    code, word = (TERMINATED, "terminated") if isinstance(stop, TerminatedError) else (INTERRUPTED, "interrupted")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _said(f"{word}: the same command again resumes", code)
    if "memjax.workers" in sys.modules and sys.modules["memjax.workers"].end_workers():
        leave_at_once(code)  # the usual way would wait for the queues of those workers
    return code


def _wait_for_no_thread(code: int) -> None:
    """Once the main thread has ended, others have `PATIENCE` seconds: those of a failed checkpoint may wait for minutes."""

    def end() -> None:
        threading.main_thread().join()
        time.sleep(PATIENCE)
        leave_at_once(code)

    threading.Thread(target=end, daemon=True).start()


def leave_at_once(code: int) -> NoReturn:
    """End without waiting for threads and other processes; nothing temporary stays."""
    _flush()
    if "memjax.storage" in sys.modules:
        sys.modules["memjax.storage"].remove_temporary()
    os._exit(code)


def _unforeseen(error: Exception) -> int:
    from memjax.cli.log import write_log

    reason = " ".join(f"{type(error).__name__}: {error}".split())
    shown = reason if len(reason) <= 200 else f"{reason[:200]}.."
    return _said(f"error: a mistake of memjax itself ({shown}); {write_log(error)}", UNFORESEEN)


def _said(line: str, code: int) -> int:
    try:
        print(printable(line), file=sys.stderr, flush=True)
    except OSError:
        return code  # nobody reads it: the code says it
    return code


def told(error: InputError) -> str:
    """An error as a command says it, in one line: parameters are called by their flags.

    Example:
        >>> told(InputError("limit: expected a positive number, got 0", "limit"))
        '--limit: expected a positive number, got 0'
        >>> told(InputError("features.zarr: no variable 'mean' there; sweep again and keep it", "tokens", "mean"))
        "features.zarr: no variable 'mean' there; sweep again and keep it (--tokens mean)"
    """
    message, flag = printable(str(error)), "--" + error.argument.replace("_", "-")
    if not error.argument:
        return message
    if re.match(rf"{re.escape(error.argument)}[: ]", message):
        return flag + message[len(error.argument) :]
    return f"{message} ({' '.join(filter(None, (flag, printable(error.value))))})"


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM as an exception, so that locks are freed and worker processes end; no interruption is lost."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    def once_more(unraisable: "sys.UnraisableHookArgs") -> None:
        """An interruption that fell into a callback whose errors Python drops, as that of JAX at each garbage collection."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(unraisable.exc_value, TerminatedError) else signal.SIGINT
            threading.Timer(0.05, _interrupt_main, (number,)).start()
        else:
            hook(unraisable)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, hook = signal.signal(signal.SIGTERM, terminate), sys.unraisablehook
    sys.unraisablehook = once_more
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)


def _interrupt_main(number: int) -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)  # wakes it where it waits
    else:
        _thread.interrupt_main(number)


def _open_streams() -> None:
    """Standard streams that are closed lead nowhere, or a result's file would be taken for one; none fails on a letter."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(free, True)
    os.close(free)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _output_is_broken() -> bool:
    """Whether nobody reads the standard output any more."""
    try:
        ask = select.poll()
        ask.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # Windows has no poll; an output without a file number
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in ask.poll(0))


def _flush() -> None:
    """Write what is left; what cannot be written is dropped, or the interpreter would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
