"""Starting: fresh processes of `benchmarks/probe.py`, with caches that are empty (first start) or filled (second start).

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


def _python(*arguments: str, cache: str | None = None) -> str:
    """The last line that a fresh Python prints.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if cache:
        env |= {"MEMJAX_CACHE": cache, "PYTHONPYCACHEPREFIX": f"{cache}/bytecode"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
