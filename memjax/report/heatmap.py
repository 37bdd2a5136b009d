"""Every correlation of a run at one look: layers across, metrics down, a panel for each encoder."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import CONTEXT, SYNTHETIC
from memjax.report.headline import claimed_row
from memjax.report.labels import Context, count, place_words, shorten, signed
from memjax.report.style import INK, MUTED, WARNING, style
from memjax.stats.strongest import ALPHA

TITLE = "Every metric at every layer"
ABSENT = "#dddddd"
"""Colour of a cell without a value."""


def rho_map(table: pd.DataFrame, context: Context = CONTEXT) -> Figure:
    """Correlation of each metric with memorability at each layer, a panel for each encoder, one colour scale; dots mark q < 0.05.

    Args:
        table: a correlation table: columns ``model, metric, layer, rho, q, n``.
        context: the coefficient, labels, and whether the data are generated.

    Raises:
        InputError: the table has no row.

    Example:
        >>> row = dict(model="a", metric="cls_mean", layer=1, rho=0.2, ci_low=0.1, ci_high=0.3, p=0.01, q=0.02, n=90)
        >>> [text.get_text() for text in rho_map(pd.DataFrame([row])).axes[0].get_yticklabels()]
        ['Mean activation of the cls token']
    """
    if not len(table):
        raise expected("rho_map", "a table with at least one row", "an empty one")
    models, metrics = list(pd.unique(table["model"])), list(pd.unique(table["metric"]))
    limit = float(table["rho"].abs().max())  # NaN where there is none
    limit = limit if limit > 0 else 1.0
    columns = 1 if len(models) == 1 else 2
    lines = -(-len(models) // columns)
    with style():
        size = (9.0 if columns == 1 else 12.0, lines * (0.26 * len(metrics) + 0.9) + 1.0)
        figure = Chart(figsize=size, layout="constrained")
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        for axes, model in zip(grid, models):
            _draw(axes, table[table["model"] == model], metrics, limit)
            axes.set_title(f"{shorten(str(model))}", loc="left", fontsize=9, color=MUTED)
        for axes in grid[len(models) :]:
            axes.remove()
        for axes in grid[::columns]:
            axes.set_yticks(range(len(metrics)), [shorten(context.label(m).title, 48) for m in metrics])
        colours = ScalarMappable(Normalize(-limit, limit), "PuOr")
        figure.colorbar(
            colours, ax=list(grid[: len(models)]), label=f"{context.symbol} with memorability", fraction=0.04
        )
        figure.heading(TITLE)
        if context.synthetic:
            figure.supxlabel(SYNTHETIC, fontsize=8.5, color=WARNING, x=0.02, ha="left")
    figure.set_label(_caption(table, context))
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, metrics: list[str], limit: float) -> None:
    rho = rows.pivot(index="metric", columns="layer", values="rho").reindex(metrics)
    clear = rows.pivot(index="metric", columns="layer", values="q").reindex(metrics).to_numpy(float) < ALPHA
    axes.grid(False)
    axes.set_facecolor(ABSENT)
    axes.imshow(
        np.ma.masked_invalid(rho.to_numpy(float)),
        cmap="PuOr",
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        interpolation="none",
    )
    axes.plot(*np.nonzero(clear)[::-1], "o", color=INK, markersize=2.5)
    step = -(-rho.shape[1] // 16)
    axes.set_xticks(range(0, rho.shape[1], step), [str(layer) for layer in rho.columns[::step]])
    axes.tick_params(labelsize=8.5, colors=MUTED, length=0)
    axes.set_xlabel("layer (0: embeddings; i: after block i)", fontsize=8.5)


def _caption(table: pd.DataFrame, context: Context) -> str:
    found = table[table["rho"].notna()]
    best = claimed_row(table)
    said = f"{context.symbol} of each metric with memorability, by layer. Dots: q < {ALPHA}; grey: no value there."
    said += f" {count((found['q'] < ALPHA).sum())} of {count(len(found))} correlations shown have a dot."
    if best is not None:
        where = place_words(str(best["model"]), str(best["metric"]), best["layer"])
        said += f" Strongest: {context.label(best['metric']).title} {where}, {signed(best['rho'])}."
    return f"{said} {SYNTHETIC}" if context.synthetic else said
