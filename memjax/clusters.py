"""A dask cluster for the analysis, joined by the address of its scheduler; its workers read the store by themselves.

While `cluster` is open, whatever dask computes in this process is computed there (`memjax.stats.blocks`).
"""

import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from memjax.checks import InputError, ProcessLostError, expected
from memjax.storage import Place, place

if TYPE_CHECKING:
    from distributed import Client

ANSWER, WORKERS = 15, 300
"""Seconds that a scheduler has to answer, and that its first worker has to join."""

SAME = ("memjax", "jax", "jaxlib", "numpy", "scipy", "pandas", "xarray", "zarr", "dask", "distributed")
"""Packages whose versions must be those of this process: the numbers depend on them, or what is sent."""


@contextmanager
def cluster(address: str | None, store: Place) -> Iterator[None]:
    """Have dask compute on a cluster, as long as the context lasts; with no address, in this process.

    Args:
        address: of the scheduler, ``host:port`` or ``tcp://host:port``.
        store: what every worker must see.

    Raises:
        InputError: no scheduler answers, no worker is there, versions differ, a worker does not see the store.
        ProcessLostError: workers, or the scheduler, died in the meantime.
    """
    if address is None:
        yield
        return
    with _client(address) as client:
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        _check_workers(client, address, store)
        try:
            yield
        except (KilledWorker, CommClosedError, CancelledError) as error:
            raise ProcessLostError(
                f"scheduler {address}: it or its workers died during the analysis (more memory each, or one thread only, "
                "may help)"
            ) from error


def check_scheduler(address: str) -> None:
    """Refuse a scheduler that does not answer: asked before the work, not after it.

    Raises:
        InputError: nobody answers, or the package that speaks to it is not installed.
    """
    with _client(address):
        pass


@contextmanager
def _client(address: str) -> "Iterator[Client]":
    """A client by which dask computes meanwhile; dask's own setting is as before afterwards, also where nobody answered."""
    import dask

    with dask.config.set(scheduler=None), _connected(address) as client:
        yield client


@contextmanager
def _connected(address: str) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError as error:
        fix = "pip install 'memjax[cluster]'"
        raise expected("scheduler", "the package distributed", "none installed", fix, argument="scheduler") from error
    try:
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError
        reason = " ".join(str(error).split())[:120]
        fix = "give the address that `dask scheduler` prints"
        raise expected(
            f"scheduler {address}", "a dask scheduler that answers", f"none ({reason})", fix, argument="scheduler"
        ) from error
    with client:
        yield client


def _check_workers(client: "Client", address: str, store: Place) -> None:
    """Raise `InputError` unless every worker has our versions and sees the store."""
    try:
        client.wait_for_workers(1, timeout=WORKERS)
    except TimeoutError as error:
        raise expected(
            f"scheduler {address}", "a worker", f"none in {WORKERS} s", "start workers", argument="scheduler"
        ) from error
    ours, path = worker_versions(), str(store if "://" in str(store) else store.absolute())
    for function, arguments in ((worker_versions, ()), (sees, (path,))):
        for worker, found in client.run(function, *arguments, on_error="return").items():
            if isinstance(found, BaseException):
                raise _refused(worker, "an environment with memjax", f"{type(found).__name__}: {found}")
            if isinstance(found, Mapping) and found != ours:
                differ = [name for name in ours if found.get(name) != ours[name]]
                theirs, own = (", ".join(f"{name} {have.get(name)}" for name in differ) for have in (found, ours))
                raise _refused(worker, own, theirs)
            if found is False:
                raise _refused(worker, f"to see {path}", "that it does not")


def _refused(worker: str, wanted: str, came: str) -> InputError:
    fix = "start the workers in this environment, on machines that share the run's folder"
    return expected(f"dask worker {worker}", wanted, came, fix, argument="scheduler")


def worker_versions() -> dict[str, str]:
    """What must be the same on every worker, name -> version.

    Example:
        >>> worker_versions()["memjax"] == __import__("memjax").__version__
        True
    """
    return {"python": platform.python_version(), **{name: version(name) for name in SAME}}


def sees(path: str) -> bool:
    """Whether this process sees a folder.

    Example:
        >>> sees("/"), sees("/no/such/folder")
        (True, False)
    """
    return place(path).is_dir()
