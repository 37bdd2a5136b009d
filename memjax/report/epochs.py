"""A sparse autoencoder's rho by epoch of training, over seeds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import legend_name
from memjax.report.panel import DASHED
from memjax.report.style import INK, MUTED, WARNING, EncoderStyle, encoder_styles, style
from memjax.stats.reliability import Reliability


def rho_by_epoch(table: pd.DataFrame, ceiling: Reliability | None = None, synthetic: bool = False) -> Figure:
    """Correlation of a sparse autoencoder's loss with memorability after each epoch: mean over seeds, band of one std.

    Args:
        table: columns ``model, epoch, mean, std, best, seeds``.
        ceiling: the human ceiling, drawn as a dashed line.
        synthetic: say in the figure that the data are generated.

    Raises:
        InputError: the table is empty.
    """
    if not len(table):
        raise expected("rho_by_epoch", "a table with at least one epoch", "an empty one")
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for model, look in encoder_styles(table).items():
            _draw_model(axes, table[table["model"] == model], legend_name(model), look)
        if ceiling is not None:
            text = f"human ceiling {ceiling.ceiling:.2f} (split-half {ceiling.consistency:.2f})"
            axes.axhline(ceiling.ceiling, color=MUTED, linestyle=DASHED, linewidth=1.2, label=text)
        axes.set_xticks(sorted(set(table["epoch"])))
        lowest = float((table["mean"] - table["std"]).min())
        axes.set_ylim(bottom=min(0.0, lowest - 0.03))
        axes.set_xlabel("epochs of training")
        axes.set_ylabel("Spearman's ρ with memorability")
        title = "Reconstruction loss of the sparse autoencoder"
        figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold", color=INK)
        if synthetic:
            axes.set_title(SYNTHETIC, loc="left", fontsize=8.5, color=WARNING)
        figure.legend(loc="outside lower center")
    last = table.sort_values("epoch").groupby("model", sort=False).last()
    values = "; ".join(f"{model} {row['mean']:+.3f} (std {row['std']:.3f})" for model, row in last.iterrows())
    figure.set_label(
        f"Correlation of the sparse autoencoder's loss with memorability by epoch. After the last: {values}."
        + (f" {SYNTHETIC}" if synthetic else "")
    )
    return figure


def _draw_model(axes: Axes, rows: pd.DataFrame, name: str, look: EncoderStyle) -> None:
    low, high = rows["mean"] - rows["std"], rows["mean"] + rows["std"]
    axes.fill_between(rows["epoch"], low, high, color=look.colour, alpha=0.2, lw=0)
    line = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
    axes.plot(rows["epoch"], rows["mean"], label=f"{name} (mean of {rows['seeds'].iloc[0]} seeds)", **line)
