"""An object store that refuses, is cut off or answers late: tried again with a bound, then one line; one run at a time."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath
from upath.implementations.memory import MemoryPath
from upath.registry import register_implementation

import memjax
from memjax import lease, remote
from memjax.checks import InputError
from memjax.lease import Lease, leased
from memjax.remote import is_passing, retried, status_of
from memjax.storage import asked, listing, locked, place, read_json, staged, write_atomically


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


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch):
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


PASSING: dict[str, Callable[[], Exception]] = {
    "500": lambda: HttpError(500),
    "502": lambda: HttpError(502),
    "503": lambda: HttpError(503),
    "504": lambda: HttpError(504),
    "429": lambda: HttpError(429),
    "503 of S3": lambda: translated(503),
    "500 of S3": lambda: ClientError(500),
    "SlowDown": lambda: OSError("SlowDown: please reduce your request rate"),
    "cut": lambda: ConnectionResetError(104, "Connection reset by peer"),
    "refused": lambda: ConnectionRefusedError(111, "Connection refused"),
    "pipe": lambda: BrokenPipeError(32, "Broken pipe"),
    "no answer": lambda: TimeoutError(),
    "no answer, asyncio": lambda: TimeoutError(),
    "disconnected": ServerDisconnectedError,
}
FOR_GOOD: dict[str, tuple[Callable[[], Exception], str]] = {
    "401": (lambda: HttpError(401), "log in again"),
    "403": (lambda: HttpError(403), "no right to read and write"),
    "403 of gcsfs": (lambda: OSError("Forbidden: https://storage.googleapis.com/b\nno access"), "no right to read"),
    "403 of S3": (lambda: translated(403), "no right to read and write"),
    "PermissionError": (lambda: PermissionError("Access Denied"), "no right to read and write"),
    "404 of S3": (lambda: translated(404), "create the bucket"),
    "402": (lambda: HttpError(402), "ask its owner"),
    "507": (lambda: HttpError(507), "make room"),
}


def small(out: object) -> bytes:
    settings = memjax.SweepSettings(bootstraps=5)
    run = memjax.sweep(memjax.open_dataset("demo", limit=10), "memjax/tiny", out, settings, progress=False)
    return (run.out / "correlations.csv").read_bytes()


PLACES = {
    "the lock": lambda operation, path: path.endswith(".lock"),
    "metadata": lambda operation, path: operation == "write" and path.endswith("zarr.json"),
    "a chunk": lambda operation, path: operation == "write" and "/c/" in path,
    "a marker": lambda operation, path: operation == "write" and "/progress/" in path,
    "listing": lambda operation, path: operation == "list",
    "reading back": lambda operation, path: operation == "read" and "/c/" in path,
    "a table": lambda operation, path: operation == "write" and path.endswith("correlations.csv"),
    "the record": lambda operation, path: operation == "write" and path.endswith("run.json"),
}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small(tmp_path_factory.mktemp("wanted") / "out")


@pytest.mark.slow
@pytest.mark.parametrize("what", PLACES)
def test_a_run_survives_what_passes_and_ends_in_one_line_at_what_does_not(what, out, wanted, undrawn):
    there = PLACES[what]
    failed = failing(PASSING["503"], lambda operation, path, times: there(operation, path) and times < 2)
    assert small(out) == wanted
    assert len(failed) == 2, "the store has failed, and was asked again"
    FaultyFileSystem.store.clear()
    name = "403" if list(PLACES).index(what) % 2 else "503"
    error, line = FOR_GOOD["403"] if name == "403" else (PASSING["503"], "does not answer")
    failed = failing(error, lambda operation, path, times: there(operation, path))
    with pytest.raises(InputError, match=line) as caught:
        small(out)
    assert failed
    assert "bucket/run: " in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    failing(PASSING["503"], lambda *rest: False)
    (out / ".lock").unlink(missing_ok=True)
    assert small(out) == wanted, "the same command goes on"


@pytest.mark.parametrize("name", [*PASSING, *FOR_GOOD])
def test_every_fault_is_known(name, out):
    passing = name in PASSING
    error, line = (PASSING[name], "does not answer") if passing else FOR_GOOD[name]
    assert is_passing(error()) is passing
    file = out / "a.json"
    failed = failing(error, lambda operation, path, times: operation == "write" and times < 3)
    if passing:
        write_atomically(file, "{}")
        assert len(failed) == 3
        assert read_json(file) == {}
    failed = failing(error, lambda operation, path, times: path.endswith("a.json"))
    with pytest.raises(InputError, match=line), locked(out):
        write_atomically(file, "{}")
    assert (len(failed) > 3) is passing, "what does not pass is told at once"


def test_the_pauses_grow_and_have_an_end(monkeypatch):
    slept: list[float] = []

    def ask() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        retried(ask, sleep=slept.append)
    assert sum(slept) == pytest.approx(60)
    assert all(seconds <= 1.5 * remote.LONGEST for seconds in slept)
    assert 5 < len(slept) < 20
    assert slept[0] < 1 < max(slept)
    with pytest.raises(KeyError):
        retried(lambda: {}["a mistake"], sleep=slept.append)


def test_the_status_is_found_wherever_a_driver_keeps_it():
    assert [status_of(error) for error in (HttpError(503), ClientError(403), translated(404), KeyError("403"))] == [
        503, 403, 404, None,
    ]  # fmt: skip
    assert status_of(OSError(28, "No space left on device")) is None
    assert status_of(KeyError("Forbidden")) is None


def test_folders_are_asked_once(tmp_path):
    calls: list[int] = []

    def ask() -> None:
        calls.append(1)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asked(ask, tmp_path)
    assert len(calls) == 1


def test_of_runs_that_begin_at_once_one_is_let_in(out):
    for turn in range(10):
        entered, refused, gate = [], [], threading.Barrier(8)

        def begin(me: int, entered=entered, refused=refused, gate=gate) -> None:
            held = Lease(out / ".lock", f"run {me}", 300.0)
            gate.wait()
            try:
                held.claim()
                entered.append(me)
            except InputError as error:
                refused.append(str(error))

        if turn % 2:  # a run that died left its object: it is taken over, by one
            (out / ".lock").write_text(json.dumps({"by": "dead", "host": "h", "pid": 1, "time": time.time() - 400}))
        threads = [threading.Thread(target=begin, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(entered), len(refused)) == (1, 7), entered
        assert all("another run is writing there" in line for line in refused)
        assert json.loads((out / ".lock").read_text())["by"] == f"run {entered[0]}"
        assert [path.name for path in listing(out, ".lock*")] == [".lock"]
        (out / ".lock").unlink()


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"by": 1}', '{"by": "x", "time": "soon"}'])
def test_an_object_that_says_nothing_is_taken_over(content, out):
    (out / ".lock").write_text(content)
    with locked(out):
        assert len(json.loads((out / ".lock").read_text())["by"]) == 32


def test_a_renewal_that_fails_is_tried_again(out):
    with leased(out, 1.0):
        first = json.loads((out / ".lock").read_text())["time"]
        failing(PASSING["503"], lambda operation, path, times: times < 4)
        time.sleep(1.2)
        assert json.loads((out / ".lock").read_text())["time"] > first + 0.4
    assert not (out / ".lock").exists()


@pytest.mark.parametrize("how", ["unreachable", "forbidden", "taken"])
def test_a_run_that_holds_its_place_no_longer_ends_in_one_line(how, out):
    line = {"unreachable": "does not answer", "forbidden": "can't be written", "taken": "another run"}[how]
    started = time.monotonic()
    with pytest.raises(InputError, match=f"this run holds it no longer: .*{line}"), leased(out, 1.0):  # noqa: PT012
        if how == "taken":
            other = {"by": "another", "host": "h", "pid": 7, "time": time.time()}
            (out / ".lock").write_text(json.dumps(other))
        else:
            error = PASSING["503"] if how == "unreachable" else FOR_GOOD["403"][0]
            failing(error, lambda operation, path, times: path.endswith(".lock"))
        time.sleep(20)
    assert time.monotonic() - started < 5, "it ends at once, in the middle of what it does"
    failing(PASSING["503"], lambda *rest: False)
    if how == "taken":
        assert json.loads((out / ".lock").read_text())["by"] == "another", "the other run keeps its place"


def test_what_is_staged_is_copied_again(out):
    failed = failing(PASSING["cut"], lambda operation, path, times: path.endswith("a.csv") and times < 2)
    with staged(out, last="run.json") as folder:
        pd.DataFrame({"x": [1]}).to_csv(Path(folder) / "a.csv")
    assert len(failed) == 2
    assert (out / "a.csv").is_file()
    assert isinstance(out, UPath)
    assert lease.LEASE == 300
