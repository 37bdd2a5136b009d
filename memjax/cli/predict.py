"""How memorable is this image? Fit a predictor on a sweep, save it, and score new images with it.

A predictor is a ridge regression on the token vectors that a sweep kept of every layer, calibrated on images that it was not
fitted on:

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/lnsim
  memjax predict --features runs/lnsim --predictor predictors/lnsim                  fit and save
  memjax predict --predictor predictors/lnsim --images photos/                       score a folder of images
  memjax predict --predictor predictors/lnsim --images a.jpg b.png --level 0.9
  memjax predict --predictor predictors/lnsim --dataset things --data-dir DIR        and hold it against people's scores
  memjax predict --predictor predictors/lnsim --images photos/ --scores scores.csv
  memjax predict --predictor predictors/lnsim --images photos/ --explain 3           and draw where the scores come from

Each image gets a score, in the units of the human scores of the sweep, and an interval that covers the score of an image like
those of the sweep in --level of the cases. out_of_domain says that an image is unlike them: neither is to be trusted there.
Without arguments: the embedded demo, whose images and scores are made up.

A saved predictor is a folder: predictor.json, predictor.safetensors and README.md, its model card. Encoders are loaded from where
they were; --encoders NAME=FOLDER says where one lies now. Their weights have to be the same.

Fitting takes memory and time with the number of images, 2,632 images about two minutes on two cores; of more than --most-images
so many are drawn at random. It writes to --out: predictions (CSV and Parquet), evaluation (with human scores), report.html (the
scores, the images at their ends, the maps), explained/ (with --explain), failures.csv and run.json; and while it works parts/,
the scores of each 1,024 images: the same command again goes on after the last of them, and one that was finished is read. Exit
codes: 0 done; 1 done, but images failed; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.checks import check_folder, expected
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.predictor.settings import PredictorSettings
from memjax.schema import check_bounds

if TYPE_CHECKING:
    from memjax.pipelines.predictions import PredictedImages
    from memjax.predictor.predictor import Predictor
    from memjax.predictor.sources import Images


@dataclass(frozen=True)
class Arguments:
    """What to fit, what to score, and where the results go."""

    settings: OmitArgPrefixes[PredictorSettings]
    features: FolderOrUrl | None = None
    """Fit on this finished sweep, made with --tokens; without it, --predictor is read."""
    predictor: Path | None = None
    """Folder of the predictor: with --features it is saved there (by default in OUT/predictor), else read from there."""
    images: tuple[Path, ...] = ()
    """Images to score: files, or one folder."""
    scores: Path | None = None
    """With a folder of images: a CSV file or Excel workbook with columns image,memorability, to hold the predictions against."""
    dataset: str | None = None
    """Instead of --images: a data set by name, to hold the predictions against its scores."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    limit: int | None = None
    """With --dataset, or a folder of images: only the first so many images."""
    follow_links: bool = False
    """Use images that are symbolic links out of their folder too; else those are refused."""
    encoders: tuple[str, ...] = ()
    """Where encoders lie now that are not where they were: NAME=FOLDER."""
    level: float = 0.95
    """Coverage of the intervals."""
    batch_size: int | None = None
    """Images a batch over all devices; the default is what the devices do best."""
    explain: int = 0
    """Draw where in the image the score comes from, for so many of the highest and so many of the lowest scores: maps over the
    image, curves that compare them, layers and heads. Minutes an image on a laptop with a large encoder."""
    out: Path = Path("runs/predictions")
    """Where the predictions go."""

    def __post_init__(self) -> None:
        check_bounds(self, {"explain": (0, 100), "batch_size": (1, 2**20)})


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Fit, or load, and predict; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    devices.use_cache()
    images = images_named(args)
    predictor = predictor_of(args)
    if images is None:
        return 0
    from memjax.pipelines.predictions import predict_images

    found = predict_images(predictor, images, args.out, args.level, batch_size=args.batch_size, explain=args.explain)
    show_predictions(found)
    return 1 if found.run.failures else 0


def predictor_of(args: Arguments) -> "Predictor":
    """The predictor that the arguments name, fitted and saved, or loaded.

    Raises:
        InputError: it cannot be had.
    """
    from memjax.pipelines.predictors import fit_predictor, load_predictor

    if args.features is None and args.predictor is not None:
        if not args.images and args.dataset is None:
            fix = "name images or a data set; a sweep to fit on, to fit it anew"
            raise expected("images", "images to score", "none", fix, argument="images")
        return load_predictor(args.predictor, places_of(args.encoders))
    if args.encoders:
        raise expected("encoders", "with a predictor that is read", "one that is fitted", "leave it out", "encoders")
    predictor = fit_predictor(args.features or demo_sweep(args.out / "demo"), args.settings)
    folder = predictor.save(args.predictor or args.out / "predictor")
    r = predictor.record
    share = f", {r.share_of_ceiling:.0%} of the human ceiling" if r.share_of_ceiling else ""
    synthetic = " (synthetic)" if r.dataset.synthetic else ""
    say(f"{', '.join(one.model for one in r.encoders)}, {r.images:,} images of {r.dataset.name}{synthetic}:")
    say(f"  out of fold: rho {r.rho:+.3f} [{r.ci_low:+.3f}, {r.ci_high:+.3f}]{share}")
    if r.coverage is not None:
        say(f"  intervals of 95 % cover {r.coverage:.1%} of the scores out of fold")
    say(f"predictor: {folder}")
    return predictor


def demo_sweep(out: Path) -> Path:
    """A sweep of the embedded demo that kept token vectors; its folder."""
    from memjax.datasets import open_dataset
    from memjax.pipelines.settings import SweepSettings
    from memjax.pipelines.sweep import sweep

    sweep(open_dataset("demo"), "memjax/tiny", out, SweepSettings(tokens=("cls", "mean")))
    return out


def places_of(encoders: Sequence[str]) -> dict[str, str]:
    """``NAME=FOLDER`` as a mapping.

    Raises:
        InputError: one has no ``=``.

    Example:
        >>> places_of(["a=b/c"])
        {'a': 'b/c'}
    """
    pairs = [one.partition("=") for one in encoders]
    if wrong := next((one for one, pair in zip(encoders, pairs, strict=True) if not pair[2]), None):
        raise expected("encoders", "NAME=FOLDER", wrong, argument="encoders")
    return {name: folder for name, _, folder in pairs}


def images_named(args: Arguments) -> "Images | None":
    """What is to be scored; None where nothing is named.

    Raises:
        InputError: two sources, or what is said of them does not fit.
    """
    from memjax.datasets import open_dataset, open_folder

    folder = args.images[0] if len(args.images) == 1 and not args.images[0].is_file() else None
    if args.images and args.dataset is not None:
        raise expected("dataset with images", "one of them", "both", "leave one out", argument="dataset")
    for name in ("scores", "limit"):
        there = folder is not None or (name == "limit" and args.dataset is not None)
        if getattr(args, name) is not None and not there:
            raise expected(f"{name} without a folder of images", "both", "one", "name the folder", argument="images")
    if args.dataset is not None:
        return open_dataset(args.dataset, args.data_dir, args.limit, follow_links=args.follow_links)
    if folder is not None:
        return open_folder(
            check_folder(folder, "images", argument="images"), args.scores, args.limit, args.follow_links
        )
    return [str(path) for path in args.images] or None


SHOWN = 10
"""Images that are listed in the terminal."""


def show_predictions(found: "PredictedImages") -> None:
    """The first images, how they do where that is known, and where the files are."""
    table = found.table[found.table["score"].notna()]
    for row in table.head(SHOWN).to_dict("records"):
        flag = "  out of domain" if row["out_of_domain"] else ""
        say(f"  {row['score']:.3f} [{row['score_low']:.3f}, {row['score_high']:.3f}]  {row['image']}{flag}")
    if len(table) > SHOWN:
        say(
            f"  .. and {len(table) - SHOWN:,} more; {table['out_of_domain'].sum():,} of {len(table):,} are out of domain"
        )
    if (e := found.evaluation) is not None:
        seen = "; these are the images that it was fitted on, nothing is told of others" if e.in_sample else ""
        say(f"against people's scores, n = {e.n:,}: rho {e.rho:+.3f} [{e.ci_low:+.3f}, {e.ci_high:+.3f}]{seen}")
        covered = f"{e.coverage:.1%} [{e.coverage_low:.1%}, {e.coverage_high:.1%}]"
        say(f"  intervals of {e.level:.0%} cover {covered}; predictions less scores: {e.bias:+.3f} on average")
    from memjax.outputs import FAILURES, REPORT

    say(f"page: {found.out / REPORT}")
    if found.run.failures:
        say(f"{found.run.failures} images could not be used: {found.out / FAILURES} says why")
