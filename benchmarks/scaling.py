"""Do time per picture and memory stay the same as the data grow? Generated JPEGs, made when they are read; no files.

  python benchmarks/scaling.py                                        1,000, 2,000 and 4,000 pictures, 1 and 2 devices
  python benchmarks/scaling.py --images 2000 20000 --devices 2        the two sizes of the claim on memory
  python benchmarks/scaling.py --images 1000 10000 100000

Each run is a fresh process that goes the whole way: records, decoding in threads, the packaged tiny encoder, all metrics, the
feature store. Its peak memory is its own; the time per picture leaves out the first batches (start, compilation). Sizes take
turns in ``--repeats`` rounds; reported are medians. Ratios are to the smallest size on the same number of devices.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent  # left out below: its statistics.py would hide Python's own
sys.path[:] = [str(HERE.parent), *(p for p in sys.path if Path(p).resolve() != HERE)]

from benchmarks import machine
from experiments.cli import read_arguments
from memjax import devices
from memjax.checks import expected, run_main

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Sizes of the runs."""

    images: tuple[int, ...] = (1000, 2000, 4000)
    """Pictures of each run."""
    devices: tuple[int, ...] = ()
    """Numbers of host devices; by default 1 and one a core."""
    width: int = 96
    """Width of a picture, in pixels; it is three quarters as high."""
    repeats: int = 1
    """Rounds."""
    json: Path | None = None
    """Write every run's figures here."""
    one_run: bool = False
    """Do the first size on the first number of devices in this process, and print its figures as JSON."""


def one_run(images: int, count: int, width: int) -> dict[str, float]:
    """A whole extraction in this process: seconds, seconds a picture after the first chunk of progress, peak MiB."""
    devices.use_cores(count)
    import memjax
    from benchmarks.pictures import generated
    from memjax.extract import extract

    encoder, dataset = memjax.load("memjax/tiny"), generated(images, width, width * 3 // 4)
    marks: list[tuple[int, float, float]] = []
    done = 0

    def progress(added: int) -> None:
        nonlocal done
        done += added
        marks.append((done, time.perf_counter(), time.process_time()))

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        failures = extract(dataset, encoder, Path(out), progress=progress)
    assert not failures, "generated pictures are whole"
    seconds = time.perf_counter() - started
    warm = next(mark for mark in marks if mark[0] >= min(256, images // 4) and mark[0])
    last, pictures = marks[-1], max(marks[-1][0] - warm[0], 1)
    return {
        "seconds": seconds,
        "ms_a_picture": (last[1] - warm[1]) / pictures * 1e3,
        "cpu_ms_a_picture": (last[2] - warm[2]) / pictures * 1e3,
        "peak_mib": machine.peak_mib(),
    }


def in_a_process(images: int, count: int, width: int) -> dict[str, float]:
    """`one_run` in a fresh process.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    command = [sys.executable, __file__, "--one-run", "--images", images, "--devices", count, "--width", width]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{images} pictures on {count} devices: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def show(rows: dict[tuple[int, int], dict[str, float]]) -> None:
    """One row a run; ratios to the smallest size on as many devices."""
    columns = ("images", "devices", "ms/picture", "cpu-ms/picture", "peak MiB", "time", "memory")
    print("".join(f"{name:>15}" for name in columns))
    for (count, images), row in sorted(rows.items()):
        base = rows[count, min(size for held, size in rows if held == count)]
        line = f"{images:>15}{count:>15}{row['ms_a_picture']:>15.3f}{row['cpu_ms_a_picture']:>15.3f}{row['peak_mib']:>15.0f}"
        print(line + "".join(f"{row[key] / base[key]:>14.3f}x" for key in ("ms_a_picture", "peak_mib")))


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    counts = args.devices or tuple(dict.fromkeys((1, machine.cores())))
    if min(*args.images, *counts, args.width, args.repeats) < 1:
        raise expected("sizes", "1 or more", "less")
    if args.one_run:
        print(json.dumps(one_run(args.images[0], counts[0], args.width)))
        return 0
    about = machine.describe()
    print("; ".join(f"{key} {value}" for key, value in about.items()))
    runs: dict[tuple[int, int], list[dict[str, float]]] = {}
    for _ in range(args.repeats):
        for count in counts:
            for images in args.images:
                runs.setdefault((count, images), []).append(in_a_process(images, count, args.width))
    rows = {key: {name: float(np.median([r[name] for r in found])) for name in found[0]} for key, found in runs.items()}
    show(rows)
    if args.json:
        made: dict[str, Any] = {
            "machine": about,
            "runs": [{"devices": c, "images": n, **r} for (c, n), r in rows.items()],
        }
        args.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_main(main)
