"""An object store in memory that fails when it is asked to, in the ways of gcsfs, s3fs and aiohttp."""

from collections.abc import Callable, Iterator

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath.implementations.memory import MemoryPath
from upath.registry import register_implementation

from memjax import remote
from memjax.storage import Place, place


class HttpError(Exception):
    """As gcsfs raises it."""

    def __init__(self, code: int):
        super().__init__(f"answer of the server, {code}")
        self.code = code


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, status: int):
        super().__init__(f"An error occurred ({status}) when calling the PutObject operation")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


def translated(status: int) -> OSError:
    """As s3fs raises it: its own kind of error, from botocore's."""
    error = OSError(5, "it did not work")
    error.__cause__ = ClientError(status)
    return error


class ServerDisconnectedError(Exception):
    """As aiohttp raises it."""


ServerDisconnectedError.__module__ = "aiohttp.client_exceptions"


class FaultyFileSystem(MemoryFileSystem):
    """A store in memory that fails when it is asked to."""

    protocol = "faulty"
    store: dict = {}  # noqa: RUF012 (as in the class above)
    pseudo_dirs = [""]  # noqa: RUF012
    fault: Callable[[str, str], None] = staticmethod(lambda operation, path: None)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(str(path).removeprefix("faulty://"))

    def _open(self, path, mode="rb", **options):  # type: ignore[override]
        type(self).fault("read" if mode == "rb" else "write", path)
        return super()._open(path, mode, **options)

    def cat_file(self, path, start=None, end=None, **options):  # type: ignore[override]
        type(self).fault("read", path)
        return super().cat_file(path, start, end, **options)

    def rm_file(self, path):
        type(self).fault("delete", path)
        return super().rm_file(path)

    def ls(self, path, detail=True, **options):  # type: ignore[override]
        type(self).fault("list", path)
        return super().ls(path, detail, **options)


fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
register_implementation("faulty", MemoryPath, clobber=True)


def faulty_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place in it, empty; pauses are short."""
    monkeypatch.setattr(remote, "PATIENCE", 0.2)
    monkeypatch.setattr(remote, "SHORTEST", 0.01)
    yield place("faulty://bucket/run")
    FaultyFileSystem.fault = staticmethod(lambda operation, path: None)
    FaultyFileSystem.store.clear()
    FaultyFileSystem.pseudo_dirs[:] = [""]


def failing(error: Callable[[], Exception], when: Callable[[str, str, int], bool]) -> list[str]:
    """From now on the store fails where ``when(operation, path, how often it has failed)``; the operations that did."""
    failed: list[str] = []

    def fault(operation: str, path: str) -> None:
        if when(operation, path, len(failed)):
            failed.append(f"{operation} {path}")
            raise error()

    FaultyFileSystem.fault = staticmethod(fault)
    return failed
