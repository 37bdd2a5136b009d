"""Ctrl-C and SIGTERM at any moment: one line, the right exit code, no traceback, no process left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
AT_IMPORT = """
import os, runpy, signal, sys
module, *sys.argv = sys.argv[1:]

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

import memjax.cli.main
sys.meta_path.insert(0, Interrupting())
runpy.run_path(sys.argv[0], run_name="__main__")
"""
IN_A_CALLBACK = """
import os, signal, sys, time
from memjax.cli.leaving import run_main

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        for _ in range(100):
            pass

def main():
    Dropped()
    time.sleep(60)
    return 0

run_main(main)
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]


def start(*command: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("door", "module"),
    [
        ("memjax/__main__.py", "memjax.cli.leaving"),
        ("memjax/__main__.py", "tyro"),
        ("memjax/__main__.py", "jax"),
        ("memjax/__main__.py", "grain"),
        ("experiments/sweep_layers.py", "memjax.cli.leaving"),
        ("experiments/sweep_layers.py", "fsspec"),
        ("experiments/sweep_layers.py", "memjax.pipelines.sweep"),
        ("experiments/sweep_layers.py", "matplotlib"),
    ],
)
def test_an_import_is_interrupted_in_one_line(door, module, tmp_path):
    command = ["sweep"] if "main" in door else []
    options = ["--limit", 8, "--bootstraps", 20, "--out", tmp_path]
    process = start("-c", AT_IMPORT, module, door, *command, *options)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors in ("interrupted\n", "interrupted: the same command again resumes\n")


def test_the_first_moment_of_a_longer_door():
    process = start("-c", AT_IMPORT, "optax", "experiments/pretrain_tiny.py")
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "interrupted\n")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interruption_that_falls_into_a_callback_is_not_lost(name, code):
    process = start("-c", IN_A_CALLBACK, name)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert errors.count("\n") == 1


def workers(process: subprocess.Popen) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if any("spawn_main" in word for word in child.cmdline())]


@pytest.mark.parametrize(
    ("name", "to_all", "later", "code"),
    [("SIGINT", True, 0, 130), ("SIGINT", True, 4, 130), ("SIGTERM", False, 1, 143), ("SIGKILL", False, 4, -9)],
)
def test_workers_end_with_their_run(name, to_all, later, code, tmp_path):
    options = ["--limit", 256, "--workers", 2, "--batch-size", 2, "--bootstraps", 10, "--out", tmp_path]
    process = start("-m", "memjax", "sweep", *options)
    while process.poll() is None and len(workers(process)) < 2:
        time.sleep(0.05)
    time.sleep(later)
    left = workers(process)
    (os.killpg if to_all else os.kill)(process.pid, getattr(signal, name))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert code < 0 or errors.count("\n") == 1, errors
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]
