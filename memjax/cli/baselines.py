"""Do the measures of the CNN era tell how memorable an image is? Nearest neighbour and sparse coding (Lin et al. 2024).

Of the token vectors that a sweep kept, at every layer, or of VGG-16's layers, as published:

  memjax sweep --dataset lnsim --data-dir DIR --models ENCODER --tokens cls --out runs/lnsim
  memjax baselines --features runs/lnsim
  memjax baselines --features runs/lnsim --measures nn_distance
  memjax baselines --vgg vgg16.safetensors --dataset lnsim --data-dir DIR --out runs/vgg
  memjax baselines --vgg vgg16.safetensors --images photos/ --scores scores.csv --out runs/vgg

nn_distance: the distance of an image to the nearest of the others. sparse_coding_error: how badly sparse codes of a dictionary,
learnt on the same images, reconstruct it. Without arguments: the embedded demo (synthetic).

On two cores 2,632 images x 12 layers x 384 units take seconds for nn_distance and about ten minutes for sparse_coding_error, with
--batches 100 one or two. VGG-16's weights: torchvision's vgg16, as safetensors; its pass over the images comes beside that.

It writes to --out: baselines (measure, source, layer, rho with 95 % interval; CSV and Parquet), failures.csv and run.json; and
the measures of a sweep's tokens into its feature store (nn_distance_cls, sparse_coding_error_cls): run the sweep again, and its
table, figures and report show them. Exit codes: 0 done; 1 done, but images failed; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax import devices
from memjax.checks import expected
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.demo import demo_tokens
from memjax.cli.own_images import open_named_images
from memjax.cli.terminal import say
from memjax.outputs import FAILURES
from memjax.pipelines.baseline_settings import BaselineSettings

if TYPE_CHECKING:
    from memjax.datasets import Dataset
    from memjax.pipelines.baselines import BaselineResult


@dataclass(frozen=True)
class Arguments:
    """What to measure, on what, and where the results go."""

    settings: OmitArgPrefixes[BaselineSettings]
    features: FolderOrUrl | None = None
    """A sweep's folder or its features.zarr, made with --tokens; the default extracts the embedded demo."""
    vgg: Path | None = None
    """VGG-16's weights, instead of --features: safetensors with torchvision's names."""
    dataset: str | None = None
    """With --vgg: a data set by name."""
    data_dir: Path | None = None
    """With --vgg: the folder with the data set's published files."""
    images: str | None = None
    """With --vgg: a folder or shards of your own images, as for `memjax sweep`, instead of --dataset."""
    scores: Path | None = None
    """With --images: a CSV file or Excel workbook with columns image,memorability[,category]."""
    score_column: str | None = None
    """With --images, instead of --scores: where the scores are inside the shards."""
    follow_links: bool = False
    """With --vgg: use images that are symbolic links out of their folder too; else those are refused."""
    limit: int | None = None
    """With --vgg: only the first so many images."""
    out: Path = Path("runs/baselines")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Measure and report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    devices.use_cores()
    devices.use_cache()
    from memjax.pipelines.baselines import measure_baselines, measure_vgg_baselines

    check_sources(args)
    if args.vgg is not None:
        found = measure_vgg_baselines(named_dataset(args), args.vgg, args.settings, args.out)
    else:
        found = measure_baselines(args.features or demo_tokens(args.out / "demo"), args.settings, args.out)
    show_baselines(found)
    return 1 if found.run.failures else 0


def check_sources(args: Arguments) -> None:
    """Raises `InputError` where the arguments name two sources, or images without weights."""
    told = ("dataset", "data_dir", "images", "scores", "score_column", "limit")
    given = next((name for name in told if getattr(args, name) is not None), "")
    if args.vgg is None and given:
        raise expected(f"{given} without vgg", "both", "one", "name VGG-16's weights", argument="vgg")
    if args.vgg is not None and args.features is not None:
        raise expected("features with vgg", "one of them", "both", "leave one out", argument="features")


def named_dataset(args: Arguments) -> "Dataset":
    """The data set that the arguments name.

    Raises:
        InputError: two are named, or images without scores, or it cannot be opened.
    """
    from memjax.datasets import open_dataset

    if args.images is None:
        return open_dataset(args.dataset or "demo", args.data_dir, args.limit, follow_links=args.follow_links)
    if args.dataset is not None:
        raise expected("dataset with images", "one of them", "both", "leave one out", argument="dataset")
    if args.scores is None and args.score_column is None:
        raise expected("scores", "a CSV file with columns image,memorability", "nothing", argument="scores")
    return open_named_images(args)


def show_baselines(found: "BaselineResult") -> None:
    """Each measure's rho by layer, and where the files are."""
    table, synthetic = found.table, " (synthetic)" if found.run.dataset.synthetic else ""
    say(f"{table['source'].iloc[0]}, n = {table['n'].max()}{synthetic}:")
    for row in table.to_dict("records"):
        rho = f"rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        say(f"  layer {row['layer']:>2}  {rho}  {row['measure']}")
    joined = "" if found.store is None else f"; measures per image: {found.store}"
    say(f"table: {found.out}{joined}")
    if found.run.failures:
        say(f"{found.run.failures} images could not be used: {found.out / FAILURES} says why")
