"""A metric that each attention head has: its correlation with memorability as a map, layers across, heads down."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import CONTEXT, SYNTHETIC
from memjax.report.headline import claimed_row
from memjax.report.labels import Context, count, head_of, shorten, signed
from memjax.report.style import INK, MUTED, WARNING, style
from memjax.stats.strongest import ALPHA


def rho_by_head(table: pd.DataFrame, metric: str, context: Context = CONTEXT) -> Figure:
    """Correlation of one metric with memorability for each layer and head, a panel for each encoder; dots mark q < 0.05.

    Args:
        table: a correlation table whose metrics of heads are called ``<metric>_<head>``.
        metric: the metric, without a head.
        context: the coefficient, labels, and whether the data are generated.

    Raises:
        InputError: the table has no head of this metric.

    Example:
        >>> row = dict(model="a", metric="x_head_0", layer=1, rho=0.2, ci_low=0.1, ci_high=0.3, p=0.01, q=0.02, n=90)
        >>> rho_by_head(pd.DataFrame([row, row | {"metric": "x_head_1"}]), "x_head").axes[0].get_ylabel()
        'head'
    """
    heads = [found[1] if (found := head_of(name)) and found[0] == metric else -1 for name in table["metric"]]
    rows = table.assign(head=heads).query("head >= 0")
    if rows.empty:
        raise expected("rho_by_head", f"rows of {metric} by head", "none")
    models = [str(model) for model in pd.unique(rows["model"])]
    limit = float(np.nanmax(rows["rho"].abs(), initial=1e-12))
    label = context.label(metric)
    with style():
        figure = Chart(figsize=(8.5, 3.2 * len(models) + 1.2), layout="constrained")
        for axes, model in zip(figure.subplots(len(models), 1, squeeze=False).ravel(), models):
            _draw_map(axes, figure, rows[rows["model"] == model], (model, limit, context.symbol))
        title = shorten(f"{label.title} ({label.unit})" if label.unit else label.title, 90)
        figure.heading(title)
        if context.synthetic:
            figure.supxlabel(SYNTHETIC, fontsize=8.5, color=WARNING, x=0.02, ha="left")
    best = claimed_row(rows)
    strongest = "" if best is None else f" Strongest: {best['model']}, layer {best['layer']}, head {best['head']}, "
    strongest += "" if best is None else f"{signed(best['rho'])} of {count(len(rows))} correlations."
    end = f" {SYNTHETIC}" if context.synthetic else ""
    figure.set_label(
        f"{context.symbol} of {metric} with memorability by layer and head; a dot: q < {ALPHA}.{strongest}{end}"
    )
    return figure


def _draw_map(axes: Axes, figure: Figure, rows: pd.DataFrame, shown: tuple[str, float, str]) -> None:
    model, limit, symbol = shown
    grid = rows.pivot(index="head", columns="layer", values="rho")
    clear = rows.pivot(index="head", columns="layer", values="q").to_numpy(float) < ALPHA
    axes.grid(False)
    image = axes.imshow(grid.to_numpy(float), cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
    axes.plot(*np.nonzero(clear)[::-1], "o", color=INK, markersize=3)
    axes.set_xticks(range(grid.shape[1]), [str(layer) for layer in grid.columns])
    axes.set_yticks(range(len(grid)), [str(head) for head in grid.index])
    axes.tick_params(colors=MUTED, length=0)
    axes.set_xlabel("layer (block)")
    axes.set_ylabel("head")
    axes.set_title(f"{shorten(model)} · n = {count(rows['n'].max())}", loc="left", fontsize=8.5, color=MUTED)
    figure.colorbar(image, ax=axes, label=f"{symbol} with memorability")
