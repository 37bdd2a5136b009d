"""What sweeps of several data sets found, in one table, with means over data sets.

  memjax sweep --dataset lnsim --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/lnsim
  memjax sweep --dataset things --data-dir DIR --models facebook/dinov2-small --tokens cls mean --out runs/things
  memjax compare --runs runs/lnsim runs/things --out runs/compared

The sweeps have to be of the same encoders, made in the same way; nothing is measured again. The mean of a correlation is one of
random effects on the scale of Fisher's z, with data sets as units: of two data sets its interval is wide.

It writes to --out: by_dataset (every correlation and readout of every data set) and compare (their means, intervals and how far
data sets differ; both CSV and Parquet), a figure (compare, PNG and PDF) and run.json. Exit codes: 0 done; 2 usage or input error,
one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from memjax.cli.arguments import FolderOrUrl, read_arguments
from memjax.cli.console import say


@dataclass(frozen=True)
class Arguments:
    """Which sweeps, and where the results go."""

    runs: tuple[FolderOrUrl, ...]
    """Folders of two finished sweeps or more."""
    out: Path = Path("runs/compare")
    """Where the results go."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Read the sweeps, and compare; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax.pipelines.compare import compare_datasets
    from memjax.report.compare import compare_sentences

    found = compare_datasets(args.runs, args.out)
    for line in compare_sentences(found.table):
        say(f"  {line}")
    say(f"tables and figure: {found.out}")
    return 0
