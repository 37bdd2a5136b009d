"""Which published encoders memjax knows by name, with their sizes and the revision that is loaded.

Any other checkpoint of these families loads too, by its hub id or from a local folder.

  memjax encoders
  memjax encoders --family dinov2
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from memjax.checks import expected
from memjax.cli.arguments import read_arguments
from memjax.cli.terminal import CONSOLE


@dataclass(frozen=True)
class Arguments:
    """Which rows."""

    family: str | None = None
    """Only this family (clip, siglip, dinov2, ...)."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Print the table; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax.models.presets import PRESETS

    families = dict.fromkeys(row.family for row in PRESETS)
    if args.family is not None and args.family not in families:
        raise expected("family", f"one of {', '.join(families)}", repr(args.family), argument="family")
    shown = Table(title="Encoders")
    for column in ("id", "layers", "width", "heads", "patch", "image", "tokens", "paper", "revision"):
        text = column in ("id", "paper", "revision")
        shown.add_column(column, justify="left" if text else "right", no_wrap=column != "paper", overflow="fold")
    for row in PRESETS:
        if args.family in (None, row.family):
            sizes = (row.depth, row.width, row.heads, row.patch, row.image, row.tokens)
            shown.add_row(row.id, *map(str, sizes), row.paper, (row.revision or "newest")[:7])
    CONSOLE.print(shown)
    return 0
