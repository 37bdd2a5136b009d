"""Locks of the operating system: held by one process, free again when it dies, refused where there are none."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from memjax.checks import InputError
from memjax.cli.arguments import told
from memjax.locks import HeldError, locked_file
from memjax.storage import locked

HOLDER = """
import sys
from pathlib import Path
from memjax.locks import locked_file
with locked_file(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(file: Path) -> subprocess.Popen:
    """A process that holds a lock until it is killed or its input ends."""
    command = [sys.executable, "-c", HOLDER, str(file)]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_at_once_and_a_killed_one_leaves_no_lock(tmp_path):
    process = holder(tmp_path / "out" / ".lock")
    try:
        with pytest.raises(InputError, match="another run is writing there") as caught, locked(tmp_path / "out"):
            pass
    finally:
        process.kill()
        process.communicate()
    assert told(caught.value).startswith(f"--out {tmp_path / 'out'}: another run")
    with locked(tmp_path / "out"):
        assert (tmp_path / "out" / ".lock").is_file()
    assert (tmp_path / "out" / ".lock").is_file(), "the file stays: deleted, two could hold it"


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path):
    process = holder(tmp_path / ".lock")
    with pytest.raises(HeldError), locked_file(tmp_path / ".lock", wait=False):
        pass
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER.replace("wait=False", "wait=True"), str(tmp_path / ".lock")],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.0)
    process.communicate("")
    assert waiting.communicate("", timeout=60)[0] == "held\n"


def test_what_cannot_be_written_or_locked_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"out .*file: can't be written") as caught, locked(tmp_path / "file"):
        pass
    assert told(caught.value).startswith(f"--out {tmp_path / 'file'}: can't be written")


@pytest.mark.skipif(sys.platform == "win32", reason="every file system of Windows has locks")
def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with (
        pytest.raises(InputError, match=r"can't be written \(its file system has no locks\)"),
        locked(tmp_path / "out"),
    ):
        pass
