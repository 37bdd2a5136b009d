"""How programs end: one line and the right exit code for whatever goes wrong, and no traceback on the terminal."""

import errno
import os
import signal
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import jax
import pytest

from memjax.checks import InputError, ProcessLostError
from memjax.cli import leaving, log
from memjax.cli.leaving import TerminatedError, run_main
from memjax.cli.main import HELP
from memjax.faults import REMEDIES, machine_fault, machine_faults_told

ROOT = Path(__file__).resolve().parents[1]


class GroupedError(Exception):
    """Stands for a library's own kind of error."""


def behind(error: BaseException) -> Exception:
    """An error that a library raises from another."""
    try:
        raise GroupedError("the write has failed") from error
    except GroupedError as made:
        return made


def while_handling(error: BaseException, then: Exception) -> Exception:
    try:
        try:
            raise error
        except BaseException:
            raise then  # noqa: B904 (what is tested)
    except Exception as made:
        return made


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a")
ENDS: list[tuple[BaseException, int, str]] = [
    (InputError("limit: expected a positive number, got 0", "limit"), 2, "error: --limit: expected"),
    (ProcessLostError("process 1 has ended"), 3, "resumes"),
    (KeyboardInterrupt(), 130, "interrupted: the same command again resumes"),
    (TerminatedError(), 143, "terminated: the same command again resumes"),
    (SystemExit(0), 0, ""),
    (KeyError("x"), 70, "a mistake of memjax itself (KeyError: 'x')"),
    (AssertionError(), 70, "AssertionError"),
    (ValueError("two\nlines\n" + "long" * 900), 70, "two lines long"),
    (RecursionError("deep"), 70, "RecursionError"),
    (ImportError("no such module"), 70, "ImportError"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 70, "BrokenPipeError"),  # the standard output is whole
    (FULL, 2, "error: runs/a: No space left on device; make room"),
    (OSError(errno.EIO, "x", b"runs/\xff"), 2, "check it"),
    (OSError(errno.ENOENT, "x"), 70, "FileNotFoundError: [Errno 2] x"),
    (FileNotFoundError(errno.ENOENT, "x", "runs/a"), 2, "runs/a: No such file or directory; was it moved"),
    (NotADirectoryError(errno.ENOTDIR, "x", "runs/a"), 2, "a file is where a folder belongs"),
    (behind(FULL), 2, "runs/a: No space left"),
    (while_handling(FULL, GroupedError("x")), 2, "runs/a: No space left"),
    (while_handling(FileNotFoundError(2, "x", "a"), KeyError("b")), 70, "KeyError: 'b'"),
    (while_handling(InputError("told and handled"), KeyError("b")), 70, "KeyError: 'b'"),
    (behind(InputError("scores: none")), 2, "error: scores: none"),
    (ExceptionGroup("several", [KeyError("a"), FULL]), 2, "runs/a: No space left"),
    (ValueError('RESOURCE_EXHAUSTED: Error writing "c/0": [OS error 28] No space left on device'), 2, "make room"),
    (RuntimeError("Disk quota exceeded"), 2, "larger quota"),
    (MemoryError(), 2, "not enough memory (no more to be had); use a smaller batch_size"),
    (MemoryError("Unable to allocate 9 TiB"), 2, "Unable to allocate 9 TiB"),
    (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."), 2, "not enough memory"),
    (RuntimeError("std::bad_alloc"), 2, "not enough memory"),
]  # fmt: skip


def ending(error: BaseException, monkeypatch, capsys) -> tuple[int, str]:
    def main() -> int:
        raise error

    monkeypatch.setattr(leaving.threading, "Timer", lambda *rest: threading.Thread())  # no thread waits after the test
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as left:
            run_main(main)
    finally:
        signal.signal(signal.SIGINT, before)
    return int(left.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(("error", "code", "line"), ENDS, ids=lambda value: repr(value)[:40])
def test_every_end_is_one_line_and_its_code(error, code, line, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    found, said = ending(error, monkeypatch, capsys)
    assert (found, said.count("\n")) == (code, int(code != 0)), said
    assert line in said
    assert "Traceback" not in said
    assert len(said) < 1000
    if code == 70:
        (written,) = (tmp_path / "cache").glob("memjax-error-*.log")
        assert str(written) in said
        assert type(error).__name__ in written.read_text()
        assert "Traceback" in written.read_text()


@pytest.mark.parametrize("number", sorted(REMEDIES))
def test_every_error_of_the_system_has_a_remedy(number):
    found = machine_fault(OSError(number, "whatever a library says", "runs/a b"))
    assert str(found).startswith(f"runs/a b: {os.strerror(number)}; {REMEDIES[number]}, then the same command")


def test_an_error_that_is_told_names_the_place_and_keeps_its_cause():
    with pytest.raises(InputError, match="runs/b: Read-only file system") as caught, machine_faults_told("runs/b"):
        raise OSError(errno.EROFS, "x")
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(KeyError), machine_faults_told("runs/b"):
        raise KeyError("a mistake")
    with pytest.raises(InputError, match="as it is"), machine_faults_told("runs/b"):
        raise InputError("as it is")


def test_the_log_lies_in_the_run_or_where_there_is_room(monkeypatch, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    monkeypatch.setenv("MEMJAX_CACHE", str(cache))
    for words in (["--out", str(out)], [f"--out={out}"]):
        monkeypatch.setattr(sys, "argv", ["memjax", "sweep", *words])
        assert f"{out}{os.sep}memjax-error-" in log.write_log(KeyError("x"))
    monkeypatch.setattr(sys, "argv", ["memjax", "sweep", "--out", "memory://bucket/run"])
    assert f"{cache}{os.sep}memjax-error-" in log.write_log(KeyError("x"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(log.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert "no folder was found" in log.write_log(KeyError("x"))


@pytest.mark.parametrize(
    ("urls", "address"),
    [
        (["Source, https://a.example/b", "Issues, https://a.example/b/issues"], " to https://a.example/b/issues"),
        (["Source, https://a.example/b"], " to https://a.example/b"),
        ([], ""),
        (None, ""),
    ],
)
def test_the_log_says_where_reports_go(urls, address, monkeypatch, tmp_path):
    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return urls

    def metadata(name: str) -> Metadata:
        if urls is None:
            raise PackageNotFoundError
        return Metadata()

    monkeypatch.setattr(log, "metadata", metadata)
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path))
    assert log.write_log(KeyError("x")).endswith(f"please report it with that file{address}")


def test_the_exit_codes_are_documented():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for code in (0, 1, 2, 3, 70, 130, 141, 143):
        for text in (HELP, page, leaving.__doc__ or ""):
            assert f" {code} " in text.replace("\n", " "), code


def shell(line: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = ["bash", "-c", f"set -o pipefail; {line.replace('memjax', f'{sys.executable} -m memjax', 1)}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, and a shell")
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("memjax encoders | true", 141, 0),
        ("memjax sweep --help | true", 141, 0),
        ("memjax --help | true", 141, 0),
        ("memjax encoders | head -1", 0, 0),
        ("memjax encoders > /dev/full", 2, 1),
        ("memjax sweep --help > /dev/full", 2, 1),
        ("memjax encoders >&-", 0, 0),
        ("memjax encoders 2>&- >&- <&-", 0, 0),
        ("PYTHONIOENCODING=ascii memjax encoders", 0, 0),
        ("memjax nothing", 2, 1),
    ],
)
def test_output_that_goes_nowhere_is_no_traceback(line, code, said):
    found, errors = shell(line)
    assert "Traceback" not in errors
    assert found in ((code, 141) if "head" in line else (code,)), errors
    assert errors.count("\n") == said, errors


def ended(program: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """A program of Python's in a process of its own, once it has ended."""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "MEMJAX_CACHE": str(cache)},
        cwd=ROOT,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "code"), [("raise OSError(28, 'No space left on device', 'x')", 2), ("raise KeyError(1)", 70)]
)
def test_threads_that_wait_for_each_other_hold_no_error_up(ends, code, tmp_path):
    """As those of a checkpoint that could not be written."""
    program = (
        "import threading, sys; from memjax.cli import leaving; leaving.PATIENCE = 1\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        f"def main():\n    {ends}\n"
        "leaving.run_main(main)"
    )
    done = ended(program, tmp_path)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1


def test_an_interruption_while_python_ends_leaves_the_result_as_it_is(tmp_path):
    """What is registered first runs last: the interruption comes when the program has left."""
    program = (
        "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "from memjax.cli import leaving\n"
        "leaving.run_main(lambda: print('done') or 1)"
    )
    done = ended(program, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "done\n", "")
