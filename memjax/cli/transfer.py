"""Does what makes images memorable in one data set do so in another?

A predictor is fitted on each sweep and held against the human scores of every other:

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/lnsim
  memjax sweep --dataset things --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/things
  memjax transfer --runs runs/lnsim runs/things --out runs/transfer

The sweeps have to be of the same encoders, made in the same way, and have kept the same token vectors; no image is read again. An
image of the test set that is nearly the same as one of the training set is left out. On the diagonal stands each data set itself,
out of fold.

It writes to --out: transfer (CSV, Parquet, PNG, PDF) and run.json. Exit codes: 0 done; 2 usage or input error, one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import OmitArgPrefixes

from memjax import devices
from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.terminal import say
from memjax.predictor.settings import PredictorSettings


@dataclass(frozen=True)
class Arguments:
    """Which sweeps, and where the results go."""

    settings: OmitArgPrefixes[PredictorSettings]
    runs: tuple[FolderOrUrl, ...]
    """Folders of two finished sweeps or more, made with --tokens."""
    out: Path = Path("runs/transfer")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Fit on each, and hold against each; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    devices.use_cores()
    from memjax.pipelines.transfer import transfer

    found = transfer(args.runs, args.out, args.settings)
    for row in found.table.to_dict("records"):
        how = "out of fold" if row["within"] else "transfer"
        rho = f"rho {row['rho']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        say(f"  {row['train']} -> {row['test']}, {how}, n = {row['n']:,}: {rho}")
    say(f"table and figure: {found.out}")
    return 0
