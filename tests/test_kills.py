"""Twenty SIGKILLs at random moments of one run on real images: nothing lost, nothing done twice, the same bytes."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KILLS, IMAGES, CHUNK = 20, 400, 8
CHILD = f"""
import sys
from pathlib import Path
from memjax import devices
devices.use_cores()
devices.use_cache()
import memjax, memjax.extract
from memjax.extract import Plan, Selection
from memjax.storage import locked
from memjax.store import Writer

data, model, out = map(Path, sys.argv[1:])
memjax.extract.CHUNK = {CHUNK}
whole = Writer.write

def write(self, chunk, *rest):
    with (out.parent / f"{{out.name}}.log").open("a", buffering=1) as log:
        log.write(f"begin {{chunk}}\\n")
        whole(self, chunk, *rest)
        log.write(f"end {{chunk}}\\n")

Writer.write = write
dataset, encoder = memjax.open_dataset("lnsim", data, limit={IMAGES}), memjax.load(str(model))
with locked(out):
    memjax.extract.extract(dataset, encoder, out, Plan(selection=Selection(tokens=("cls",))))
"""


def tree(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.slow
def test_twenty_kills_leave_the_bytes_of_an_unbroken_run(lnsim_dir, dinov2_dir, tmp_path):
    out, chance, killed = tmp_path / "killed", random.Random(20), 0

    def child(folder: Path) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", CHILD, str(lnsim_dir), str(dinov2_dir), str(folder)], cwd=ROOT)

    def done() -> int:
        return len(list((out / "progress").glob("*/*.json")))

    while killed < KILLS:
        process, before, wanted = child(out), done(), chance.choice((0, 1, 1, 2, 2))
        while process.poll() is None and done() < before + wanted:
            time.sleep(0.02)
        time.sleep(chance.random() * (5 if wanted == 0 else 1))
        assert process.poll() is None, f"it ended after {killed} kills, with {done()} chunks"
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    assert 5 < done() < IMAGES // CHUNK, "the kills fell inside the run"
    assert child(out).wait(timeout=900) == 0
    assert child(tmp_path / "unbroken").wait(timeout=900) == 0
    assert tree(out) == tree(tmp_path / "unbroken")
    lines = (tmp_path / "killed.log").read_text().splitlines()
    ends = {line.split()[1]: i for i, line in enumerate(lines) if line.startswith("end")}
    begun = Counter(line for line in lines if line.startswith("begin"))
    assert set(begun) == {f"begin {chunk}" for chunk in range(IMAGES // CHUNK)}
    for i, line in enumerate(lines):
        what, chunk = line.split()
        assert what == "end" or i <= ends.get(chunk, i), f"chunk {chunk} was done again"
