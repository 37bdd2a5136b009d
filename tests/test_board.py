"""What the processes of a run tell each other, on a key-value store of the test's own: agreement, failures, signs of life."""

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from memjax import board as boards
from memjax import processes
from memjax.board import DONE, Board, difference
from memjax.checks import InputError, ProcessLostError
from memjax.pipelines import agreement
from memjax.processes import address_of, check_free, failures_told, patiently, wait_for_port, watch


class Store:
    """A key-value store as JAX's coordination service has it, in this process."""

    def __init__(self, count: int):
        self.values: dict[str, str] = {}
        self.barriers: dict[str, int] = {}
        self.changed, self.count, self.down = threading.Condition(), count, False

    def _up(self) -> None:
        if self.down:
            raise RuntimeError("UNAVAILABLE: Socket closed")

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None:
        self._up()
        with self.changed:
            if key in self.values and not allow_overwrite:
                raise RuntimeError("ALREADY_EXISTS")
            self.values[key] = value
            self.changed.notify_all()

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        self._up()
        with self.changed:
            if not self.changed.wait_for(lambda: key in self.values, timeout_in_ms / 1000):
                raise RuntimeError("DEADLINE_EXCEEDED")
            return self.values[key]

    def key_value_dir_get(self, key: str) -> list[tuple[str, str]]:
        self._up()
        with self.changed:
            return [(name, value) for name, value in self.values.items() if name.startswith(key)]

    def wait_at_barrier(self, barrier_id: str, timeout_in_ms: int) -> None:
        with self.changed:
            self.barriers[barrier_id] = self.barriers.get(barrier_id, 0) + 1
            self.changed.notify_all()
            there = self.changed.wait_for(lambda: self.barriers[barrier_id] == self.count, timeout_in_ms / 1000)
        if not there:
            raise RuntimeError("DEADLINE_EXCEEDED: Barrier timed out")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "SLICE", 0.02)
    monkeypatch.setattr(boards, "SAYING", 0.1)
    monkeypatch.setattr(boards, "LINGERING", 2.0)
    monkeypatch.setattr(processes, "SLICE", 0.02)
    monkeypatch.setattr(processes, "SAYING", 0.1)


Ends = list[str | BaseException]


def together(count: int, work: Callable[[Board], object]) -> tuple[Ends, list[Board]]:
    """``work`` of every process, each in a thread: what it gave or raised."""
    store = Store(count)
    all_of_them = [Board(store, index, count, say=lambda line: None) for index in range(count)]
    ends: Ends = [""] * count

    def run(index: int) -> None:
        try:
            ends[index] = str(work(all_of_them[index]))
        except Exception as error:
            ends[index] = error

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a process hangs"
    return ends, all_of_them


FACTS = {
    "versions of memjax": "1", "versions of jax": "0.10", "models": "a, b", "checkpoints": "1f, 2e", "data sets": "lnsim",
    "images": "10", "image ids (digest)": "aa", "scores (digest)": "bb", "data (fingerprint)": "cc",
    "settings of protocol": "native", "settings of seed": "0", "places (out)": "one place",
}  # fmt: skip


@pytest.mark.parametrize("whose", [0, 1, 2])
@pytest.mark.parametrize("name", FACTS)
def test_any_fact_that_differs_is_named_in_every_process(name, whose):
    def work(board: Board) -> None:
        board.agree({**FACTS, name: "another"} if board.index == whose else FACTS)

    ends, _ = together(3, work)
    first = 1 if whose == 0 else whose
    words = ("another" if whose else FACTS[name], FACTS[name] if whose else "another")
    for end in ends:
        assert isinstance(end, InputError)
        assert str(end).startswith(
            f"process {first} differs from process 0: {name} are {words[0]}, not {words[1]}; start"
        )


def test_the_same_facts_go_on_and_rounds_do_not_mix():
    def work(board: Board) -> str:
        board.agree(FACTS)
        shared = board.shared("token" if board.index == 0 else "")
        board.agree({"places": shared})
        board.barrier("end", 10)
        return shared

    assert together(4, work)[0] == ["token"] * 4


def test_long_and_missing_facts_are_short_in_the_line():
    assert difference(2, {"a": "x" * 500}, {"b": "y\nz"}) == (
        f"process 2 differs from process 0: a are none, not {'x' * 300}..; b are y z, not none"
    )
    many = {str(i): "1" for i in range(9)}
    assert difference(1, many, {}).endswith("; and 6 more")


@pytest.mark.parametrize(
    ("meanwhile", "whose"),
    [("agree", 0), ("agree", 1), ("agree", 2), ("barrier", 0), ("barrier", 1), ("barrier", 2), ("shared", 0)],
)
@pytest.mark.parametrize(
    "error",
    [InputError("no such data"), OSError(28, "No space left on device", "/out"), KeyError("x"), KeyboardInterrupt()],
)
def test_a_process_that_fails_tells_the_others(error, whose, meanwhile, monkeypatch):
    here = threading.local()
    monkeypatch.setattr(processes, "board", lambda: here.board)

    def work(board: Board) -> None:
        here.board = board
        try:
            with failures_told():
                if board.index == whose:
                    raise error
                {"agree": lambda: board.agree(FACTS), "shared": board.shared}.get(
                    meanwhile, lambda: board.barrier("x", 30)
                )()
        except KeyboardInterrupt as stop:
            raise RuntimeError("interrupted") from stop
        finally:
            board.leave()

    if meanwhile == "barrier":  # there the watching thread notices
        monkeypatch.setattr(Store, "wait_at_barrier", lambda self, *rest: self._until_failure())
        monkeypatch.setattr(Store, "_until_failure", until_failure, raising=False)
    ends, _ = together(3, work)
    reason = {InputError: "no such data", OSError: "/out: No space left on device; make room", KeyError: "'x'"}
    for index, end in enumerate(ends):
        if index != whose:
            assert isinstance(end, ProcessLostError), end
            assert f"process {index} of 3: process {whose} has ended: " in str(end)
            assert reason.get(type(error), "interrupted") in str(end)


def until_failure(store: Store) -> None:
    with store.changed:
        store.changed.wait_for(lambda: any(key.startswith("memjax/failed/") for key in store.values), 10)
    raise RuntimeError("CANCELLED")


def test_the_first_failure_is_the_one_that_is_told():
    store = Store(3)
    zero, one, two = (Board(store, index, 3) for index in range(3))
    one.fail("first\nreason")
    two.fail("second")
    assert one.failure() == ""
    assert zero.failure() == two.failure() == "process 1 has ended: first reason"


def test_a_service_that_is_gone_ends_the_others():
    store = Store(2)
    store.down = True
    with pytest.raises(ProcessLostError, match="process 1 of 2: process 0 can't be reached any more"):
        Board(store, 1, 2).value("memjax/shared/0", "process 0")
    Board(store, 1, 2).fail("nobody hears it")
    Board(store, 0, 2).leave()


@pytest.mark.parametrize("silent", [1, 2])
def test_a_process_without_signs_of_life_ends_all(silent):
    store, ended = Store(3), []
    all_of_them = [Board(store, index, 3) for index in range(3)]
    threads = [
        threading.Thread(target=watch, args=(board, 0.5, lambda board: ended.append(board.lost)), daemon=True)
        for board in all_of_them
        if board.index != silent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(ended) == 2
    assert all(f"process {silent} has ended: Task {silent} has sent no heartbeat for" in lost for lost in ended)
    assert "no heartbeat" in all_of_them[silent].failure(), "it ends too, should it live all the same"


def test_a_process_that_is_done_needs_no_signs_of_life():
    store, ended = Store(2), []
    first, second = Board(store, 0, 2), Board(store, 1, 2)
    second.beat(DONE)
    thread = threading.Thread(target=watch, args=(first, 0.1, lambda board: ended.append(board.lost)), daemon=True)
    thread.start()
    time.sleep(0.5)
    assert not ended
    first.beat(DONE)
    store.down = True
    thread.join(10)
    assert not ended, "at the end the service goes away"
    assert not thread.is_alive()


def test_a_process_that_waits_says_for_whom(monkeypatch):
    said: list[str] = []
    store = Store(3)
    waiting = Board(store, 0, 3, say=said.append)
    with pytest.raises(ProcessLostError, match=r"waited for the others \(chunks written\): DEADLINE_EXCEEDED"):
        waiting.barrier("chunks written", 1)
    assert said == ["process 0 of 3 waits for processes 1, 2 (chunks written)"]
    said.clear()
    threading.Timer(0.3, Board(store, 1, 3).fail, ("gave up",)).start()
    with pytest.raises(ProcessLostError, match="process 1 has ended: gave up"):
        waiting.agree(FACTS)
    assert said == ["process 0 of 3 waits for process 1, to compare the settings"]


@pytest.mark.parametrize("seen", list(itertools.product([True, False], repeat=2)))
def test_the_place_is_one_for_all(seen, tmp_path, monkeypatch):
    here = threading.local()
    monkeypatch.setattr(processes, "board", lambda: here.board)
    (tmp_path / "one").mkdir()

    def work(board: Board) -> None:
        here.board = board
        mine = "one" if board.index == 0 or seen[board.index - 1] else f"other{board.index}"
        agreement.agree_on_place(tmp_path / mine, seconds=0.1)

    ends, _ = together(3, work)
    assert not list((tmp_path / "one").iterdir()), "nothing stays"
    for end in ends:
        if all(seen):
            assert end == "None"
        else:
            assert isinstance(end, InputError)
            number = 1 + seen.index(False)
            assert f"process {number} differs from process 0: places (out) are another place, {tmp_path}" in str(end)


@pytest.mark.parametrize("word", ["", "host", "host:", ":80", "host:x", "host:0", "host:65536", "host:-1"])
def test_an_address_that_is_none_is_refused(word):
    with pytest.raises(InputError, match="expected host:port"):
        address_of(word)


def test_addresses_ports_and_waiting(monkeypatch, capsys):
    import socket

    assert address_of("[::1]:80") == ("::1", 80)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} can't be had"):
            check_free(port)
        wait_for_port("127.0.0.1", port, "process 1 of 2")
    check_free(port)
    monkeypatch.setattr(processes, "CONNECTING", 1)
    with pytest.raises(InputError, match="process 0 does not answer"):
        wait_for_port("127.0.0.1", port, "process 1 of 2")
    assert "process 1 of 2 waits for process 0 at 127.0.0.1" in capsys.readouterr().err
    with pytest.raises(InputError, match="no such host"):
        wait_for_port("no-such-host.invalid", port, "process 1 of 2")
    capsys.readouterr()
    assert patiently(lambda: time.sleep(0.5) or 3, "process 0 waits for the others") == 3
    assert capsys.readouterr().err == "process 0 waits for the others, 1 s at most\n"
    with pytest.raises(KeyError):
        patiently(lambda: {}["x"], "nobody")
