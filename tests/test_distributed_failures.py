"""Real processes of one run that cannot go on together: all end soon, each with a line that says which and why."""

import signal
import socket
import sys
import time

import pytest

from benchmarks.machine import free_port
from tests.test_processes import end, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that end a process"),
]
SEES_SOON = "import memjax.pipelines.agreement as agreement; agreement.SEEING = 2\n"
WAITS = """
import time
from memjax.store import Writer
Writer.write = lambda *rest: print("here", flush=True) or time.sleep(300)
"""
SOON = "import memjax.processes as processes; processes.CONNECTING = 12\n"


def joined(port: int, process: int, *options: str) -> tuple[str, ...]:
    place = ("--distributed", "--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process", str(process))
    return (*place, "--heartbeat", "10", *options)


@pytest.mark.parametrize(
    ("options", "codes", "line"),
    [
        (
            ("--protocol", "paper"),
            (2, 2),
            "process 1 differs from process 0: settings of protocol are paper, not native",
        ),
        (("--out", "elsewhere"), (2, 2), "process 1 differs from process 0: places (out) are another place"),
        (("--dataset", "lnsim", "--data-dir", "nowhere"), (3, 2), "lnsim: data folder nowhere: expected a folder"),
    ],
)
def test_what_differs_or_fails_is_told_by_both(options, codes, line, tmp_path):
    port, own = free_port(), list(options)
    if own[0] == "--out":
        own[1] = str(tmp_path / own[1])
    pair = [start(tmp_path / "out", 1, *joined(port, i), *(own if i else ()), before=SEES_SOON) for i in (0, 1)]
    for process, code in zip(pair, codes, strict=True):
        found, said = end(process)
        assert found == code, said
        assert line in said
        assert "Traceback" not in said
    assert not list((tmp_path / "out").glob(".together*"))


@pytest.mark.parametrize("whose", [0, 1])
def test_an_interruption_of_one_ends_both(whose, tmp_path):
    port = free_port()
    pair = [start(tmp_path, 1, *joined(port, i), before=WAITS) for i in (0, 1)]
    assert pair[whose].stdout.readline() == "here\n"
    time.sleep(0.5)
    pair[whose].send_signal(signal.SIGINT)
    begun = time.monotonic()
    for index, process in enumerate(pair):
        code, said = end(process)
        assert code == (130 if index == whose else 3), said
        wanted = "interrupted: the same" if index == whose else f"process {whose} has ended: interrupted"
        assert wanted in said
        assert "Traceback" not in said
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("there", [0, 1])
def test_a_process_that_is_never_started_is_missed(there, tmp_path):
    code, said = end(start(tmp_path, 1, *joined(free_port(), there), before=SOON))
    assert code == 2, said
    assert f"process {there} of 2 waits for " in said
    assert ("not all processes were there within 12 s" if there == 0 else "process 0 does not answer") in said


def test_a_port_that_is_taken_is_refused(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said = end(start(tmp_path, 1, *joined(other.getsockname()[1], 0)))
    assert code == 2, said
    assert "another job or program has it; choose another port" in said
