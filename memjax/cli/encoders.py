"""Which published encoders memjax knows by name, with their sizes and the revision that is loaded.

Any other checkpoint of these families loads too, by its hub id or from a local folder; so do folders of timm's with the
architectures of the family timm, and the visual towers of OpenCLIP's (docs/encoders.md).

  memjax encoders
  memjax encoders --family dinov2
  memjax encoders --family timm
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from memjax.checks import expected
from memjax.cli.arguments import read_arguments
from memjax.cli.console import WIDE, say, show_table, table_width


@dataclass(frozen=True)
class Arguments:
    """Which rows."""

    family: str | None = None
    """Only this family (clip, siglip, dinov2, ..., timm)."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Print the table; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax.models.presets import PRESETS

    families = [*dict.fromkeys(row.family for row in PRESETS), "timm"]
    if args.family is not None and args.family not in families:
        raise expected("family", f"one of {', '.join(families)}", repr(args.family), argument="family")
    if args.family == "timm":
        show_table(timm_architectures())
        return 0
    wide = table_width() >= WIDE
    more = ("paper", "revision") if wide else ()
    shown = _table("Encoders", ("id", "layers", "width", "heads", "patch", "image", "tokens", *more))
    for row in PRESETS:
        if args.family in (None, row.family):
            sizes = (row.depth, row.width, row.heads, row.patch, row.image, row.tokens)
            rest = (row.paper, (row.revision or "newest")[:7]) if wide else ()
            shown.add_row(row.id, *map(str, sizes), *rest)
    show_table(shown)
    if not wide:
        say(f"paper and revision: in a terminal of {WIDE} columns, or in a file")
    return 0


def timm_architectures() -> Table:
    """The architectures of timm that are read, each with its sizes."""
    from memjax.models.timm_table import EVA, VIT

    shown = _table("Architectures of timm", ("architecture", "layers", "width", "heads", "patch"))
    for name, row in {**VIT, **EVA}.items():
        shown.add_row(name, *(str(row[size]) for size in ("depth", "embed_dim", "num_heads", "patch_size")))
    return shown


def _table(title: str, columns: Sequence[str]) -> Table:
    shown = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True
    )
    for column in columns:
        text = column in ("id", "architecture", "paper", "revision")
        shown.add_column(column, justify="left" if text else "right", no_wrap=column != "paper", overflow="fold")
    return shown
