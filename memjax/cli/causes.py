"""Which heads, MLPs and blocks of an encoder does a predicted score hang on? Each is taken out, one at a time.

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/lnsim
  memjax predict --features runs/lnsim --predictor predictors/lnsim
  memjax causes --predictor predictors/lnsim --dataset lnsim --data-dir DIR --out runs/causes
  memjax causes --features runs/lnsim --images photos/ --ablation zero               fit the predictor first

A correlation shows a trace of memorability; an edit shows what the prediction hangs on. It tells of the predictor, not of people:
a head whose loss moves no score may still carry what people remember, in a form that the predictor does not read.

For each unit: the mean change of the score with its interval over images, its spread, and Spearman's rho between the scores with
and without it (kept: 1 where the images stay in their order). A shift that is the same for every image changes no order.

--metrics default also measures what happens to the metrics. --saes DIR takes out the largest latents of sparse autoencoders of
cls or patches too, one at a time. --ablation resample puts in what a part makes of other images, at four times the cost. Cost:
about (heads + 3) x (layers + 1) / 2 passes an image; deit-tiny 39, dinov2-small 58. Without images: the embedded demo.

It writes to --out: report.html, causes (CSV and Parquet), effects.parquet (every image), metric_effects (with --metrics),
latent_effects (with --saes), figures/, failures.csv and run.json. Exit codes: 0 done; 1 done, but images failed; 2 usage or
input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.causes.settings import CausesSettings
from memjax.cli import predict
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.predictor.settings import PredictorSettings
from memjax.schema import check_bounds

if TYPE_CHECKING:
    from memjax.pipelines.causes import CausesResult

NUMBERS = ("kept", "effect", "ci_low", "ci_high")
SHOWN = 5
"""Units that are listed in the terminal."""


@dataclass(frozen=True)
class Arguments:
    """Which predictor, which images, and where the results go."""

    settings: OmitArgPrefixes[CausesSettings]
    features: FolderOrUrl | None = None
    """Fit the predictor on this finished sweep, made with --tokens; without it, --predictor is read."""
    predictor: Path | None = None
    """Folder of the predictor: with --features it is saved there (by default in OUT/predictor), else read from there."""
    images: tuple[Path, ...] = ()
    """Images: files, or one folder."""
    dataset: str | None = None
    """Instead of --images: a data set by name."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    limit: int | None = None
    """With --dataset, or a folder of images: only the first so many images."""
    follow_links: bool = False
    """Use images that are symbolic links out of their folder too; else those are refused."""
    encoders: tuple[str, ...] = ()
    """Where encoders lie now that are not where they were: NAME=FOLDER."""
    batch_size: int | None = None
    """Images a batch over all devices; the default is two on each, fewer where there is no room."""
    out: Path = Path("runs/causes")
    """Where the results go."""

    def __post_init__(self) -> None:
        check_bounds(self, {"batch_size": (1, 2**20)})

    def of_prediction(self) -> predict.Arguments:
        """The predictor and the images, as `memjax predict` names them."""
        demo = not self.images and self.dataset is None
        return predict.Arguments(
            settings=PredictorSettings(),
            features=self.features,
            predictor=self.predictor,
            images=self.images,
            dataset="demo" if demo else self.dataset,
            data_dir=self.data_dir,
            limit=60 if demo and self.limit is None else self.limit,
            follow_links=self.follow_links,
            encoders=self.encoders,
            out=self.out,
        )


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Take out, and tell; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    devices.use_cache()
    wanted = args.of_prediction()
    images = predict.images_named(wanted)
    assert images is not None
    predictor = predict.predictor_of(wanted)
    from memjax.pipelines.causes import measure_causes

    found = measure_causes(predictor, images, args.out, args.settings, batch_size=args.batch_size)
    show_causes(found)
    from memjax.outputs import FAILURES, REPORT

    say(f"page: {found.out / REPORT}")
    if found.run.failures:
        say(f"{found.run.failures} images could not be used: {found.out / FAILURES} says why")
    return 1 if found.run.failures else 0


def show_causes(found: "CausesResult") -> None:
    """The heads, and the latents, without which the images' order changes most."""
    for model, rows in found.table.groupby("model", sort=False):
        heads = rows[rows["part"] == "head"].sort_values("kept").head(SHOWN)
        say(f"{model}, n = {rows['n'].iloc[0]:,}: heads without which the images' order changes most")
        for row in heads.to_dict("records"):
            say(f"  layer {row['layer']}, head {row['head'] + 1}: {_effect(*(row[name] for name in NUMBERS))}")
    if len(found.latents):
        latents = found.latents.sort_values("kept").head(SHOWN)
        say("latents without which the images' order changes most")
        for row in latents.to_dict("records"):
            what = f"layer {row['layer']}, {row['token']}, seed {row['seed']}, latent {row['latent']}"
            say(f"  {what}: {_effect(*(row[name] for name in NUMBERS))}")


def _effect(kept: float, effect: float, low: float, high: float) -> str:
    return f"rho {kept:.3f} with the plain scores; change {effect:+.4f} [{low:+.4f}, {high:+.4f}]"
