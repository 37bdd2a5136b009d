"""The log of an unforeseen end: the traceback, for whoever mends it, in a file that the one line names."""

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from memjax import __version__
from memjax.cache import cache_dir


def write_log(error: BaseException) -> str:
    """Write the traceback to the run's folder, the cache or the temporary files; what a user is to do, for the end of a line."""
    lines = [
        f"memjax {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(sys.argv)}",
        "",
        *traceback.format_exception(error),
    ]
    name = time.strftime(f"memjax-error-%Y%m%dT%H%M%S-{os.getpid()}.log")
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue  # the next folder
        return f"the traceback is in {folder / name}; please report it with that file{_address()}"
    return f"no folder was found that its traceback could be written to; please report it{_address()}"


def _folders() -> Iterator[Path]:
    """Where a log may go, the best first."""
    words = sys.argv
    for word, after in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        out = Path(value if equals else after)
        if name == "--out" and out.is_dir():
            yield out
    yield cache_dir()
    yield Path(tempfile.gettempdir())


def _address() -> str:
    """Where the package says that reports go; empty where it does not say."""
    try:
        urls = metadata("memjax").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    named = dict(url.split(", ", 1) for url in urls)
    found = named.get("Issues") or next(iter(named.values()), "")
    return f" to {found}" if found else ""
