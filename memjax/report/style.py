"""How every figure looks: Okabe-Ito colours, a marker for each encoder (so that it reads in grey), fonts that ship with
matplotlib (so that the bytes are the same on each machine)."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import matplotlib
import pandas as pd

# Okabe & Ito 2008, without yellow (too faint as a line on white) and with black last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # one more than colours: the pairs repeat only after 56 encoders
DASHES = ("-", "--", "-.", ":")
INK, MUTED, GRID = "#1a1a1a", "#595959", "#e3e3e3"
WARNING = "#A23B00"

_RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "text.usetex": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
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
    return matplotlib.rc_context(_RC)


def encoder_styles(table: pd.DataFrame) -> Mapping[str, EncoderStyle]:
    """A style for each encoder, by its order in the whole table: the same in every figure made from that table."""
    return {
        str(model): EncoderStyle(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, model in enumerate(pd.unique(table["model"]))
    }
