"""Where a run's files lie: a folder, or an object store by URL (``gs://bucket/run``, ``s3://bucket/run``).

Both behave as `pathlib` paths (`upath.UPath` is one over fsspec). An object store needs its fsspec driver: ``gcsfs`` or
``s3fs``, which also say how credentials are given.
"""

import functools
import json
import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from upath import UPath

from memjax.checks import InputError, check_kind, expected, of_settings, path_of, unwritable
from memjax.faults import machine_faults_told
from memjax.lease import LEASE, leased
from memjax.locks import HeldError, locked_file
from memjax.remote import is_passing, remote_fault, retried, status_of

Place = Path | UPath
Value = TypeVar("Value")


def place(name: str | Place, what: str = "out", argument: str = "") -> Place:
    """A folder's path, or an object store's URL, as something that behaves like a path.

    Args:
        name: the path or URL.
        what, argument: what is named, and by which parameter, for errors.

    Raises:
        InputError: it is neither, or a URL whose driver is not installed.

    Example:
        >>> str(place("runs/demo")), str(place("memory://runs/demo"))
        ('runs/demo', 'memory://runs/demo')
    """
    check_kind(name, (str, Path, UPath), what, "a folder", of_settings(name), argument)
    if not isinstance(name, str):
        return name
    scheme, found, _ = name.partition("://")
    if not found:
        return Path(name).expanduser()
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        driver = driver_of(scheme)
        fix = f"pip install {driver}" if driver != scheme else "gs:// and s3:// are"
        raise InputError(f"{name}: no driver for {scheme}:// is installed ({error}); {fix}") from error
    logging.getLogger(driver_of(scheme)).setLevel(
        logging.CRITICAL
    )  # it would print tracebacks of what is told in one line
    return UPath(name)


def driver_of(scheme: str) -> str:
    """The package that speaks an object store's protocol."""
    return {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(scheme, scheme)


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


def local_folder(out: str | Path | None) -> tuple[Path, TemporaryFolder | None]:
    """`results_folder` of results that are always on this machine."""
    where, kept = results_folder(None if out is None else path_of(out, "out"))
    return Path(where), kept


def is_remote(where: Place) -> bool:
    """Whether it is an object store."""
    return not isinstance(where, Path)


def write_atomically(file: Place, text: str) -> None:
    """A whole file or none: written beside, then renamed; an object store takes a whole object at once."""
    if is_remote(file):
        retried(lambda: file.write_text(text, encoding="utf-8"))
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
        value = json.loads(asked(lambda: file.read_text(encoding="utf-8"), file))
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
    return sorted(asked(lambda: list(folder.glob(pattern)), folder), key=str)


@contextmanager
def locked(out: Place) -> Iterator[None]:
    """Hold a run's folder, so that no second run writes into it; what the machine refuses inside the block is told in one line.

    Raises:
        InputError: another run holds it, or it can't be written or locked.
    """
    if isinstance(out, UPath):
        with machine_faults_told(out), _remote_faults_told(out), leased(out, LEASE):
            yield
    else:
        with machine_faults_told(out), _locked_folder(out):
            yield


@contextmanager
def _remote_faults_told(out: UPath) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        told = isinstance(error, InputError)
        cause = error.__cause__ if told else error
        if cause is None or (told and not is_passing(cause) and status_of(cause) is None):
            raise
        found = remote_fault(cause, out)
        if found is None:
            raise
        raise found from error


def asked(call: Callable[[], Value], where: Place) -> Value:
    """``call()``, which reads or writes at ``where``; in an object store, what fails in passing is tried again."""
    return retried(call) if is_remote(where) else call()


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
                retried(functools.partial(_copy, path, target))


def _copy(file: Path, target: Place) -> None:
    with file.open("rb") as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
