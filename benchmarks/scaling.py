"""Do time per image and memory stay the same as the data grow? Generated JPEGs, made when they are read; no files.

  python benchmarks/scaling.py                                        1,000, 2,000 and 4,000 images; devices, processes 1 and 2
  python benchmarks/scaling.py --images 2000 20000 --devices 2        the two sizes of the claim on memory
  python benchmarks/scaling.py --images 1000 10000 100000

Each run is a fresh process, or several joined by `jax.distributed`, that goes the whole way: records, decoding in threads, the
packaged tiny encoder, all metrics, the feature store. Only as many devices and processes are combined as there are cores. The
peak memory is that of the largest process; the time per image leaves out the first batches (start, compilation). Sizes take
turns in ``--repeats`` rounds; reported are medians. Ratios are to the smallest size on as many processes and devices.
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

from benchmarks import machine, show
from memjax import devices, processes
from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Sizes of the runs."""

    images: tuple[int, ...] = (1000, 2000, 4000)
    """Images of each run."""
    devices: tuple[int, ...] = ()
    """Numbers of host devices of a process; by default 1 and one a core."""
    processes: tuple[int, ...] = ()
    """Numbers of processes, with as many chunks at once; by default 1 and one a core."""
    width: int = 96
    """Width of an image, in pixels; it is three quarters as high."""
    repeats: int = 1
    """Rounds."""
    json: Path | None = None
    """Write every run's figures here."""
    one_run: Path | None = None
    """Be one process of one run, with the first of each number, write the store here and print the figures as JSON."""
    coordinator: str | None = None
    """With --one-run, where there are several processes: host:port of process 0."""
    process: int = 0
    """With --one-run: which one this is."""


@dataclasses.dataclass(frozen=True, order=True)
class Run:
    """What is run."""

    processes: int
    devices: int
    images: int


def one_run(args: Arguments, run: Run, out: Path) -> dict[str, float]:
    """This process's part of an extraction: seconds, seconds an image after the first chunk of progress, peak MiB."""
    if run.processes > 1:
        processes.start(args.coordinator, run.processes, args.process)
    devices.use_cores(run.devices)
    import memjax
    from benchmarks.generated_images import generated
    from memjax.extract import extract

    encoder, dataset = memjax.load("memjax/tiny"), generated(run.images, args.width, args.width * 3 // 4)
    marks: list[tuple[int, float, float]] = []
    done = 0

    def progress(added: int) -> None:
        nonlocal done
        done += added
        marks.append((done, time.perf_counter(), time.process_time()))

    started = time.perf_counter()
    failures = extract(dataset, encoder, out, progress=progress)
    assert not failures, "generated images are whole"
    seconds = time.perf_counter() - started
    processes.part()
    last = marks[-1]  # of several processes, progress comes in chunks: in a small run the first may be the last
    warm = next((mark for mark in marks if min(256, run.images // 4) <= mark[0] < last[0]), marks[0])
    images = max(last[0] - warm[0], 1)
    return {
        "seconds": seconds,
        "ms_a_image": (last[1] - warm[1]) / images * 1e3,
        "cpu_ms_a_image": (last[2] - warm[2]) / images * 1e3,
        "peak_mib": machine.peak_mib(),
    }


def in_processes(run: Run, width: int) -> dict[str, float]:
    """`one_run` in fresh processes: times of the first, processor time of all, memory of the largest.

    Raises:
        RuntimeError: one failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as out:
        address = f"127.0.0.1:{machine.free_port()}"
        numbers = {"images": run.images, "devices": run.devices, "processes": run.processes, "width": width}
        command = [sys.executable, __file__, "--one-run", out, "--coordinator", address]
        command += [str(word) for name, value in numbers.items() for word in (f"--{name}", value)]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        started = [subprocess.Popen([*command, "--process", str(i)], **pipes) for i in range(run.processes)]
        said = [process.communicate() for process in started]
    for process, (_, errors) in zip(started, said, strict=True):
        if process.returncode:
            raise RuntimeError(f"{run}: exit code {process.returncode}\n{errors[-2000:]}")
    found = [json.loads(output.strip().splitlines()[-1]) for output, _ in said]
    return found[0] | {
        "cpu_ms_a_image": sum(one["cpu_ms_a_image"] for one in found),
        "peak_mib": max(one["peak_mib"] for one in found),
    }


def show_runs(rows: dict[Run, dict[str, float]]) -> None:
    """One row a run; ratios to the smallest size on as many processes and devices."""
    columns = ("images", "processes", "devices", "ms/image", "cpu-ms/image", "peak MiB", "time", "memory")
    print("".join(f"{name:>15}" for name in columns))
    for run, row in sorted(rows.items()):
        base = rows[min(r for r in rows if (r.processes, r.devices) == (run.processes, run.devices))]
        line = f"{run.images:>15}{run.processes:>15}{run.devices:>15}"
        line += f"{row['ms_a_image']:>15.3f}{row['cpu_ms_a_image']:>15.3f}{row['peak_mib']:>15.0f}"
        print(line + "".join(f"{row[key] / base[key]:>14.3f}x" for key in ("ms_a_image", "peak_mib")))


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    cores = machine.cores()
    up_to_cores = tuple(dict.fromkeys((1, cores)))
    counts, joined = args.devices or up_to_cores, args.processes or up_to_cores
    if min(*args.images, *counts, *joined, args.width, args.repeats) < 1:
        raise expected("sizes", "1 or more", "less")
    wanted = [Run(p, d, n) for p in joined for d in counts for n in args.images if p * d <= cores]
    if not wanted:
        raise expected("processes times devices", f"at most {cores}, the cores of this machine", "more")
    if args.one_run is not None:
        print(json.dumps(one_run(args, wanted[0], args.one_run)))
        return 0
    about = machine.describe()
    show.machine(about)
    runs: dict[Run, list[dict[str, float]]] = {}
    for run in wanted * args.repeats:
        runs.setdefault(run, []).append(in_processes(run, args.width))
    rows = {run: {name: float(np.median([r[name] for r in found])) for name in found[0]} for run, found in runs.items()}
    show_runs(rows)
    if args.json:
        made = {"machine": about, "runs": [dataclasses.asdict(run) | row for run, row in rows.items()]}
        args.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_main(main)
