"""Worker processes that end with the process that started them, however that ends, and leave Ctrl-C to it.

Ctrl-C in a terminal reaches every process of a program. A worker that took it would print a traceback of its own, at any place.
"""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TypeVar

import psutil

from memjax.waiting import interruptible

Item = TypeVar("Item")


def shielded(items: Iterator[Item]) -> Iterator[Item]:
    """The items; worker processes and threads that start with the first of them do not see Ctrl-C.

    What a thread holds back is inherited by all that it starts, a new program in a process of its own included. So another thread
    fetches the first item, while this one waits and can be interrupted.
    """
    _start_tracker()

    def fetch() -> list[Item]:
        if hasattr(signal, "pthread_sigmask"):  # Windows has none
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return list(itertools.islice(items, 1))

    yield from interruptible(fetch)
    yield from items


def _start_tracker() -> None:
    """Python's process that clears up what killed workers leave behind: first, since it lets Ctrl-C through again in the thread
    that starts it; and without its warning that there was something to clear up.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(
        filter(None, (before, "ignore::UserWarning:multiprocessing.resource_tracker"))
    )
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def follow_parent(index: int, count: int) -> None:
    """Called in a worker process (``index`` of ``count``): it ends when its parent has, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def end_workers() -> bool:
    """Kill the worker processes of this one, those that are just starting too, for a program that has to leave at once.

    Returns:
        Whether there were any.
    """
    found = [child for child in psutil.Process().children() if _is_worker(child)]
    for worker in found:
        with contextlib.suppress(psutil.Error):
            worker.kill()
    return bool(found)


def _is_worker(child: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in child.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return False
