"""The figure of several data sets, and what to say of their means."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import count, equals, interval_text, shorten, signed
from memjax.report.style import COLOURS, INK, MUTED, WARNING, style

ALPHA = 0.05
FIRST_OF = ("both", "cls", "mean", "pooled")
"""Tokens, the first of which that was read is drawn."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")


def shown_of(table: pd.DataFrame, model: str) -> tuple[str, str]:
    """What a panel shows of an encoder: ``reads`` and ``what``; of measures that of the smallest p."""
    own = table[(table["model"] == model) & (table["layer"] >= 0)]
    tokens = set(own.loc[own["reads"] == "token vectors", "what"])
    for token in FIRST_OF:
        if token in tokens:
            return "token vectors", token
    best = own.loc[own["p"].idxmin()]
    return str(best["reads"]), str(best["what"])


def compare_figure(rows: pd.DataFrame, table: pd.DataFrame, method: str, synthetic: bool = False) -> Figure:
    """A panel an encoder: rho by layer, a line a data set with its interval, and the mean over data sets.

    Args:
        rows: ``dataset, reads, model, what, layer, rho, ci_low, ci_high``.
        table: of the means.
        method: of the correlations.
        synthetic: whether scores are made up.
    """
    models = [m for m in pd.unique(table["model"]) if ((table["model"] == m) & (table["layer"] >= 0)).any()]
    title = "Memorability in several data sets, layer by layer"
    with style():
        figure = Chart(figsize=(max(4.8 * len(models), 6.4), 4.8), layout="constrained")
        panels = figure.subplots(1, max(len(models), 1), sharey=True, squeeze=False).ravel()
        for axes, model in zip(panels, models, strict=False):
            reads, what = shown_of(table, model)
            chosen = [
                one[(one["model"] == model) & (one["reads"] == reads) & (one["what"] == what)] for one in (rows, table)
            ]
            _draw(axes, chosen[0], chosen[1], list(pd.unique(rows["dataset"])))
            of = f"readout of {what}" if reads == "token vectors" else what
            axes.set_title(f"{shorten(model, 40)}\n{of}", loc="left", fontsize=9)
            axes.set_xlabel("layer (0: embeddings; i: after block i)")
        panels[0].set_ylabel(f"{'Spearman' if method == 'spearman' else method} correlation with memorability")
        figure.heading(title)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        if synthetic:
            panels[0].text(0.02, 0.02, SYNTHETIC, transform=panels[0].transAxes, fontsize=7.5, color=WARNING)
    figure.set_label(f"{title}: a line a data set, with intervals; black: random-effects mean over data sets.")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, means: pd.DataFrame, names: list[str]) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.9)
    for place, name in enumerate(names):
        own = rows[(rows["dataset"] == name) & (rows["layer"] >= 0)].sort_values("layer")
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        axes.fill_between(own["layer"], own["ci_low"], own["ci_high"], color=colour, alpha=0.14, linewidth=0)
        axes.plot(
            own["layer"], own["rho"], color=colour, marker=marker, markersize=4.5, linewidth=1.4, label=shorten(name)
        )
    mean = means[means["layer"] >= 0].sort_values("layer")
    axes.plot(mean["layer"], mean["rho"], color=INK, linestyle=":", linewidth=1.6, label="mean over data sets")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def compare_sentences(table: pd.DataFrame) -> list[str]:
    """Which means differ from 0, the surest of them, and whether data sets differ: a line a kind of row.

    Example:
        >>> row = {"reads": "measure", "model": "m", "what": "cls_norm", "layer": 3, "datasets": 3, "rho": 0.2, "ci_low": 0.1}
        >>> row |= {"ci_high": 0.3, "p": 0.004, "q": 0.008, "tau": 0.05, "i2": 0.6, "p_same": 0.03}
        >>> row |= {"everywhere": True}
        >>> compare_sentences(pd.DataFrame([row, row | {"layer": 4, "p": 0.4, "q": 0.4}]))[0]
        '1 of 2 means of measures over data sets differ from 0 (q < 0.05).'
    """
    said = []
    for reads, own in table.groupby("reads", sort=False):
        clear, same = int((own["q"] < ALPHA).sum()), int(own["everywhere"].sum())
        of = f"{count(len(own))} means of {reads.removesuffix('s')}s over data sets"
        said.append(f"{count(clear)} of {of} differ from 0 (q < {ALPHA}).")
        said.append(f"  in {count(same)} the interval of every data set lies on the same side of 0")
        best = own.loc[own["p"].idxmin()].to_dict()
        said.append(f"  the surest: {_mean(best)}")
    return said


def _mean(row: dict) -> str:
    layer = f", layer {row['layer']}" if row["layer"] >= 0 else ""
    differ = "data sets differ" if row["p_same"] < ALPHA else "that data sets differ is not settled"
    return (
        f"{row['model']}, {row['what']}{layer}: mean {signed(row['rho'])} {interval_text(row['ci_low'], row['ci_high'])}"
        f"{equals('p', row['p'])}, {count(row['datasets'])} data sets, I² {100 * row['i2']:.0f} %: {differ}"
        f"{equals('p', row['p_same'])}"
    )
