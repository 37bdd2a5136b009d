"""Which layer of which encoder tells how memorable an image is?

Runs images with human scores through pretrained vision encoders, measures every layer, correlates each measure with
the scores, and writes a table, figures and a report. Without arguments it runs the embedded demo (synthetic stimuli, a
tiny encoder) offline in about a minute.

  memjax sweep
  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --out runs/lnsim
  memjax sweep --images photos/ --scores scores.csv --models openai/clip-vit-base-patch32
  memjax sweep --images photos/ --scores scores.csv --groups category --predictions resmem.csv --lowlevel       with controls
  memjax sweep --images 'gs://bucket/train-{000..127}.tar' --scores scores.csv --out gs://bucket/run

On a TPU pod or under SLURM the same command on every host, with --distributed (docs/scaling.md). --out may be gs://.. or s3://..

The same command again resumes; a finished run is recognised at once. Exit codes: 0 done; 1 done, but some images could
not be used (see failures.csv; that only a part of a published data set is there is no failure); 2 wrong input, or something
that the machine refuses, with one line that says what to do; 3 another process of the run has ended. `memjax --help` has all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.checks import InputError, expected, make_folder
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.own_images import open_named_images
from memjax.model_names import check_model_name
from memjax.pipelines.settings import SweepSettings
from memjax.progress import stage_of
from memjax.schema import check_bounds

if TYPE_CHECKING:
    from memjax.datasets import Dataset


@dataclass(frozen=True)
class Arguments:
    """What to run, on what, and where the results go."""

    settings: OmitArgPrefixes[SweepSettings]
    dataset: str | None = None
    """A data set by name (demo, lnsim, memcat, ...); the default is the synthetic demo."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    images: str | None = None
    """Your own images, instead of --dataset: a folder; or shards, *.tar (WebDataset) or *.parquet (Hugging Face): a folder of
    them, a URL, or a pattern such as gs://bucket/train-{000000..000127}.tar."""
    scores: Path | None = None
    """With --images: a CSV file or Excel workbook with columns image,memorability[,category]."""
    score_column: str | None = None
    """With --images, instead of --scores: where the scores are inside the shards: a column; KEY.NAME, or a field of KEY.json."""
    follow_links: bool = False
    """Use images that are symbolic links out of their folder too (git-annex, DVC, caches); else those are refused."""
    features_only: bool = False
    """With --images and no --scores: measure, and correlate with nothing."""
    models: tuple[str, ...] = ("memjax/tiny",)
    """Encoders: hub ids (owner/name, optionally @revision), local Hugging Face folders, or memjax/tiny; memjax/random:ID
    is the architecture of ID without training (memjax/random:ID#3: another seed)."""
    limit: int | None = None
    """Only the first so many images."""
    profile: Path | None = None
    """Write a trace of the extraction here (jax.profiler; for xprof or Perfetto). With --limit: it grows with the images."""
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
    scheduler: str | None = None
    """Address of a dask scheduler (host:port) whose workers do the statistics, for stores that one machine is too slow for."""
    out: FolderOrUrl = Path("runs/sweep")
    """Where the results go."""

    def __post_init__(self) -> None:
        check_bounds(self, {"heartbeat": (1, 86_400), "processes": (1, 2**16), "process": (0, 2**16 - 1)})


GROUPS = {
    "images and scores": (
        "dataset", "data_dir", "download", "images", "scores", "score_column", "features_only", "follow_links", "limit",
    ),
    "encoders, and how they read images": (
        "models", "preprocessing", "orientation", "decoder", "protocol", "dtype", "precision",
    ),
    "what is measured and kept": ("metrics", "tokens", "patch_layers"),
    "statistics": ("method", "bootstraps", "seed", "groups", "lowlevel", "predictions", "scheduler"),
    "running": ("out", "title", "batch_size", "workers", "cache_images", "profile"),
    "one run of many processes": ("distributed", "coordinator", "processes", "process", "heartbeat"),
}  # fmt: skip
"""Of the help."""


def open_data(args: Arguments) -> "Dataset":
    """The data set that the arguments name.

    Raises:
        InputError: a combination that says two things or too little, or a data set that cannot be opened.
    """
    from memjax.datasets import open_dataset

    said = [name for name in ("scores", "score_column", "features_only") if getattr(args, name) not in (None, False)]
    if args.images is None:
        if said:
            given = said[0]
            raise expected(f"{given} without images", "both", "one", "add --images DIR", argument=given)
        return open_dataset(args.dataset or "demo", args.data_dir, args.limit, args.download, args.follow_links)
    if args.dataset is not None:
        raise expected("dataset with images", "one of them", "both", "leave one out", argument="dataset")
    if not said:
        fix = "add --scores FILE.csv (--score-column NAME: inside shards), or --features-only to measure without scores"
        raise expected("scores", "a CSV file with columns image,memorability", "nothing", fix, argument="scores")
    if len(said) > 1:
        raise expected(f"{said[1]} with {said[0]}", "one of them", "both", "leave one out", argument=said[1])
    return open_named_images(args)


def run(args: Arguments) -> int:
    """One process's part of the run; the exit code."""
    for name in args.models:
        check_model_name(name)
    with stage_of("reading the data set", True):
        dataset = open_data(args)  # before all that a mistake in the command does not need
    from memjax import devices, processes
    from memjax.cli.terminal import show_sweep
    from memjax.pipelines.sweep import sweep

    devices.use_cores()
    devices.use_cache()
    profile = args.profile and make_folder(args.profile, "profile", argument="profile")
    with devices.profiled(profile):
        result = sweep(dataset, args.models, args.out, args.settings, scheduler=args.scheduler)
    if processes.this()[0] == 0:
        show_sweep(result)
    return 1 if result.run.failures else 0


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Run the sweep; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program, GROUPS)
    if args.distributed:
        return run_joined(args)
    if (args.coordinator, args.processes, args.process) != (None, None, None):
        raise InputError("--coordinator, --processes, --process: only with --distributed")
    return run(args)


def run_joined(args: Arguments) -> int:
    """One process of a run of many; a failure ends all of them, and none waits for those that are dead."""
    from memjax import processes
    from memjax.cli.leaving import code_of, leave_at_once

    def work() -> int:
        processes.start(
            args.coordinator, args.processes, args.process, args.heartbeat
        )  # before the devices are touched
        with processes.failures_told():
            code = run(args)
            processes.part()
        return code

    code = code_of(work)
    processes.finish(well=code in (0, 1))
    return code if code in (0, 1) else leave_at_once(code)
