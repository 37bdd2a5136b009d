"""One line instead of a traceback from the first moment on, while a program's own modules are still being imported.

It imports nothing that the interpreter has not loaded already.
"""

import os
import sys
from types import TracebackType


def stand_guard() -> None:
    """What nobody catches from here on ends the program in one line, with its exit code (`memjax.cli.leaving`)."""
    if "multiprocessing.spawn" not in sys.modules:  # a worker process imports its parent's program too
        sys.excepthook = _end


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        os.write(2, b"interrupted\n")
        os._exit(130)
    from memjax.cli.leaving import code_of

    def again() -> int:
        raise error.with_traceback(trace)

    os._exit(code_of(again))
