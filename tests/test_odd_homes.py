"""Machines that are not as a desktop is: no home, a user without an entry, no room for temporary files, plain terminals."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memjax import cache
from memjax.cache import cache_dir

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MEMJAX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    cache._among_temporary_files.cache_clear()
    yield
    cache._among_temporary_files.cache_clear()


def temporary(tmp_path: Path) -> Path:
    return tmp_path / "tmp" / f"memjax-cache-{os.getuid()}"


def test_the_cache_is_where_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "memjax"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "memjax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "memjax"
    monkeypatch.setenv("MEMJAX_CACHE", "~/mine")
    assert cache_dir() == tmp_path / "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="homes of POSIX")
def test_without_a_home_it_is_among_the_temporary_files(monkeypatch, tmp_path):
    def no_entry(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    (tmp_path / "file").write_text("")
    for home in (str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        monkeypatch.setenv("HOME", home)
        assert cache_dir() == temporary(tmp_path)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "expanduser", no_entry)
    found = cache_dir()
    assert found == temporary(tmp_path)
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_a_folder_that_others_may_write_or_made_is_not_trusted(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    temporary(tmp_path).mkdir(mode=0o777)
    temporary(tmp_path).chmod(0o777)
    monkeypatch.setattr(cache.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "fresh"))
    assert cache_dir() == tmp_path / "fresh"
    cache._among_temporary_files.cache_clear()
    temporary(tmp_path).rmdir()
    temporary(tmp_path).symlink_to(tmp_path)
    assert cache_dir() == tmp_path / "fresh"


def no_home(environment: dict[str, str], folder: Path) -> None:
    environment.pop("HOME", None)


def home_is_a_file(environment: dict[str, str], folder: Path) -> None:
    (folder / "file").write_text("")
    environment["HOME"] = environment["XDG_CACHE_HOME"] = str(folder / "file")


def no_temporary_folder(environment: dict[str, str], folder: Path) -> None:
    environment["TMPDIR"] = str(folder / "nothing")


def plain_terminal(environment: dict[str, str], folder: Path) -> None:
    environment |= {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "TERM": "dumb"}
    environment["PYTHONUTF8"] = "0"


def cache_cannot_be_written(environment: dict[str, str], folder: Path) -> None:
    (folder / "file").write_text("")
    environment["MEMJAX_CACHE"] = str(folder / "file" / "cache")


HOMES: list[tuple[Callable[[dict[str, str], Path], None], int]] = [
    (no_home, 0),
    (home_is_a_file, 0),
    (no_temporary_folder, 0),
    (plain_terminal, 0),
    (cache_cannot_be_written, 2),
]


def run(folder: Path, environment: dict[str, str], before: str = "", python: str = "") -> subprocess.CompletedProcess:
    program = f"{sys.executable} {python} -m memjax sweep --limit 8 --bootstraps 5 --out {folder / 'out'}"
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        ["bash", "-c", f"{before} exec {program}"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a shell, and the rights of Linux")
@pytest.mark.parametrize(("change", "code"), HOMES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_in_an_odd_home_works_or_is_one_line(change, code, tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1"}
    change(environment, tmp_path)
    done = run(tmp_path, environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert code == 0 or done.stderr.count("\n") == 1, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root may become a user without an entry")
def test_a_user_without_an_entry(tmp_path):
    """As ``docker run --user 12345`` makes one."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            pytest.skip(f"{parent} can't be entered by others")
    become = "import os, runpy, sys; os.setgid(12345); os.setuid(12345); sys.argv[0] = 'memjax'"
    become += "; runpy.run_module('memjax', run_name='__main__')"
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["sweep", "--limit", "8", "--bootstraps", "5", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", become, *options]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr or "Permission denied: '/root" in done.stderr:
        pytest.skip("the interpreter's own files can't be read by others")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a shell, and the rights of Linux")
def test_optimised_python_and_a_folder_that_is_gone(tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1", "MEMJAX_CACHE": str(tmp_path / "cache")}
    done = run(tmp_path, environment, python="-O")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "zarr does not work without assertions" in done.stderr
    (tmp_path / "gone").mkdir()
    done = run(tmp_path, environment, before="cd gone; rmdir ../gone;")
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or done.stderr.count("\n") == 1, done.stderr
