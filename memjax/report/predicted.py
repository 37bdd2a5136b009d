"""The figure of predicted scores: against people's, where those are known; else how they are spread."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import Context, count
from memjax.report.style import COLOURS, MUTED, WARNING, style

INSIDE, OUTSIDE = COLOURS[0], COLOURS[1]
SMALL = 1000
"""Images from which on dots are smaller and drawn as pixels."""


def predictions_figure(table: pd.DataFrame, context: Context) -> Figure:
    """Predicted scores, images out of domain in a colour and a mark of their own.

    Args:
        table: ``score, out_of_domain`` and, where people's scores are known, ``memorability``; rows without a score are left out.
        context: whether the data are generated.

    Example:
        >>> rows = pd.DataFrame({"score": [0.4, 0.6, 0.8], "out_of_domain": [False, False, True]})
        >>> predictions_figure(rows, Context()).axes[0].get_xlabel()
        'predicted score'
    """
    rows = table[table["score"].notna()]
    known = "memorability" in rows and bool(rows["memorability"].notna().any())
    title = "Predicted scores against people's" if known else "Predicted scores"
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        (_against if known else _spread)(axes, rows)
        axes.set_xlabel("predicted score")
        figure.heading(title)
        note = f"n = {count(len(rows))} images" + (f"\n{SYNTHETIC}" if context.synthetic else "")
        axes.set_title(note, loc="left", fontsize=8.5, color=WARNING if context.synthetic else MUTED)
        if rows["out_of_domain"].any():
            axes.legend(fontsize=8.5)
        figure.set_label(f"{title}, n = {count(len(rows))}.")
    return figure


def _against(axes: Axes, rows: pd.DataFrame) -> None:
    """A dot an image, and the line on which both are the same."""
    many = len(rows) > SMALL
    for outside, colour, mark, label in ((False, INSIDE, "o", "in domain"), (True, OUTSIDE, "x", "out of domain")):
        some = rows[rows["out_of_domain"] == outside]
        look = {"s": 6 if many else 14, "alpha": 0.3 if many else 0.55, "rasterized": many}
        if len(some):
            axes.scatter(
                some["score"], some["memorability"], color=colour, marker=mark, linewidths=0.7, label=label, **look
            )
    both = rows[["score", "memorability"]].to_numpy(float)
    ends = np.nanmin(both), np.nanmax(both)
    axes.plot(ends, ends, color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_ylabel("people's score")


def _spread(axes: Axes, rows: pd.DataFrame) -> None:
    """A histogram; of few images a mark each."""
    inside, outside = (rows.loc[rows["out_of_domain"] == flag, "score"] for flag in (False, True))
    bins = np.histogram_bin_edges(rows["score"], bins=min(30, max(5, int(np.sqrt(len(rows))))))
    axes.hist(
        [inside, outside],
        bins=bins.tolist(),
        stacked=True,
        color=[INSIDE, OUTSIDE],
        label=["in domain", "out of domain"],
    )
    axes.set_ylabel("images")
