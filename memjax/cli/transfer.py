"""Does what makes images memorable in one data set do so in another, and in its own official test images?

A predictor is fitted on each sweep and held against the human scores of every other:

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/lnsim
  memjax sweep --dataset things --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/things
  memjax transfer --runs runs/lnsim runs/things --out runs/transfer

The sweeps have to be of the same encoders, made in the same way, and have kept the same token vectors; no image is read again. An
image of the test set that is nearly the same as one of the training set is left out. On the diagonal stands each data set itself,
out of fold.

One run of a data set with official splits (LaMem, or a table with columns split, or split_1 to split_5, of the words train, val
and test, and score_1 to score_5 where they have scores of their own) is fitted on the training images of each split and held
against its test images, the penalty chosen by the validation images:

  memjax transfer --runs runs/lamem --out runs/lamem_splits

It writes to --out: transfer (CSV, Parquet, PNG, PDF) and run.json; of official splits: splits and predictions (CSV, Parquet) and
run.json. Exit codes: 0 done; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import OmitArgPrefixes

from memjax.checks import expected
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say
from memjax.predictor.settings import PredictorSettings


@dataclass(frozen=True)
class Arguments:
    """Which sweeps, and where the results go."""

    settings: OmitArgPrefixes[PredictorSettings]
    runs: tuple[FolderOrUrl, ...]
    """Folders of two finished sweeps or more, made with --tokens; or of one whose data set has official splits."""
    out: Path = Path("runs/transfer")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Fit on each, and hold against each; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax import devices

    devices.use_cores()
    if len(args.runs) == 1:
        return _official(args)
    from memjax.pipelines.transfer import transfer

    found = transfer(args.runs, args.out, args.settings)
    for row in found.table.to_dict("records"):
        how = "out of fold" if row["within"] else "transfer"
        rho = f"rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        say(f"  {row['train']} -> {row['test']}, {how}, n = {row['n']:,}: {rho}")
    say(f"table and figure: {found.out}")
    return 0


def _official(args: Arguments) -> int:
    """Of one run: fit on the training images of each official split, and predict its test images."""
    from memjax.pipelines.official import official_splits

    plain = asdict(PredictorSettings())
    for name, value in asdict(args.settings).items():
        if name != "seed" and value != plain[name]:
            why = "official splits leave nothing to choose but the seed of inner folds"
            raise expected(name, "the default where there is one run", value, why, argument=name)
    found = official_splits(args.runs[0], args.out, args.settings.seed)
    for row in found.table.to_dict("records"):
        rho = f"rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        images = f"{row['train']:,} fitted on, {row['val']:,} validated, {row['test']:,} tested"
        near = f"; without {row['seen']:,} near-copies {row['rho_unseen']:+.3f}" if row["seen"] else ""
        say(f"  {row['split']}: {rho}, {images}{near}")
    say(f"tables: {found.out}")
    return 0
