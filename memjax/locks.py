"""One file, one holder: locks of the operating system, which a process that was killed leaves free.

`filelock` asks the system itself (``flock``, or ``LockFile`` on Windows). A file system without locks is refused, since
a lock that is only a file would outlive a process that was killed.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def locked_file(file: Path, wait: bool) -> Iterator[None]:
    """Hold ``file`` locked; it and its folder are made where they are missing, and the file stays.

    Args:
        wait: until the lock is free; otherwise one that is held is an error at once.

    Raises:
        HeldError: another process holds it, and ``wait`` is False.
        OSError: the file cannot be written, or its file system has no locks.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked_file(Path(folder) / ".lock", wait=False):
        ...     (Path(folder) / ".lock").is_file()
        True
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=-1 if wait else 0, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise HeldError(str(file)) from error
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        raise OSError(errno.ENOSYS, "its file system has no locks", str(file)) from error
    try:
        yield
    finally:
        lock.release()
