"""How every figure looks: Okabe-Ito colours, a marker for each encoder (so that it reads in grey), the font that ships with
matplotlib (so that the bytes are the same on each machine), and for scripts that it lacks one that is installed."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import NamedTuple

import matplotlib
import pandas as pd
from matplotlib import font_manager

# Okabe & Ito 2008, without yellow (too faint as a line on white) and with black last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # one more than colours: the pairs repeat only after 56 encoders
DASHES = ("-", "--", "-.", ":")
INK, MUTED, GRID = "#1a1a1a", "#595959", "#e3e3e3"
WARNING = "#A23B00"

FONT = "DejaVu Sans"
OTHER_SCRIPTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
    "Source Han Sans", "IPAexGothic", "WenQuanYi Zen Hei", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo",
    "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Hebrew",
    "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip
"""Fonts asked in this order, where they are installed, for characters that `FONT` does not have."""

_RC = {
    "font.size": 10,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,  # a name may hold dollar signs
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # where matplotlib finds it too, with no ticks at the top, by a look at every label in each drawing
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "pdf.fonttype": 42,  # text stays text in an editor
    "svg.fonttype": "path",
    "svg.hashsalt": "memjax",
}


class EncoderStyle(NamedTuple):
    """Colour, marker and line of one encoder, the same in each figure of a run."""

    colour: str
    marker: str
    line: str


def style() -> AbstractContextManager[None]:
    """Context in which a figure is made or saved; leaves the caller's settings as they were."""
    return matplotlib.rc_context(_RC | {"font.family": list(families())})


@cache
def families() -> tuple[str, ...]:
    """The fonts of the figures: `FONT`, then those of `OTHER_SCRIPTS` that are installed."""
    installed = set(font_manager.get_font_names())
    return (FONT, *(name for name in OTHER_SCRIPTS if name in installed))


def encoder_styles(table: pd.DataFrame) -> Mapping[str, EncoderStyle]:
    """A style for each encoder, by its order in the whole table: the same in every figure made from that table."""
    return {
        str(model): EncoderStyle(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, model in enumerate(pd.unique(table["model"]))
    }
