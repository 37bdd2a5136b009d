"""Do simple measures of an image among others tell how memorable it is, and an autoencoder's error more than they?

Of the token vectors that a sweep kept, at every layer, of VGG-16's layers, or of an autoencoder of images, as published:

  memjax sweep --dataset lnsim --data-dir DIR --models ENCODER --tokens cls mean --out runs/lnsim
  memjax saes --features runs/lnsim --protocol modern --out runs/saes
  memjax baselines --features runs/lnsim --token both
  memjax baselines --features runs/lnsim --measures nn_distance sparse_coding_error
  memjax baselines --vgg vgg16.safetensors --dataset lnsim --data-dir DIR --out runs/vgg
  memjax baselines --vgg vgg16.safetensors --images photos/ --scores scores.csv --out runs/vgg
  memjax baselines --autoencoder autoencoder.safetensors --dataset lnsim --data-dir DIR --out runs/autoencoder
  memjax baselines --features runs/lnsim --cnn runs/vgg runs/autoencoder

nn_distance: the distance of an image to the nearest of the others; knn_distance: its mean over the nearest --neighbours;
local_density: the density of the others around it. pca_residual: what principal axes leave of an image; mahalanobis: its
distance to the mean, in the images' own covariance; sparse_coding_held_out: how badly sparse codes reconstruct it. The three
are out of sample: axes, covariance and dictionary are of the images of the other folds. sparse_coding_error: as Lin et al.
2024 have it, with a dictionary of the same images. Without arguments: the embedded demo (synthetic).

--autoencoder: a VGG-16 autoencoder sees every image once, one at a time, after Bagheri & Mohsenzadeh 2024. pixel_error: how
badly it reconstructs an image; latent_error: the same in its latent; latent_distance: to the nearest other image there. They are
in sample, as published; pixel_error_held_out and so on are by autoencoders that have seen the images of the other folds alone.
The file is a pretrained autoencoder, or torchvision's vgg16, whose decoder then starts from a seed (docs/vgg_autoencoder.md).
On two cores an image of 224 pixels takes 2.2 s to be shown and 1.3 s to be scored, with five folds 15 s in all: for thousands of
images an accelerator is meant. Each epoch is kept when it is done: the same command again goes on with the next.

All measures, and the reconstruction losses of sparse autoencoders that `memjax saes` has put into the store, are then compared
on the same images, at layers that are not picked by their own result: each alone, with the token's length and the category held
constant (categories: --dataset NAME --data-dir DIR), and each pair. The answer to "does the autoencoder's error tell more than a
linear residual, or than a CNN's measure" is yes, no or not settled.

On two cores 2,632 images x 12 layers x 384 units take about two minutes. Sparse coding is measured where it is asked for: ten
minutes, with --batches 100 one or two, and out of sample five times as long. VGG-16's weights: torchvision's vgg16, as
safetensors; its pass over the images comes beside that.

It writes to --out: baselines (each measure and layer), rivals (each compared measure), comparison (each pair), answers, scores
(every measure by image; all CSV and Parquet), report.html, failures.csv and run.json; and the measures of a sweep's tokens into
its feature store (pca_residual_cls, nn_distance_cls): run the sweep again, and its table, figures and report show them. Exit
codes: 0 done; 1 done, but images failed; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.checks import expected
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.cli.demo import demo_tokens
from memjax.cli.own_images import open_named_images
from memjax.pipelines.autoencoder_settings import AutoencoderSettings
from memjax.pipelines.baseline_settings import BaselineSettings

if TYPE_CHECKING:
    from memjax.datasets import Dataset
    from memjax.pipelines.baselines import BaselineResult
    from memjax.pipelines.rivals import Comparison


@dataclass(frozen=True)
class Arguments:
    """What to measure, on what, and where the results go."""

    settings: OmitArgPrefixes[BaselineSettings]
    features: FolderOrUrl | None = None
    """A sweep's folder or its features.zarr, made with --tokens; the default extracts the embedded demo."""
    vgg: Path | None = None
    """VGG-16's weights, instead of --features: safetensors with torchvision's names."""
    autoencoder: Path | None = None
    """An autoencoder's weights, or VGG-16's, instead of --features: it sees each image once, and measures it."""
    training: OmitArgPrefixes[AutoencoderSettings] = field(default_factory=AutoencoderSettings)
    dataset: str | None = None
    """With --vgg or --autoencoder: a data set by name. With --features: the data set that they are of, for its categories."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    images: str | None = None
    """With --vgg or --autoencoder: a folder or shards of your own images, as for `memjax sweep`, instead of --dataset."""
    scores: Path | None = None
    """With --images: a CSV file or Excel workbook with columns image,memorability[,category]."""
    score_column: str | None = None
    """With --images, instead of --scores: where the scores are inside the shards."""
    follow_links: bool = False
    """With --vgg or --autoencoder: use images that are symbolic links out of their folder too; else those are refused."""
    limit: int | None = None
    """With --vgg or --autoencoder: only the first so many images."""
    cnn: tuple[Path, ...] = ()
    """With --features: folders of runs with --vgg or --autoencoder on the same images, whose measures are compared too."""
    out: Path = Path("runs/baselines")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Measure and report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    devices.use_cache()
    from memjax.pipelines.autoencoder import measure_autoencoder
    from memjax.pipelines.baselines import Beside, measure_baselines, measure_vgg_baselines

    check_sources(args)
    if args.autoencoder is not None:
        dataset = named_dataset(args)
        found = measure_autoencoder(dataset, args.autoencoder, args.settings, args.out, training=args.training)
    elif args.vgg is not None:
        found = measure_vgg_baselines(named_dataset(args), args.vgg, args.settings, args.out)
    else:
        beside = Beside(args.cnn, None if args.dataset is None else named_dataset(args))
        run = args.features or demo_tokens(args.out / "demo")
        found = measure_baselines(run, args.settings, args.out, beside=beside)
    show_baselines(found)
    return 1 if found.run.failures else 0


def check_sources(args: Arguments) -> None:
    """Raises `InputError` where the arguments name two sources, images without weights, or how to train what is not trained."""
    told = ("dataset", "data_dir", "images", "scores", "score_column", "limit")[2 if args.features is not None else 0 :]
    given = next((name for name in told if getattr(args, name) is not None), "")
    sources = [name for name in ("features", "vgg", "autoencoder") if getattr(args, name) is not None]
    if given and sources in ([], ["features"]):
        raise expected(f"{given} without vgg", "both", "one", "name VGG-16's weights", argument="vgg")
    if len(sources) > 1:
        first, second = sources[:2]
        raise expected(f"{first} with {second}", "one of them", "both", "leave one out", argument=first)
    if args.cnn and args.features is None:
        raise expected("cnn without features", "both", "one", "name the sweep whose measures to compare", "features")
    if args.training != AutoencoderSettings() and args.autoencoder is None:
        changed = next(f.name for f in fields(AutoencoderSettings) if getattr(args.training, f.name) != f.default)
        raise expected(f"{changed} without autoencoder", "both", "one", "name its weights", argument="autoencoder")


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
        say(f"  layer {row['layer']:>2}  {rho}  {row['measure']}{', in sample' if row['in_sample'] else ''}")
    show_comparison(found.comparison)
    joined = "" if found.store is None else f"; measures per image: {found.store}"
    say(f"table: {found.out}{joined}")
    if found.run.failures:
        from memjax.outputs import FAILURES

        say(f"{found.run.failures} images could not be used: {found.out / FAILURES} says why")


def show_comparison(found: "Comparison") -> None:
    """The measures side by side, and the questions."""
    from memjax.report.rivals import question_sentences

    for layers, rows in found.alone.groupby("layers", sort=False) if len(found.alone) else ():
        say(f"side by side, {layers}, n = {rows['n'].max()}:")
        for row in rows.sort_values("rho", ascending=False, kind="stable").to_dict("records"):
            seen = ", in sample" if row["in_sample"] else ""
            say(f"  rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]  {row['measure']}{seen}")
    for sentence in question_sentences(found.answers):
        say(sentence)
