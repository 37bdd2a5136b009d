"""Starting: fresh processes of `benchmarks/probe.py` and of the command, with caches that are empty or filled.

The caches are memjax's own, of compiled programs, and Python's, of the bytecode of all packages (as it keeps it by default).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def import_seconds(repeats: int) -> float:
    """``import memjax`` in a fresh Python, the median; Python's own start is not counted."""
    code = "import time; s = time.perf_counter(); import memjax; print(time.perf_counter() - s)"
    found = [float(_python("-c", code)) for _ in range(repeats)]
    return float(np.median(found))


def encoder_start(source: str, batch: int, dtype: str, peers: bool) -> dict[str, dict[str, float]]:
    """Each side alone: memjax with an empty cache and again with what the first left there, and the PyTorch sides."""
    with tempfile.TemporaryDirectory() as cache:
        rows = {
            name: json.loads(_python("benchmarks/probe.py", "memjax", source, str(batch), dtype, cache=cache))
            for name in ("memjax, first start", "memjax, second start")
        }
    for side in ("forward", "vectorised") if peers else ():
        rows[f"torch {side}"] = json.loads(_python("benchmarks/probe.py", side, source, str(batch), dtype))
    return rows


def sweep_start(source: str | None) -> dict[str, float]:
    """Seconds from the command to its first measured images: with an empty cache, and with a filled one."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("first start", "second start"):
            started = time.time()
            told: dict[str, Any] = json.loads(
                _python("benchmarks/probe.py", "sweep", *([source] if source else []), cache=cache)
            )
            found[name] = told["measured_at"] - started
    return found


def whole_commands(repeats: int) -> dict[str, dict[str, float]]:
    """Of the demo, a command's help and a mistake in a command: processor seconds, and of the demo when its page is there.

    The first run of each fills the caches and is not counted; medians of the others.
    """
    commands = {"demo": ["sweep"], "help": ["sweep", "--help"], "mistake": ["sweep", "--dataset", "none of that name"]}
    with tempfile.TemporaryDirectory() as cache:
        return {name: whole_command(words, repeats, cache) for name, words in commands.items()}


def whole_command(words: list[str], repeats: int, cache: str) -> dict[str, float]:
    """Medians over fresh processes; the folder of results is new each time."""
    rows = []
    for place in range(repeats + 1):
        with tempfile.TemporaryDirectory() as out:
            ends = ["--out", out] if words == ["sweep"] else []
            before, begun = os.times(), time.time()
            subprocess.run(
                [sys.executable, "-m", "memjax", *words, *ends],
                capture_output=True,
                cwd=ROOT,
                env=_environment(cache),
                check=False,
            )
            after, page = os.times(), Path(out) / "report.html"
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            row = {"processor_s": spent, "seconds": time.time() - begun}
            rows += [row | ({"page_s": page.stat().st_mtime - begun} if page.is_file() else {})] * (place > 0)
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


def _environment(cache: str | None) -> dict[str, str]:
    """Of a fresh Python that keeps bytecode, and compiled programs, in ``cache``."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return env | ({"MEMJAX_CACHE": cache, "PYTHONPYCACHEPREFIX": f"{cache}/bytecode"} if cache else {})


def _python(*arguments: str, cache: str | None = None) -> str:
    """The last line that a fresh Python prints.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    env = _environment(cache)
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
