"""A sparse autoencoder's rho by epoch of training, over seeds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import interval_text, legend_name
from memjax.report.panel import DASHED
from memjax.report.style import MUTED, WARNING, EncoderStyle, encoder_styles, style
from memjax.stats.reliability import Reliability

BAND = (
    "Band: 95 % interval over images; with several seeds the mean of the ends of their own intervals, which is no narrower than "
    "an interval of their mean. Bars: from the lowest to the highest seed."
)
"""What is drawn around each line, where intervals are known."""


def rho_by_epoch(table: pd.DataFrame, ceiling: Reliability | None = None, synthetic: bool = False) -> Figure:
    """Correlation of a sparse autoencoder's loss with memorability after each epoch: mean over seeds, with its interval.

    Args:
        table: columns ``model, epoch, mean, std, best, seeds``, and where intervals are known ``ci_low, ci_high, lowest,
            highest``: the band is then the interval over images, and bars show the seeds; else the band is one std of the seeds.
        ceiling: the human ceiling, drawn as a dashed line.
        synthetic: say in the figure that the data are generated.

    Raises:
        InputError: the table is empty.
    """
    if not len(table):
        raise expected("rho_by_epoch", "a table with at least one epoch", "an empty one")
    known = {"ci_low", "ci_high"} <= set(table.columns) and bool(table["ci_low"].notna().any())
    low = table["ci_low"] if known else table["mean"] - table["std"]
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for model, look in encoder_styles(table).items():
            _draw_model(axes, table[table["model"] == model], legend_name(model), look, known)
        if ceiling is not None:
            text = f"human ceiling {ceiling.ceiling:.2f} (split-half {ceiling.consistency:.2f})"
            axes.axhline(ceiling.ceiling, color=MUTED, linestyle=DASHED, linewidth=1.2, label=text)
        axes.set_xticks(_ticks(sorted(set(table["epoch"]))))
        axes.set_ylim(bottom=min(0.0, float(low.min()) - 0.03))
        axes.set_xlabel("epochs of training")
        axes.set_ylabel("Spearman's ρ with memorability")
        title = "Reconstruction loss of the sparse autoencoder"
        figure.heading(title)
        notes = ["band: 95 % interval over images · bars: lowest to highest seed"] if known else []
        notes += [SYNTHETIC] if synthetic else []
        axes.set_title("\n".join(notes), loc="left", fontsize=8.5, color=WARNING if synthetic else MUTED)
        figure.legend(loc="outside lower center")
    figure.set_label(_caption(table, known) + (f" {SYNTHETIC}" if synthetic else ""))
    return figure


def _caption(table: pd.DataFrame, known: bool) -> str:
    last = table.sort_values("epoch").groupby("model", sort=False).last()
    values = "; ".join(
        f"{model} {row['mean']:+.3f} {interval_text(row['ci_low'], row['ci_high']) if known else ''} (std {row['std']:.3f})"
        for model, row in last.iterrows()
    ).replace("  ", " ")
    text = f"Correlation of the sparse autoencoder's loss with memorability by epoch. After the last: {values}."
    return f"{text} {BAND}" if known else text


def _ticks(epochs: list[int]) -> list[int]:
    """Every epoch, or of many every few."""
    return epochs[:: max(1, -(-len(epochs) // 12))]


def _draw_model(axes: Axes, rows: pd.DataFrame, name: str, look: EncoderStyle, known: bool) -> None:
    """A line with its band; the seeds as bars, or as the band where no intervals are known."""
    seeds, epochs = int(rows["seeds"].iloc[0]), rows["epoch"]
    ends = (rows["ci_low"], rows["ci_high"]) if known else (rows["mean"] - rows["std"], rows["mean"] + rows["std"])
    axes.fill_between(epochs, *ends, color=look.colour, alpha=0.2, lw=0)
    if known and seeds > 1:
        axes.vlines(epochs, rows["lowest"], rows["highest"], color=look.colour, lw=3, alpha=0.6)
    line = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
    axes.plot(epochs, rows["mean"], label=f"{name} (mean of {seeds} seeds)", **line)
