"""Does the reconstruction loss of a sparse autoencoder tell how memorable an image is?

Trains autoencoders on an encoder's token vectors, all layers, seeds and folds in one program, and correlates each image's
reconstruction error with the human scores after every epoch. The vectors come from a sweep:

  memjax sweep --dataset lnsim --data-dir DIR --models ENCODER --tokens cls --out runs/lnsim
  memjax saes --features runs/lnsim/features.zarr --protocol paper
  memjax saes --features runs/lnsim/features.zarr --protocol modern --variant batchtopk

What an encoder's head makes of the last layer, which the paper took of SigLIP: --tokens pooled there, --token pooled here.
Every patch of an image, instead of one token: keep them in the sweep (--patch-layers 11), then --token patches; they are read
from the store block by block, and an image's score is the mean over its patches.

--protocol paper is that of Takmaz, Gatt & Dotlačil 2025: last layer, five seeds, batch size 1, and every image scored by an
autoencoder that was trained on it; with --folds K, by one that never saw it. --protocol paper-split is their other regime: 80 %
of the images in batches of 4. --protocol modern scores each image by one that never saw it (k-fold), on all layers.
Without arguments: the paper's protocol on the embedded demo (synthetic). The same command again resumes.

It writes to --out: sae_epochs (rho by epoch, layer, seed and space, with intervals; CSV and Parquet), sae_layers (each score by
layer, mean over seeds, and the mean of the seeds' rho; rho_given_length is what is left once the length of the token vector is
held constant), report.html (all of it on a page), figures of rho by epoch and by layer, saes/ (a folder for each autoencoder,
which SAELens reads too: docs/autoencoders.md), checkpoints/, run.json; and the scores per image into the feature store as metrics
(sae_error, sae_l0, ...; modern: sae_batchtopk_error, ...; with --token: sae_patches_error, ...; of the paper's protocol with
--folds: sae_unseen_error, ...; of paper-split: sae_split_error, ...): run the sweep again, and its table, figures and report show
them.
Exit codes: 0 done; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.cli.demo import demo_tokens
from memjax.pipelines.sae_settings import SAESettings

if TYPE_CHECKING:
    from memjax.pipelines.saes import SAEResult


@dataclass(frozen=True)
class Arguments:
    """What to train, on what, and where the results go."""

    settings: OmitArgPrefixes[SAESettings]
    features: FolderOrUrl | None = None
    """A sweep's folder or its features.zarr, made with --tokens or --patch-layers; the default extracts the embedded demo."""
    out: Path = Path("runs/saes")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Train and report; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    devices.use_cache()
    from memjax.pipelines.saes import train_saes

    features = args.features or demo_tokens(args.out / "demo")
    show_saes(train_saes(features, args.settings, args.out), args.settings.scored)
    return 0


def show_saes(found: "SAEResult", scored: str) -> None:
    """The reconstruction error by layer, and where the files are; ``scored`` says how images were scored."""
    seeds = found.by_epoch["seed"].nunique()
    layers, synthetic = found.by_layer, " (synthetic)" if found.run.dataset.synthetic else ""
    say(f"{found.run.models[0].model}, n = {layers['n'].max()}{synthetic}, {scored}:")
    for row in layers[layers["metric"].str.endswith("_error")].to_dict("records"):
        given = f"given length {row['rho_given_length']:+.3f} [{row['given_ci_low']:+.3f}, {row['given_ci_high']:+.3f}]"
        whole = f"rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        say(f"  layer {row['layer']:>2}  {whole}  {given}  {row['metric']}")
        if seeds > 1:
            say(
                f"      of the mean error over {seeds} seeds; mean of the seeds' own rho {row['mean_rho_over_seeds']:+.3f}"
            )
    say(f"report: {found.report}; scores per image: {found.store}")
