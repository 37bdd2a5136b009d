"""One run at a time in an object store: created exclusively, renewed all the time, taken over by one, given up when lost."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

from memjax.checks import InputError
from memjax.lease import Lease, leased
from memjax.storage import Place, listing, locked
from tests.faulty_store import HttpError, failing, faulty_place


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    yield from faulty_place(monkeypatch)


def unavailable() -> Exception:
    return HttpError(503)


def forbidden() -> Exception:
    return HttpError(403)


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
        failing(unavailable, lambda operation, path, times: times < 4)
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
            error = unavailable if how == "unreachable" else forbidden
            failing(error, lambda operation, path, times: path.endswith(".lock"))
        time.sleep(20)
    assert time.monotonic() - started < 5, "it ends at once, in the middle of what it does"
    failing(unavailable, lambda *rest: False)
    if how == "taken":
        assert json.loads((out / ".lock").read_text())["by"] == "another", "the other run keeps its place"
