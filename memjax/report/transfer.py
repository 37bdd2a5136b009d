"""The figure of a transfer between data sets: what each predictor is worth on each."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import count, interval_text, shorten, signed
from memjax.report.style import INK, WARNING, style

DARK = 0.65
"""Of the scale: beyond, text on a cell is white."""


def transfer_figure(table: pd.DataFrame, synthetic: bool = False) -> Figure:
    """A grid, fitted on x tested on, with rho, its interval and how many images were tested.

    Args:
        table: ``train, test, within, rho, ci_low, ci_high, n``, a row a pair.
        synthetic: whether scores are made up.

    Example:
        >>> row = {"within": False, "rho": 0.3, "ci_low": 0.2, "ci_high": 0.4, "n": 90}
        >>> pairs = [{"train": a, "test": b} | row for a in "xy" for b in "xy"]
        >>> len(transfer_figure(pd.DataFrame(pairs)).axes[0].texts)
        4
    """
    names = list(dict.fromkeys(table["train"]))
    rho = table.pivot(index="train", columns="test", values="rho").loc[names, names].to_numpy(float)
    most = max(0.2, float(np.nanmax(np.abs(rho))))
    title = "What predictors of memorability are worth on other data sets"
    with style():
        side = 1.7 * len(names)
        figure = Chart(figsize=(max(side + 3.0, 6.2), side + 1.4), layout="constrained")
        axes = figure.add_subplot()
        shown = axes.imshow(rho, cmap="RdBu_r", vmin=-most, vmax=most)
        for row in table.to_dict("records"):
            dark = abs(row["rho"]) > DARK * most
            kind = "itself, out of fold" if row["within"] else "transfer"
            lines = (signed(row["rho"]), interval_text(row["ci_low"], row["ci_high"]), f"n = {count(row['n'])}", kind)
            at = names.index(row["test"]), names.index(row["train"])
            axes.text(*at, "\n".join(lines), ha="center", va="center", color="white" if dark else INK, fontsize=8.5)
        axes.set_xticks(range(len(names)), [shorten(name) for name in names])
        axes.set_yticks(range(len(names)), [shorten(name) for name in names])
        axes.set(xlabel="tested on", ylabel="fitted on")
        axes.grid(visible=False)
        figure.colorbar(shown, ax=axes, shrink=0.8, label="Spearman's ρ with people's scores")
        figure.heading(title)
        if synthetic:
            figure.supxlabel(SYNTHETIC, fontsize=8.5, color=WARNING, x=0.02, ha="left")
    figure.set_label(f"{title}: rows fitted on, columns tested on; 95 % intervals over images.")
    return figure
