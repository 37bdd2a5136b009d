"""Which data sets with human memorability scores memjax reads, how to get them, and under which terms.

memjax datasets
memjax datasets --name lnsim
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from memjax.cli.arguments import read_arguments
from memjax.cli.console import say, show_table


@dataclass(frozen=True)
class Arguments:
    """Which rows."""

    name: str | None = None
    """One data set: how to get its files, its terms, what to cite."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Print the table, or one data set; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax.datasets import names, spec

    if args.name is not None:
        one = spec(args.name)
        for what, text in (
            ("data set", one.name),
            ("what", one.description),
            ("images", f"{one.n_images:,}" if one.n_images else "generated"),
            ("files", one.instructions or "none needed"),
            ("terms", one.licence),
            ("cite", one.citation),
            ("source", one.source),
        ):
            say(f"{what:>9}: {text}")
        return 0
    shown = Table(title="Data sets")
    for column in ("name", "images", "what"):
        shown.add_column(column, justify="right" if column == "images" else "left")
    for name in names():
        one = spec(name)
        shown.add_row(name, f"{one.n_images:,}" if one.n_images else "generated", one.description)
    show_table(shown)
    say("memjax datasets --name NAME tells how to get one; your own images need a folder and a CSV file")
    return 0
