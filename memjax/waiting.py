"""Waiting for a call that Python cannot interrupt, such as one into C++, so that Ctrl-C gets through all the same."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

TURN = 0.2
"""Seconds between two chances for an interruption."""


def interruptible(call: Callable[[], Value], late: Callable[[], None] | None = None, after: float = 10.0) -> Value:
    """``call()`` in a thread of its own, for which this one waits in short turns.

    Args:
        call: what it raises is raised here.
        late: called once if it takes longer than ``after`` seconds.
        after: seconds.

    Example:
        >>> interruptible(lambda: sum([1, 2]))
        3
    """
    found: list[Value] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            wrong.append(error)

    thread, begun = threading.Thread(target=run, daemon=True), time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(TURN)
        if late is not None and thread.is_alive() and time.monotonic() - begun > after:
            late()
            late = None
    if wrong:
        raise wrong[0]
    return found[0]
