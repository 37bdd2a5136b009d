"""What the machine refuses a program (room on the disk, the right to write, memory), told in one line.

A full disk looks different in every library: an `OSError` with its number, one without, a ``ValueError`` of a C++ writer that
quotes the system's words, an error behind another error. Here is the one place that recognises them all.
"""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from memjax.checks import InputError
from memjax.naming import as_utf8

_RIGHTS = "choose a place that you may read and write"
_THERE = "was it moved or deleted meanwhile? put it back, or choose another place"

REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or ask for a larger quota",
    errno.EROFS: "choose a place that can be written",
    errno.EFBIG: "the system limits the size of a file (ulimit -f): raise the limit",
    errno.EIO: "the disk, or the way to it, is faulty: check it, or choose another place",
    errno.ESTALE: "the network file system has lost it: mount it again",
    errno.ENXIO: "the device is not there: check it, or choose another place",
    errno.ENODEV: "the device is not there: check it, or choose another place",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENAMETOOLONG: "choose a shorter name or path",
    errno.EMFILE: "too many files are open at once: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open at once: close other programs",
    errno.ENOLCK: "choose a file system that has locks",
    errno.ENOMEM: "close other programs, or use a smaller batch",
    errno.ELOOP: "a symbolic link leads to itself: delete it",
    errno.EMLINK: "choose another place",
    errno.ETXTBSY: "another program uses it: end that one",
    errno.EBUSY: "another program uses it: end that one",
}
"""Errors of the system that no program can help -> what a user can do."""

_NAMED = {
    errno.ENOENT: _THERE,
    errno.ENOTDIR: "a file is where a folder belongs: move it away",
    errno.EISDIR: "a folder is where a file belongs: move it away",
    errno.EEXIST: "something else has that name: move it away",
    errno.ENOTEMPTY: "another program writes there: end that one",
}
"""Errors that are a user's if the system names the file; without one they may be a mistake of the program."""

_QUOTED = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM,
    errno.ENAMETOOLONG, errno.EMFILE,
)  # fmt: skip
"""Errors that libraries quote in texts of their own; the first that fits is taken."""

_CUT_SHORT = (
    "a compiled file of Python was cut short when it was written (a full disk, or a limit on the size of files)"
)

_NO_MEMORY = ("resource_exhausted", "out of memory", "bad_alloc")


def lacks_memory(text: str) -> bool:
    """Whether an error's text says that a device or the machine has no memory left; runtimes say so in their text alone.

    Example:
        >>> lacks_memory("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), lacks_memory("INTERNAL: a core was halted")
        (True, False)
    """
    return any(words in text.casefold() for words in _NO_MEMORY)


def machine_fault(error: BaseException, where: object = "") -> InputError | None:
    """An error as one line if it is the machine's, or one that stands behind it is; None for any other.

    Args:
        error: what was raised.
        where: the place that was being written, for errors that do not name one.

    Example:
        >>> print(machine_fault(OSError(errno.ENOSPC, "No space left on device", "runs/a/report.html")))
        runs/a/report.html: No space left on device; make room, then the same command again goes on
        >>> print(machine_fault(ValueError('Error writing "c/0": [OS error 28] No space left on device'), "runs/a"))
        runs/a: No space left on device; make room, then the same command again goes on
        >>> machine_fault(ValueError("a mistake of the program")) is None
        True
    """
    chain = list(_chain(error))
    for one, meant in chain:
        if isinstance(one, InputError) and meant:
            return one
        if isinstance(one, OSError) and (found := _of_system(one, where, meant)) is not None:
            return found
    texts = [(one, str(one)) for one, _ in chain]
    for number in _QUOTED:
        if any(os.strerror(number) in text for _, text in texts):
            return _line(where, os.strerror(number), REMEDIES[number])
    for one, text in texts:
        if isinstance(one, MemoryError) or lacks_memory(text):
            reason = " ".join(text.split())[:120] or "no more to be had"
            fix = "use a smaller batch_size, fewer workers, or a machine with more"
            return InputError(f"not enough memory ({reason}); {fix}")
    for one, _ in chain:
        if (cut := _compiled_file(one)) is not None:
            return _line(cut, _CUT_SHORT, "delete it")
    return None


def _compiled_file(error: BaseException) -> str | None:
    """The compiled file whose import failed since it has no end: Python writes as much of one as there is room for, and later
    takes it for whole (https://github.com/python/cpython/issues/126606).
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)] if isinstance(error, EOFError) else []
    read = [frame.f_locals.get("bytecode_path") for frame in frames if "importlib" in frame.f_code.co_filename]
    return next((path for path in read if path), None)


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """An error, those that it groups and those behind it, the nearest first, each once; and whether it was raised from them, not
    only while they were handled.
    """
    waiting: list[tuple[BaseException, bool]] = [(error, True)]
    seen: set[int] = set()
    while waiting:
        one, meant = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one, meant
        waiting += [(each, meant) for each in (one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
        waiting += [(one.__cause__, meant)] if one.__cause__ is not None else []
        waiting += [(one.__context__, False)] if one.__context__ is not None and not one.__suppress_context__ else []


def behind(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was raised from, the nearest first."""
    return (one for one, meant in _chain(error) if meant)


def _of_system(error: OSError, where: object, meant: bool) -> InputError | None:
    number, named = error.errno or 0, error.filename is not None
    fix = REMEDIES.get(number) or (_NAMED.get(number) if named and meant else None)
    if fix is None:
        return None
    return _line(error.filename if error.filename is not None else where, os.strerror(error.errno or 0), fix)


def _line(where: object, reason: str, fix: str) -> InputError:
    text = os.fsdecode(where) if isinstance(where, bytes) else str(where)
    named = " ".join(as_utf8(text).split())
    return InputError(f"{named or 'the disk'}: {reason}; {fix}, then the same command again goes on")


@contextmanager
def machine_faults_told(where: object = "") -> Iterator[None]:
    """A block in which what the machine refuses is raised as an `InputError` of one line; all else passes as it is.

    Args:
        where: the place that the block writes, for errors that do not name one.

    Example:
        >>> with machine_faults_told("runs/a"):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
        memjax.checks.InputError: runs/a: No space left on device; make room, then the same command again goes on
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        found = machine_fault(error, where)
        if found is None:
            raise
        raise found from error
