"""Which latents of sparse autoencoders go with memorability, and what do the images that they fire for show?

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls --patch-layers 11 --out runs/lnsim
  memjax saes --features runs/lnsim --protocol modern --layers 6 11 --folds 2 --seeds 0 1 2 --out runs/saes
  memjax atlas --features runs/lnsim --saes runs/saes --dataset lnsim --data-dir DIR --out runs/atlas

Several at once, such as those of patches beside those of cls: --saes runs/saes runs/saes_patches. --saes also takes folders of
autoencoders from elsewhere (docs/autoencoders.md). Without arguments: autoencoders of the embedded demo (synthetic).

For each latent: how often it fires and how strongly, Spearman's rho with the scores, its interval, p, q over all latents, its
share of the human ceiling, the category that it fires for most, its partner in other seeds and folds, and its top images.
Latents are scored on images that their autoencoder has not seen, where it was trained with --folds or on a split. Where it saw
all, rows and page say "in sample"; another data set's autoencoder is told as such.

With two folds each autoencoder is trained on one half and scored on the other, so that a latent that is found in both folds was
found on different images. With five, each is scored on a fifth, and fewer latents fire often enough.

It writes to --out: latents (a row a latent; CSV and Parquet), summary (counts by layer), atlas.zarr (the images of each latent
and the latents of each image), figures/, atlas.html and run.json; the page's images lie in atlas_images/ where they are more than
--page-mb. Nothing is kept between runs: LNSIM takes minutes, and the same command does it again.
Exit codes: 0 done; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.checks import expected
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.cli.demo import demo_tokens
from memjax.cli.own_images import open_own_images
from memjax.latents.settings import AtlasSettings
from memjax.storage import Place

if TYPE_CHECKING:
    from memjax.datasets import Dataset
    from memjax.pipelines.atlas import AtlasResult

SHOWN = 5
"""Latents that are listed in the terminal."""


@dataclass(frozen=True)
class Arguments:
    """Which autoencoders, held against what, and where the results go."""

    settings: OmitArgPrefixes[AtlasSettings]
    features: FolderOrUrl | None = None
    """A sweep's folder or its features.zarr with the token vectors that they take; the default is the embedded demo."""
    saes: tuple[Path, ...] = ()
    """Folders that memjax saes wrote, or of autoencoders; the default trains some on the embedded demo."""
    images: str | None = None
    """The run's images, for the page: a folder, or shards."""
    dataset: str | None = None
    """Instead of --images: the run's data set by name."""
    data_dir: Path | None = None
    """The folder with the data set's published files."""
    follow_links: bool = False
    """Use images that are symbolic links out of their folder too; else those are refused."""
    out: Path = Path("runs/atlas")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Map, and tell; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    devices.use_cache()
    from memjax.pipelines.atlas import atlas

    features, saes, dataset = _named(args)
    show_atlas(atlas(saes, features, args.settings, args.out, dataset))
    return 0


def _named(args: Arguments) -> "tuple[Place, list[str | Path], Dataset | None]":
    """The run, the autoencoders and the images that the arguments name; where they name none of the first two, the demo's.

    Raises:
        InputError: one of the two without the other, or two sources of images.
    """
    from memjax.datasets import open_dataset

    if args.images is not None and args.dataset is not None:
        raise expected("dataset with images", "one of them", "both", "leave one out", argument="dataset")
    if args.features is None and not args.saes:
        features = demo_tokens(args.out / "demo")
        return features, [demo_saes(features, args.out / "saes")], open_dataset("demo")
    for name, given, fix in (
        ("features", args.features, "name the sweep that kept the vectors that they take"),
        ("saes", args.saes, "train some on it first"),
    ):
        if not given:
            raise expected("features with saes", "both", f"no {name}", fix, argument=name)
    assert args.features is not None
    if args.dataset is not None:
        return args.features, [*args.saes], open_dataset(args.dataset, args.data_dir, follow_links=args.follow_links)
    own = None if args.images is None else open_own_images(args.images, follow_links=args.follow_links)
    return args.features, [*args.saes], own


def demo_saes(features: Path, out: Path) -> Path:
    """Small autoencoders of the demo's last layers, of three seeds and two folds; their folder."""
    from memjax.pipelines.sae_settings import SAESettings
    from memjax.pipelines.saes import train_saes

    small = SAESettings(
        protocol="modern", latents=64, epochs=10, folds=2, seeds=(0, 1, 2), layers=(2, 4), bootstraps=100
    )
    train_saes(features, small, out)
    return out


def show_atlas(found: "AtlasResult") -> None:
    """Counts by layer, the strongest latents, and where the files are."""
    synthetic = " (synthetic)" if found.run.dataset.synthetic else ""
    for row in found.summary.to_dict("records"):
        say(f"{row['model']}, {row['token']}, layer {row['layer']}{synthetic}, {row['scored']}:")
        say(f"  {row['found']:,} of {row['tested']:,} latents with a rho have q < 0.05; {row['latents']:,} in all")
        for name in ("seeds", "folds"):
            if f"agree_in_all_{name}" in row and row[f"agree_in_all_{name}"] == row[f"agree_in_all_{name}"]:
                say(f"  found again in all {name}: {int(row[f'agree_in_all_{name}']):,}")
    strongest = found.table[found.table["rho"].notna()].sort_values("rho", key=abs, ascending=False, kind="stable")
    for row in strongest.head(SHOWN).to_dict("records"):
        where = f"{row['token']}, layer {row['layer']}, seed {row['seed']}, fold {row['fold']}, latent {row['latent']}"
        say(f"  rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]  {where}")
    say(f"page: {found.page}; tables, figures and atlas.zarr: {found.out}")
