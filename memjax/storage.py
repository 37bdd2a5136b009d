"""Where a run's files lie: a folder, or an object store by URL (``gs://bucket/run``, ``s3://bucket/run``).

Both behave as `pathlib` paths (`upath.UPath` is one over fsspec). An object store needs its fsspec driver: ``gcsfs`` or
``s3fs``, which also say how credentials are given.
"""

import json
import os
import shutil
import socket
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import fsspec
from upath import UPath

from memjax.checks import InputError, expected, unwritable
from memjax.faults import machine_faults_told
from memjax.locks import HeldError, locked_file

Place = Path | UPath

LEASE = 300
"""Seconds after which a lock in an object store that nobody renewed counts as left behind by a run that died."""


def place(name: str | Place) -> Place:
    """A folder's path, or an object store's URL, as something that behaves like a path.

    Raises:
        InputError: a URL whose driver is not installed.

    Example:
        >>> str(place("runs/demo")), str(place("memory://runs/demo"))
        ('runs/demo', 'memory://runs/demo')
    """
    if not isinstance(name, str):
        return name
    scheme, found, _ = name.partition("://")
    if not found:
        return Path(name).expanduser()
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        driver = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(scheme)
        fix = f"pip install {driver}" if driver else "gs:// and s3:// are"
        raise InputError(f"{name}: no driver for {scheme}:// is installed ({error}); {fix}") from error
    return UPath(name)


class TemporaryFolder:
    """A folder that is removed once nothing refers to this object any more, at the latest when the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="memjax-"))
        _TEMPORARY.append(weakref.finalize(self, shutil.rmtree, str(self.path), ignore_errors=True))


_TEMPORARY: list[weakref.finalize] = []


def remove_temporary() -> None:
    """Remove all temporary folders now, for a process that leaves without the usual way out."""
    for remove in _TEMPORARY:
        remove()


def results_folder(out: str | Place | None) -> tuple[Place, TemporaryFolder | None]:
    """Where results go: the place asked for, or a temporary folder and what its result has to hold on to.

    Example:
        >>> folder, kept = results_folder(None)
        >>> folder.is_dir(), folder == kept.path
        (True, True)
    """
    if out is not None:
        return place(out), None
    kept = TemporaryFolder()
    return kept.path, kept


def is_remote(where: Place) -> bool:
    """Whether it is an object store."""
    return not isinstance(where, Path)


def write_atomically(file: Place, text: str) -> None:
    """A whole file or none: written beside, then renamed; an object store takes a whole object at once."""
    if is_remote(file):
        file.write_text(text, encoding="utf-8")
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(str(beside), str(file))


def read_json(file: Place, most: int | None = None) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        file: where it is.
        most: how many bytes it may have, where it comes from others.

    Raises:
        InputError: if it isn't one, is larger, or is nested too deep.
    """
    try:
        if most is not None and file.stat().st_size > most:
            raise expected(str(file), f"a JSON file of at most {most} bytes", f"{file.stat().st_size}")
        value = json.loads(file.read_text(encoding="utf-8"))
    except InputError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: not readable as JSON; {error}") from error
    except RecursionError as error:
        raise InputError(f"{file}: not readable as JSON; nested too deep") from error
    if not isinstance(value, dict):
        raise expected(str(file), "a JSON object", type(value).__name__)
    return value


def listing(folder: Place, pattern: str) -> list[Place]:
    """What is there now, sorted; with other processes' new files, which an object store's driver may not have seen."""
    if isinstance(folder, UPath):
        folder.fs.invalidate_cache()
    return sorted(folder.glob(pattern), key=str)


@contextmanager
def locked(out: Place) -> Iterator[None]:
    """Hold a run's folder, so that no second run writes into it; what the machine refuses inside the block is told in one line.

    Raises:
        InputError: another run holds it, or it can't be written or locked.
    """
    with machine_faults_told(out), _leased(out) if isinstance(out, UPath) else _locked_folder(out):
        yield


@contextmanager
def _locked_folder(out: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(locked_file(out / ".lock", wait=False))
        except HeldError as error:
            wait = "wait for it or choose another"
            raise InputError(f"out {out}: another run is writing there; {wait}", argument="out") from error
        except OSError as error:
            raise unwritable("out", out, error, argument="out") from error
        yield


@contextmanager
def _leased(out: UPath) -> Iterator[None]:
    """An object store has no locks: an object says who holds the place, renewed all the time, deleted at the end.

    Two runs that start within the same second can both see their own object; what they write is then the same.
    """
    file, me = out / ".lock", uuid.uuid4().hex
    stop = threading.Event()

    def claim() -> None:
        claimed = {"by": me, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        file.write_text(json.dumps(claimed), encoding="utf-8")

    def renew() -> None:
        while not stop.wait(LEASE / 5):
            try:
                claim()
            except OSError:  # a passing fault of the network: the next turn, or the run's own writes, will tell
                continue

    _check_free(file)
    try:
        claim()
    except OSError as error:
        raise InputError(f"out {out}: can't be written ({error}); choose another place", argument="out") from error
    time.sleep(0.1)
    _check_free(file, me)
    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        file.unlink(missing_ok=True)


def _check_free(file: UPath, me: str = "") -> None:
    """Raises `InputError` if a living run other than ``me`` holds the lock."""
    file.fs.invalidate_cache()
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"out {file.parent}: can't be read ({error}); check the address and credentials"
        raise InputError(message, argument="out") from error
    if held["by"] != me and time.time() - held["time"] < LEASE:
        who = f"process {held['pid']} on {held['host']}"
        raise InputError(
            f"out {file.parent}: another run is writing there ({who}); wait for it, or {LEASE} s after it died",
            argument="out",
        )


@contextmanager
def staged(out: Place, last: str) -> Iterator[Path]:
    """A folder for the small files of a run: ``out`` itself or, for an object store, one that is copied there at the end
    (also after an error, so that a list of failures gets there).

    Args:
        out: the run's place.
        last: name of the file that marks the end; copied after all others.
    """
    if isinstance(out, Path):
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            for path in sorted(files, key=lambda path: path == Path(folder) / last):
                target = out / path.relative_to(folder).as_posix()
                with path.open("rb") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
