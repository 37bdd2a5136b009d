"""The scores of a data set: how they are spread, and how far they can be trusted."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import CONTEXT, SYNTHETIC
from memjax.report.labels import Context, count, is_number, plain
from memjax.report.style import COLOURS, INK, MUTED, WARNING, style


def score_distribution(scores: Float[np.ndarray, " n"], context: Context = CONTEXT) -> Figure:
    """How many images have which score, with the median, and the reliability of the scores in words.

    Args:
        scores: memorability of each image; NaN is left out.
        context: the ceiling, and whether the data are generated.

    Raises:
        InputError: no image has a score.

    Example:
        >>> score_distribution(np.linspace(0.2, 0.9, 50)).axes[0].get_ylabel()
        'images'
    """
    known = scores[np.isfinite(scores)]
    if not len(known):
        raise expected("score_distribution", "at least one score", "none")
    middle = float(np.median(known))
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        edges = np.histogram_bin_edges(known, "fd")
        axes.hist(known, bins=edges if 8 <= len(edges) <= 60 else int(np.clip(len(edges), 8, 60)), color=COLOURS[4])
        axes.axvline(middle, color=INK, linewidth=1.5)
        axes.set_xlabel("memorability (score of the data set)")
        axes.set_ylabel("images")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.heading("Memorability scores")
        note = f"n = {count(len(known))} images · line: median {plain(middle)}"
        note = f"{note}\n{SYNTHETIC}" if context.synthetic else note
        axes.set_title(note, loc="left", fontsize=8.5, color=WARNING if context.synthetic else MUTED)
    figure.set_label(_caption(known, context))
    return figure


def _caption(known: Float[np.ndarray, " n"], context: Context) -> str:
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    said = f"Memorability of {count(len(known))} images: median {plain(middle)}, "
    said += f"a tenth below {plain(low)}, a tenth above {plain(high)}."
    found = context.ceiling
    if found is not None and is_number(found.consistency):
        said += f" Reliability of the scores {found.reliability:.3f}, from the split-half consistency {found.consistency:.3f}."
    return f"{said} {SYNTHETIC}" if context.synthetic else said
