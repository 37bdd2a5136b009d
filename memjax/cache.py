"""Where memjax keeps what it can make again: prepared data sets, compiled programs."""

import functools
import os
import stat
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """``MEMJAX_CACHE``; by default ``memjax`` below ``XDG_CACHE_HOME`` or ``~/.cache``.

    Where that is not there and cannot be made (no home, or one that cannot be written), a folder among the temporary files that
    belongs to this user alone.
    """
    if given := os.environ.get("MEMJAX_CACHE"):
        return _below_home(given) or Path(given)
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    default = Path(xdg) / "memjax" if os.path.isabs(xdg) else _below_home("~/.cache/memjax")
    return default if default is not None and _usable(default) else _among_temporary_files()


def _below_home(name: str) -> Path | None:
    """A name with its ``~`` put in; None where there is no home: ``HOME`` is unset, and the user has no entry."""
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        return None
    return path if path.is_absolute() or not name.startswith("~") else None


def _usable(folder: Path) -> bool:
    """Whether it is a folder (one that cannot be written may be complete), or one that can be made."""
    try:
        if folder.is_dir():
            return True
        nearest = next(parent for parent in folder.parents if os.path.lexists(parent))
        return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except (OSError, StopIteration):
        return False


@functools.cache
def _among_temporary_files() -> Path:
    """The same folder for every run of a user; a new one if somebody else owns that name, or may write there."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"memjax-cache-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022 and found.st_uid in (user, 0):
            return folder
    except OSError:
        pass  # the name is taken by something that is no folder
    return Path(tempfile.mkdtemp(prefix="memjax-cache-"))
