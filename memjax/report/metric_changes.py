"""What the loss of each block's attention or MLP does to the metrics: a figure, and the heads whose loss does most."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.metrics import METRICS
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC_IMAGE
from memjax.report.labels import interval_text, is_per_image, metric_label, shorten, signed
from memjax.report.page import Section
from memjax.report.style import INK, MUTED, WARNING, style

PARTS = {"attention": "attention", "mlp": "MLP"}
COLUMNS = 4
LISTED = 30
"""Rows of the page's table; all are in the file."""

NOTES = (
    "A change is given in standard deviations of the metric over images, at the same layer of the encoder as it is: 1 moves the "
    "average image by as much as images differ. Layers before the edited block cannot change and are left white.",
    "The table lists the largest; all of them, with intervals, are in metric_effects.csv. Each interval is of its row by itself.",
)


def metric_changes_figure(table: pd.DataFrame, model: str, synthetic: bool = False) -> Figure:
    """A map a metric and part, edited block x layer of the metric, in standard deviations over images.

    Args:
        table: of `memjax.causes.table.metric_effects_table`.
        model: the encoder.
        synthetic: say that the images are generated.
    """
    rows = table[(table["model"] == model) & table["part"].isin(list(PARTS))]
    metrics = [
        name for name in map(str, rows["metric"].unique()) if not is_per_image(name) and not _repeated(name, rows)
    ]
    groups = [metrics[i : i + COLUMNS] for i in range(0, len(metrics), COLUMNS)]
    lines = [(part, some) for some in groups for part in PARTS]
    with style():
        figure = Chart(figsize=(2.8 * COLUMNS, 1.2 + 2.3 * max(len(lines), 1)), layout="constrained")
        grid = figure.subplots(max(len(lines), 1), COLUMNS, squeeze=False)
        for axes, (part, some) in zip(grid, lines, strict=False):
            _draw_line(list(axes), rows[rows["part"] == part], some, PARTS[part])
        title = f"What the loss of a part does to the metrics · {shorten(model)}"
        figure.heading(title)
        note = "Mean change over images, in standard deviations of the metric over images."
        note += f" {SYNTHETIC_IMAGE}" if synthetic else ""
        figure.supxlabel(note, fontsize=8.5, color=WARNING if synthetic else MUTED, x=0.02, ha="left")
        figure.set_label(f"{title}: edited block by layer of the metric. {note}")
    return figure


def metric_changes_section(table: pd.DataFrame, drawn: Mapping[str, Figure]) -> Section:
    """The part of the page.

    Args:
        table: of `memjax.causes.table.metric_effects_table`.
        drawn: `metric_changes_figure` of each encoder.
    """
    heads = table[(table["part"] == "head") & np.isfinite(table["size"])]
    heads = heads[[not _repeated(name, table) for name in heads["metric"]]]
    rows = heads.loc[heads["size"].abs().sort_values(ascending=False).index[:LISTED]]
    shown = rows[["model", "layer", "metric", "at", "effect"]].rename(columns={"layer": "block", "at": "at layer"})
    shown.insert(2, "head", (rows["head"] + 1).astype(str))
    shown = shown.assign(interval=list(map(interval_text, rows["ci_low"], rows["ci_high"])))
    shown = shown.assign(**{"in sd over images": rows["size"].map(signed)})
    return Section("What the loss of a part does to the metrics", NOTES, drawn, shown, wide=True)


def _repeated(metric: str, table: pd.DataFrame) -> bool:
    """Whether another metric of the table is this one but for a factor."""
    return metric in METRICS and METRICS[metric].multiple_of in set(table["metric"])


def _draw_line(line: Sequence[Axes], rows: pd.DataFrame, metrics: Sequence[str], part: str) -> None:
    """Maps of some metrics beside each other."""
    for axes, metric in zip(line, metrics, strict=False):
        _draw(axes, rows[rows["metric"] == metric].pivot(index="layer", columns="at", values="size"))
        title = "\n".join(textwrap.wrap(metric_label(metric).title, 36))
        axes.set_title(f"{title}\nwithout the {part}", loc="left", fontsize=8, color=INK)
    for axes in line[len(metrics) :]:
        axes.axis("off")
    line[0].set_ylabel("edited block")


def _draw(axes: Axes, values: pd.DataFrame) -> None:
    """One map, with its own scale."""
    most = float(np.nanmax(np.abs(values.to_numpy()), initial=0.0)) or 1.0
    ends = (values.columns.min() - 0.5, values.columns.max() + 0.5, values.index.max() + 0.5, values.index.min() - 0.5)
    shown = axes.imshow(values.to_numpy(), cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto", extent=ends)
    axes.set_xlabel("layer of the metric", fontsize=8)
    axes.tick_params(labelsize=7.5)
    axes.grid(visible=False)
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(shown, ax=axes, shrink=0.9)
    bar.ax.tick_params(labelsize=7)
