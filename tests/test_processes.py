"""One run of many processes: the numbers of a single one; a process that dies ends the others, and the run resumes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.machine import free_port
from memjax import processes
from memjax.checks import InputError
from memjax.cli.arguments import told
from memjax.store import open_features
from tests.command import exit_code

ROOT = Path(__file__).resolve().parents[1]
SMALL_CHUNKS = "import memjax.extract; memjax.extract.CHUNK = 8\n"
DIES = """
import os
from memjax.store import Writer
Writer.write = lambda *rest: os.kill(os.getpid(), 9)
"""
RUN = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
SWEEP = ["experiments/sweep_layers.py", "--limit", "37", "--batch-size", "4", "--bootstraps", "50", "--out"]


def start(out: Path, devices: int, *options: str, before: str = "") -> subprocess.Popen:
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-c", SMALL_CHUNKS + before + RUN, *SWEEP, str(out), *options]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def two(out: Path, *options: str, second: str = "") -> list[subprocess.Popen]:
    joined = ("--distributed", "--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2", *options)
    return [start(out, 2, *joined, "--process", str(i), before=second if i else "") for i in (0, 1)]


def end(process: subprocess.Popen) -> tuple[int, str]:
    try:
        output, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, output + errors


def results(out: Path) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    group = open_features(out)["memjax--tiny"]
    return {str(name): values.values for name, values in group.data_vars.items()}, pd.read_csv(out / "correlations.csv")


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    runs = {"2x2": two(tmp_path / "2x2")}
    for devices in (1, 4):
        runs[f"1x{devices}"] = [start(tmp_path / f"1x{devices}", devices)]
    for started in runs.values():
        for process in started:
            code, said = end(process)
            assert code == 0, said
    found = {name: results(tmp_path / name) for name in runs}
    features, table = found["1x1"]
    assert len(list((tmp_path / "2x2" / "progress" / "memjax--tiny").glob("*.json"))) == 5
    for name in ("2x2", "1x4"):
        for metric, wanted in features.items():
            np.testing.assert_allclose(found[name][0][metric], wanted, rtol=1e-6, atol=1e-7, err_msg=f"{name} {metric}")
        pd.testing.assert_frame_equal(found[name][1], table, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that kill a process")
def test_a_process_that_dies_ends_the_run_which_resumes(tmp_path):
    code, said = end(start(tmp_path / "unbroken", 2))
    assert code == 0, said
    first, second = two(tmp_path / "out", "--heartbeat", "10", second=DIES)
    assert end(second)[0] == -9
    code, said = end(first)
    assert code in (3, -6), said  # -6: jax's own watch over the processes may be faster than our line
    assert "heartbeat" in said
    assert "Task 1" in said or "\n1\n" in said
    done = {p.name for p in (tmp_path / "out" / "progress" / "memjax--tiny").glob("*.json")}
    assert done, "what process 0 had finished stays"
    assert len(done) < 5
    assert not (tmp_path / "out" / "run.json").exists()
    code, said = end(start(tmp_path / "out", 2))
    assert code == 0, said
    (features, table), (wanted, wanted_table) = results(tmp_path / "out"), results(tmp_path / "unbroken")
    for metric, values in wanted.items():
        np.testing.assert_array_equal(features[metric], values, err_msg=metric)
    pd.testing.assert_frame_equal(table, wanted_table)


def test_alone_there_is_nothing_to_wait_for():
    assert processes.this() == (0, 1)
    processes.wait_for_all("nobody")


def test_wrong_descriptions_of_processes_are_refused(monkeypatch, capsys):
    from experiments import sweep_layers

    with pytest.raises(InputError, match="coordinator, processes, process: give all three") as caught:
        processes.start("127.0.0.1:1", 2, None)
    assert told(caught.value).endswith("(--distributed)")
    with pytest.raises(InputError, match="expected 0 to 1, got 2") as caught:
        processes.start("127.0.0.1:1", 2, 2)
    assert told(caught.value).startswith("--process: ")
    assert exit_code(monkeypatch, sweep_layers, "--processes", "2") == 2
    assert "only with --distributed" in capsys.readouterr().err
