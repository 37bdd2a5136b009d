"""A disk that is full, read-only or broken, at any operation of any study: one line, code 2; with room the same command goes on.

The faults are injected at the system's own calls (disk_faults.c), so that what is written by C++ is met too.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STUDIES = {"sweep": 54, "drawn": 10, "saes": 14, "baselines": 14, "copy": 14}
"""Study -> how many of its operations fail, one after the other."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are injected by a preloaded library: Linux, and a C compiler")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    source = ROOT / "tests" / "disk_faults.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", made, source, "-ldl", "-lpthread"], check=True)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_every_operation_that_fails_is_one_line(study, library, tmp_path):
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "PYTHONPATH": str(ROOT),
        "MEMJAX_CACHE": str(tmp_path / "cache"),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "tests.disk_faults", library, str(STUDIES[study]), study]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) >= 0.7 * STUDIES[study]
    for fault in found:
        assert fault["again"] == "same", fault
        if fault["code"] == 0:  # the library that met it found another way, to the same result
            assert fault["said"] == "", fault
        else:
            assert fault["code"] == 2, fault
            assert fault["said"].count("\n") == 1, fault
            assert fault["said"].startswith("error: "), fault
    assert sum(fault["code"] == 2 for fault in found) > 0.8 * len(found)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_limit_on_the_size_of_files_is_one_line(tmp_path):
    line = f"ulimit -f 8; exec {sys.executable} -m memjax sweep --limit 10 --bootstraps 5 --out {tmp_path / 'out'}"
    environment = {
        **os.environ,
        "MEMJAX_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",  # else compiled files that others import would be cut short
    }
    done = subprocess.run(["bash", "-c", line], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "ulimit -f" in done.stderr


@pytest.mark.parametrize("module", ["memjax/axes", "rich/console", "numpy/version"])
def test_a_compiled_file_that_was_cut_short_is_named(module, tmp_path):
    """Python itself leaves such files where the disk was full while it imported, and then fails at every start."""
    command = [
        sys.executable,
        "-c",
        f"from memjax.cli.leaving import run_main; run_main(lambda: __import__('{module.replace('/', '.')}'))",
    ]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=environment, check=False, capture_output=True)
    [compiled] = tmp_path.rglob(f"{module}.cpython-*.pyc")
    compiled.write_bytes(compiled.read_bytes()[:-200])
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"error: {compiled}: a compiled file of Python was cut short"), done.stderr
    assert "delete it" in done.stderr
