"""How long do the statistics of a store of millions of images take, and in how much memory? Made-up values, no encoder.

  python benchmarks/analysis.py                              3,000,000 images x 130 columns, on this machine
  python benchmarks/analysis.py --workers 2                  and again on a dask cluster of two local workers: the same table?
  python benchmarks/analysis.py --images 100000 --method pearson

The store is written by memjax's own writer, 65,536 images a chunk instead of 256, so that a variable is 46 files and not 11,700.
Each analysis is a process of its own, whose peak memory is printed: the store verified, correlations with intervals, readout,
and the images that the report page shows.
"""

import dataclasses
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchmarks import show
from benchmarks.machine import describe, peak_mib
from memjax.cli.arguments import read_arguments, run_main
from memjax.clusters import cluster
from memjax.measures import stored_measures
from memjax.report.gallery import gallery
from memjax.report.headline import best_row
from memjax.report.labels import Context
from memjax.stats.analysis import Analysis, AnalysisSettings, analyse
from memjax.store import STORE, Variable, open_features, open_writer, verify_group

GROUP = "made-up"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Size of the store, and who computes."""

    images: int = 3_000_000
    """Rows."""
    metrics: int = 10
    """Variables."""
    layers: int = 13
    """Of each variable."""
    chunk: int = 65_536
    """Images a chunk of the store."""
    method: Literal["spearman", "pearson", "kendall"] = "spearman"
    """Correlation coefficient."""
    folds: int = 5
    """Of the readout; 0 leaves it out."""
    workers: int = 0
    """Local dask workers that compute the same again."""
    folder: Path | None = None
    """Where the store lies or is made; by default a temporary folder."""
    part: Literal["all", "here", "cluster"] = "all"
    """Of the program: a process that analyses only is started as one."""


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    if args.part != "all":
        analyse_store(args)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        started = time.perf_counter()
        if not (folder / STORE).is_dir():
            make_store(folder, args)
            print(f"store of {args.images:,} images made in {time.perf_counter() - started:.0f} s", flush=True)
        show.machine(describe())
        sys.stdout.flush()
        for part in ("here", "cluster")[: 2 if args.workers else 1]:
            words = [f"--{name}={getattr(args, name)}" for name in ("method", "folds", "workers")]
            subprocess.run([sys.executable, __file__, *words, f"--folder={folder}", f"--part={part}"], check=True)
    return 0


def make_store(folder: Path, args: Arguments) -> None:
    """A store as a sweep leaves it: scores with ties, as hit rates have; measures that follow them weakly."""
    rng = np.random.default_rng(0)
    scores = rng.beta(8, 3, args.images).round(3)
    ids = pd.Index([f"photos/{i // 10_000:04d}/{i:08d}.jpg" for i in range(args.images)], name="image", dtype=str)
    table = pd.DataFrame({"memorability": scores}, index=ids)
    variables = {f"metric_{i}": Variable({"layer": args.layers}) for i in range(args.metrics)}
    writer = open_writer(folder, GROUP, table, variables, {"model": GROUP}, args.chunk)
    for chunk in range(writer.chunks):
        own = scores[writer.span(chunk), None].astype(np.float32)
        noise = {name: rng.standard_normal((len(own), args.layers), np.float32) for name in variables}
        slopes = np.linspace(-0.5, 0.5, args.layers, dtype=np.float32)
        writer.write(chunk, {name: values + slopes * own for name, values in noise.items()}, [])


def analyse_store(args: Arguments) -> None:
    """Analyse what lies in the folder, and print what it took."""
    assert args.folder is not None
    started = time.perf_counter()
    verify_group(args.folder, GROUP)
    verified = time.perf_counter() - started
    if args.part == "here":
        found = with_page(args)
        peaks = {"peak": peak_mib()}
    else:
        from distributed import LocalCluster

        with LocalCluster(args.workers, threads_per_worker=1, dashboard_address=None, memory_limit=None) as local:
            with cluster(local.scheduler_address, args.folder / STORE):
                found = with_page(args)
            peaks = {"peak of the client": peak_mib()} | worker_peaks(local.scheduler_address)
    seconds = time.perf_counter() - started
    where = "this process" if args.part == "here" else f"a dask cluster of {args.workers} local workers"
    digest = hashlib.sha256(found.table.to_csv().encode()).hexdigest()[:16]
    print(f"{where}: {seconds:.0f} s, of which {verified:.0f} s to verify the store")
    print(", ".join(f"{name} {mib:,.0f} MiB" for name, mib in peaks.items()))
    print(f"table of {len(found.table)} rows, largest n {found.table['n'].max():,}: SHA-256 {digest}")
    if found.readouts is not None:
        row = found.readouts.iloc[-1]
        print(f"readout: rho {row['rho']:.4f} [{row['ci_low']:.4f}, {row['ci_high']:.4f}] of {row['n']:,} images")
    sys.stdout.flush()


def with_page(args: Arguments) -> Analysis:
    """The analysis, and what the page reads besides."""
    assert args.folder is not None
    features = open_features(args.folder)
    measures, scores = stored_measures(features)
    found = analyse(measures, scores, settings=AnalysisSettings(method=args.method, folds=args.folds))
    best = best_row(found.table)
    if best is not None:
        gallery(features, best, None, Context(args.method))
    return found


def worker_peaks(address: str) -> dict[str, float]:
    """Name -> peak memory of each worker, in MiB."""
    from distributed import Client

    with Client(address) as client:
        found = client.run(peak_mib)
    return {f"worker {i}": mib for i, mib in enumerate(found.values(), start=1)}


if __name__ == "__main__":
    run_main(main)
