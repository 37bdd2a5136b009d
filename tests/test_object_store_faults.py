"""An object store that refuses, is cut off or answers late: tried again with a bound, then one line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

import memjax
from memjax import lease, remote
from memjax.checks import InputError
from memjax.remote import is_passing, retried, status_of
from memjax.storage import Place, asked, locked, read_json, staged, write_atomically
from tests.faulty_store import (
    ClientError,
    FaultyFileSystem,
    HttpError,
    ServerDisconnectedError,
    failing,
    faulty_place,
    translated,
)


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    yield from faulty_place(monkeypatch)


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


def test_what_is_staged_is_copied_again(out):
    failed = failing(PASSING["cut"], lambda operation, path, times: path.endswith("a.csv") and times < 2)
    with staged(out, last="run.json") as folder:
        pd.DataFrame({"x": [1]}).to_csv(Path(folder) / "a.csv")
    assert len(failed) == 2
    assert (out / "a.csv").is_file()
    assert isinstance(out, UPath)
    assert lease.LEASE == 300
