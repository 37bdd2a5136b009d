"""Which layer of which encoder tells how memorable a picture is?

Runs pictures with human scores through pretrained vision encoders, measures every layer, correlates each measure with
the scores, and writes a table, figures and a report. Without arguments it runs the embedded demo (synthetic stimuli, a
tiny encoder) offline in about a minute.

  python experiments/sweep_layers.py
  python experiments/sweep_layers.py --dataset lnsim --data-dir DIR --models facebook/dinov2-small --out runs/lnsim
  python experiments/sweep_layers.py --images photos/ --scores scores.csv --models openai/clip-vit-base-patch32

On a TPU pod or under SLURM the same command on every host, with --distributed (docs/scaling.md). --out may be gs://.. or s3://..

The same command again resumes; a finished run is recognised at once. Exit codes: 0 done; 1 done, but some images could
not be used (see failures.csv); 2 wrong input, with one line that says what to do; 3 another process of the run has died.
"""

import dataclasses
import hashlib
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from memjax import devices
from memjax.checks import InputError, check_folder, expected, make_folder
from memjax.cli.arguments import FolderOrUrl, read_arguments, run_main


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to run, on what, and where the results go."""

    dataset: str | None = None
    """A data set by name (demo, lnsim, memcat, ...); the default is the synthetic demo."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    images: Path | None = None
    """A folder of your own pictures, instead of --dataset."""
    scores: Path | None = None
    """With --images: a CSV file with columns image,memorability[,category]."""
    models: tuple[str, ...] = ("memjax/tiny",)
    """Encoders: hub ids (owner/name, optionally @revision), local Hugging Face folders, or memjax/tiny."""
    protocol: Literal["native", "paper"] = "native"
    """How encoders without a cls token (SigLIP) are read; paper: token 0 as if it were one, as the authors' scripts."""
    limit: int | None = None
    """Only the first so many images."""
    batch_size: int | None = None
    """Pictures a batch over all devices; the default is what fits in memory, on a CPU about 1,000 tokens a core."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Compute type; norms, softmax and metrics stay in float32."""
    method: Literal["spearman", "pearson", "kendall"] = "spearman"
    """Correlation coefficient."""
    tokens: tuple[Literal["cls", "mean"], ...] = ()
    """Token vectors to keep in the store too, for experiments/train_saes.py."""
    patch_layers: tuple[int, ...] = ()
    """Layers at which every patch's vector is kept too, for the same (large: images x patches x width x 4 bytes a layer)."""
    bootstraps: int = 2000
    """Bootstrap resamples behind each 95 % interval."""
    seed: int = 0
    """Of the resamples."""
    workers: int = 0
    """Processes that decode pictures; 0 uses threads."""
    profile: Path | None = None
    """Write a trace of the extraction here (jax.profiler; for xprof or Perfetto). With --limit: it grows with the pictures."""
    download: bool = False
    """Fetch the data set's files first, where that is possible (lnsim)."""
    distributed: bool = False
    """One run of many processes: SLURM, Open MPI and TPU pods say which; else give the next three. They share --out."""
    coordinator: str | None = None
    """With --distributed: host:port of process 0."""
    processes: int | None = None
    """With --distributed: how many."""
    process: int | None = None
    """With --distributed: which one this is, from 0."""
    heartbeat: int = 30
    """With --distributed: seconds without a sign of life after which a process counts as dead, and the run ends."""
    out: FolderOrUrl = Path("runs/sweep")
    """Where the results go."""


def open_data(args: Arguments) -> Any:
    """The data set that the arguments name."""
    from memjax.datasets import open_dataset, open_folder

    if args.images is not None:
        if args.dataset is not None:
            raise expected("--dataset with --images", "one of them", "both", "leave one out")
        if args.scores is None:
            raise expected("--scores", "a CSV file with columns image,memorability", "nothing", "add --scores FILE.csv")
        return open_folder(check_folder(args.images, "--images"), args.scores, args.limit)
    if args.scores is not None:
        raise expected("--scores without --images", "both", "one", "add --images DIR")
    return open_dataset(args.dataset or "demo", args.data_dir, args.limit, args.download)


HOW = ("out", "workers", "profile", "download", "distributed", "coordinator", "processes", "process", "heartbeat")
"""Arguments that say how a run is done, and leave its results as they are."""


def fingerprint(args: Arguments, dataset: Any, names: list[dict[str, Any]]) -> str:
    """What identifies a run: arguments that change the results, the data, the encoders' weights, the version."""
    from memjax import __version__

    settings = {k: v for k, v in dataclasses.asdict(args).items() if k not in HOW}
    parts = [settings, dataset.info["fingerprint"], names, __version__]
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()


def measure(args: Arguments, dataset: Any, encoders: list[Any], shown: bool) -> tuple[list[Any], float]:
    """Extract, with a progress bar where ``shown``; the failures of all encoders, and seconds spent."""
    from experiments.terminal import extraction_bar
    from memjax.extract import Plan, Selection, extract

    selection = Selection(tokens=args.tokens, patch_layers=args.patch_layers)
    plan = Plan(args.protocol, args.batch_size, selection, args.workers)
    failures, started = list(dataset.rejected), time.perf_counter()
    with devices.profiled(args.profile and make_folder(args.profile, "--profile")):
        for encoder in encoders:
            with extraction_bar(encoder.label, len(dataset)) if shown else nullcontext() as advance:
                failures += extract(dataset, encoder, args.out, plan, advance)
    return list(dict.fromkeys(failures)), time.perf_counter() - started


def conclude(
    args: Arguments, dataset: Any, encoders: list[Any], failures: list[Any], seconds: float, run_id: str
) -> None:
    """The statistics and everything that is written of them, by one process, once the store is whole."""
    from experiments import sweep_report, sweep_state, terminal
    from memjax.correlations import correlation_table
    from memjax.storage import staged
    from memjax.store import open_features

    labels = [e.label for e in encoders]
    with staged(args.out, last="run.json") as folder:
        sweep_state.write_failures(folder, failures)
        if len({f.image for f in failures} & set(dataset.table.index)) == len(dataset):
            raise InputError(f"none of {len(dataset)} pictures could be used; {args.out / 'failures.csv'} says why")
        stored = open_features(args.out)
        features = {group.attrs["model"]: group for group in stored.values() if group.attrs["model"] in labels}
        table = correlation_table(features, args.method, args.bootstraps, args.seed)
        run = sweep_report.provenance(args, dataset, encoders, run_id, failures, seconds, stored)
        sweep_report.write(folder, run, table, features, failures, dataset, encoders)
    terminal.show_summary(args.out, table, run)


def sweep(args: Arguments) -> int:
    """One process's part of the run; the exit code."""
    import memjax
    from experiments import sweep_state, terminal
    from memjax import processes
    from memjax.storage import locked

    first = processes.this()[0] == 0
    dataset = open_data(args)
    encoders = [memjax.load(name, args.dtype) for name in args.models]
    labels = [e.label for e in encoders]
    if len(set(labels)) < len(labels):
        raise expected("--models", "encoders of different names", ", ".join(labels))
    run_id = fingerprint(args, dataset, [{"name": e.label, "checksum": e.checksum} for e in encoders])
    with locked(args.out) if first else nullcontext():
        finished = sweep_state.finished(args.out, run_id)
        processes.wait_for_all("start")
        if finished is not None:
            return terminal.show_finished(args.out, finished) if first else int(finished["failures"] > 0)
        failures, seconds = measure(args, dataset, encoders, shown=first)
        if first:
            conclude(args, dataset, encoders, failures, seconds, run_id)
    return 1 if failures else 0


def main() -> int:
    """Run the sweep; the exit code."""
    args = read_arguments(Arguments, __doc__ or "")
    from memjax import processes

    if args.bootstraps < 1:
        raise expected("--bootstraps", "a positive number", args.bootstraps)
    if args.distributed:  # before anything touches the devices
        processes.start(args.coordinator, args.processes, args.process, args.heartbeat)
    elif (args.coordinator, args.processes, args.process) != (None, None, None):
        raise InputError("--coordinator, --processes, --process: only with --distributed")
    devices.use_cores()
    devices.use_cache()
    try:
        return sweep(args)
    except processes.ProcessLostError as error:
        print(f"error: {error}; the same command again, on all hosts, resumes", file=sys.stderr, flush=True)
        return processes.leave_at_once(3)


if __name__ == "__main__":
    run_main(main)
