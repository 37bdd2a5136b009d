"""The readout of representations: what can be read from each layer's vectors, and from all of them together."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import Context, count, equals, interval_text, of_ceiling, shorten, signed
from memjax.report.page import Section
from memjax.report.panel import DASHED, ceiling_entry
from memjax.report.style import COLOURS, INK, MUTED, WARNING, style
from memjax.stats.reliability import Reliability
from memjax.stats.representations import ALL, ALL_LAYERS, BANDED, CHOSEN_LAYER, WITH_MEASURES, together_rows

TITLE = "Readout of representations"
NAMES = {"cls": "cls token", "mean": "mean of the patches", "both": "cls and mean", "pooled": "pooled output"}
TOGETHER = {WITH_MEASURES: "all layers and measures", BANDED: "all layers, a penalty for each encoder"}
"""Token -> what is read, of all layers together."""

LOOKS = {"cls": ("o", "-"), "mean": ("s", "--"), "both": ("D", "-"), "pooled": ("^", "-")}
"""Token -> marker and line."""

CAVEATS = (
    "Ridge regression on the standardised vectors themselves, not on measures of them: what a linear reader could get out. "
    "Folds, penalty, rho and intervals as in the readout of measures. One layer: that layer alone. Chosen: in every training "
    "part the layer and token that predict best inside it, so that the choice is paid for. All layers: every layer and token "
    "as a band of the same weight; a penalty each: each encoder with a weight of its own, chosen in every training part. "
    "p: the share of permutations of the scores with which all layers together do as well.",
)


def representation_sentences(table: pd.DataFrame, ceiling: Reliability | None) -> list[str]:
    """What all layers together reach, of each encoder and of all; a readout at chance has no share of the ceiling."""
    return [_sentence(row, ceiling) for row in together_rows(table).to_dict("records")]


def _sentence(row: dict, ceiling: Reliability | None) -> str:
    numbers = f"ρ = {signed(row['rho'])} {interval_text(row['ci_low'], row['ci_high'])}"
    numbers += equals("p", row["p"])
    what = TOGETHER.get(row["token"], "all layers")
    start = f"Readout of representations, {row['model']}: token vectors of {what} ({count(row['columns'])} columns)"
    if not row["ci_low"] > 0:
        return f"{start} do not predict unseen images better than chance: {numbers}, n = {count(row['n'])}."
    return f"{start} predict unseen images with {numbers}, n = {count(row['n'])}{of_ceiling(row['rho'], ceiling)}."


def representation_section(table: pd.DataFrame, context: Context, how: str) -> Section:
    """The readouts of token vectors as a part of the page, below `representation_sentences`, which stand in its lead.

    Args:
        table: from `memjax.stats.representations.read_representations`.
        context: its ceiling is Spearman's.
        how: folds and images in a sentence.
    """
    drawn = {"representations": rho_of_layers(table, context)}
    words = {ALL_LAYERS: "all", CHOSEN_LAYER: "chosen in the training part"}
    shown = table.assign(layer=[words.get(layer, layer) for layer in table["layer"]]).round(3)
    return Section(TITLE, [how, *CAVEATS], drawn, shown)


def rho_of_layers(table: pd.DataFrame, context: Context) -> Figure:
    """A panel an encoder: rho of each layer's vectors, a line a token, with bands; all layers together as a horizontal line.

    Raises:
        InputError: no row of a single layer.
    """
    single = table[table["layer"] >= 0]
    models = list(pd.unique(single["model"]))
    if not models:
        raise expected("rho_of_layers", "a row of a single layer", "none")
    with style():
        figure = Chart(figsize=(max(4.4 * len(models), 6.0), 4.6), layout="constrained")
        panels = figure.subplots(1, len(models), sharey=True, squeeze=False).ravel()
        for axes, model in zip(panels, models, strict=True):
            _draw(axes, table[table["model"] == model], context)
            axes.set_title(shorten(model, 44), loc="left", fontsize=9)
            axes.set_xlabel("layer (0: embeddings; i: after block i)")
        panels[0].set_ylabel("out-of-fold Spearman's ρ with memorability")
        title = "What can be read from each layer's vectors"
        figure.heading(title)
        figure.legend(handles=_entries(single, context.ceiling), loc="outside lower center", ncols=3)
        if context.synthetic:
            panels[0].text(0.02, 0.02, SYNTHETIC, transform=panels[0].transAxes, fontsize=7.5, color=WARNING)
    end = f" {SYNTHETIC}" if context.synthetic else ""
    figure.set_label(f"{title}: one layer's vectors at a time, with 95 % bands; dotted, all layers together.{end}")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, context: Context) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.9)
    for place, token in enumerate(NAMES):
        own = rows[(rows["token"] == token) & (rows["layer"] >= 0)].sort_values("layer")
        if not len(own):
            continue
        (marker, line), colour = LOOKS[token], COLOURS[place]
        axes.fill_between(own["layer"], own["ci_low"], own["ci_high"], color=colour, alpha=0.14, linewidth=0)
        axes.plot(own["layer"], own["rho"], marker=marker, linestyle=line, color=colour, markersize=4.5, linewidth=1.4)
    for rho in rows.loc[(rows["layer"] == ALL_LAYERS) & (rows["token"] == ALL), "rho"]:
        axes.axhline(rho, color=INK, linestyle=":", linewidth=1.6)
    if context.ceiling is not None:
        axes.axhline(context.ceiling.ceiling, color=MUTED, linestyle=DASHED, linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _entries(single: pd.DataFrame, ceiling: Reliability | None) -> list[Line2D]:
    there = set(single["token"])
    found = [
        Line2D([], [], color=COLOURS[i], marker=LOOKS[token][0], linestyle=LOOKS[token][1], label=NAMES[token])
        for i, token in enumerate(NAMES)
        if token in there
    ]
    found.append(Line2D([], [], color=INK, linestyle=":", label="all layers together"))
    return found if ceiling is None else [*found, ceiling_entry(ceiling)]
