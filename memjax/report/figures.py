"""Figures of a run. Each function returns a `matplotlib.figure.Figure` and touches no global state.

Each figure carries its title, ``n`` and method; its label (``figure.get_label()``) is its caption in words, which the
report page prints below it. Encoder colours and markers follow the order of models in the table, so that they are the
same in all figures made from one table. In a notebook, ``%matplotlib inline`` makes a returned figure show itself.

Tables are correlation tables: columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``. A NaN leaves a gap.
"""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.chart import PNG_DPI, Chart, laid_out_once
from memjax.report.labels import Context, count, interval_text, is_per_image, layer_words, plain, shorten, signed
from memjax.report.panel import across_label, ceiling_with_room, draw_panel, legend_entries, strongest_side
from memjax.report.pdf_fonts import shared_fonts
from memjax.report.strongest import too_few
from memjax.report.style import COLOURS, INK, MUTED, WARNING, encoder_styles, style
from memjax.stats.strongest import FEWEST
from memjax.stats.table import CORRELATION_COLUMNS

SYNTHETIC = "Synthetic data: generated images and scores, no human memory."
SYNTHETIC_IMAGE = "Synthetic: a generated image, seen by no one."
CONTEXT = Context()
MANY = 2000
"""Images from which a scatter counts them in hexagons."""


def rho_by_layer(
    table: pd.DataFrame,
    metric: str,
    context: Context = CONTEXT,
) -> Figure:
    """Correlation of one metric with memorability at each layer: a line for each encoder, its interval as a band.

    Args:
        table: a correlation table.
        metric: which metric of the table.
        context: the coefficient, the ceiling (a dashed line), labels, and whether the data are generated.

    Raises:
        InputError: the table lacks a column, or has no row of this metric.

    Example:
        >>> import pandas as pd
        >>> row = dict(model="a", metric="cls_mean", rho=0.2, ci_low=0.1, ci_high=0.3, p=0.01, q=0.02, n=90)
        >>> rho_by_layer(pd.DataFrame([row | {"layer": i} for i in range(3)]), "cls_mean").axes[0].get_ylabel()
        "Spearman's ρ with memorability"
    """
    rows = _rows(table, metric)
    shown = {model: look for model, look in encoder_styles(table).items() if model in set(rows["model"])}
    label = context.label(metric)
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        ceiling = ceiling_with_room(rows, context.ceiling)
        draw_panel(axes, rows, shown, ceiling, strongest_side(rows))
        axes.set_xlabel(across_label(rows))
        axes.set_ylabel(f"{context.symbol} with memorability")
        figure.heading(f"{label.title} ({label.unit})" if label.unit else label.title)
        axes.set_title(_subtitle(rows, context), loc="left", fontsize=8.5, color=_note_colour(context.synthetic))
        handles = legend_entries(shown, context.ceiling, ceiling is not None)
        figure.legend(handles=handles, loc="outside lower center", ncols=_legend_columns(shown))
        figure.set_label(_caption(rows, metric, context))
    return figure


def overview(table: pd.DataFrame, context: Context = CONTEXT) -> Figure:
    """All metrics as small multiples with one scale, so that their sizes can be compared by eye. See `rho_by_layer`."""
    _check_columns(table)
    metrics, styles = list(pd.unique(table["metric"])), encoder_styles(table)
    columns = min(3, len(metrics))
    lines = -(-len(metrics) // columns)
    with style():
        figure = Chart(figsize=(max(2.7 * columns, 5.4), 2.0 * lines + 1.6), layout="constrained")
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        ceiling = ceiling_with_room(table, context.ceiling)
        for axes, metric in zip(grid, metrics):
            draw_panel(axes, table[table["metric"] == metric], styles, ceiling, strongest_side(table), size=3.5)
            axes.set_title("\n".join(textwrap.wrap(context.label(metric).title, 34)), loc="left", fontsize=8.5)
            axes.tick_params(labelsize=8, labelleft=True)
            axes.set_xlabel(across_label(table, short=True), fontsize=8)
        for axes in grid[len(metrics) :]:
            axes.remove()
        figure.supylabel(f"{context.symbol} with memorability", fontsize=9)
        figure.heading("Correlation with memorability by layer, all metrics")
        figure.legend(
            handles=legend_entries(styles, context.ceiling, ceiling is not None),
            loc="outside lower center",
            ncols=_legend_columns(styles),
            title=_subtitle(table, context),
            title_fontsize=8.5,
        )
        figure.set_label(
            f"{context.symbol} between each metric and memorability, by layer; one vertical scale. "
            + _subtitle(table, context).replace("\n", ". ")
        )
    return figure


def score_scatter(
    values: Float[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    of: tuple[str, str, int],
    context: Context = CONTEXT,
    colour: str = COLOURS[0],
) -> Figure:
    """A metric's value against the score of each image, with the median score in ten groups of equal size.

    From `MANY` images on, the dots are counted in hexagons: the darker, the more images.

    Args:
        values: the metric at one layer, NaN where it has none (left out).
        scores: memorability, same order.
        of: model, metric and layer that ``values`` are of, for the title.
        context: labels, and whether to say that the data are generated.
        colour: the encoder's colour.
    """
    model, metric, layer = of
    kept = np.isfinite(values) & np.isfinite(scores)
    x, y = values[kept], scores[kept]
    label = context.label(metric)
    title = f"{label.title}{layer_words(metric, layer)}"
    with style():
        figure = Chart(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        if len(x) >= MANY:
            axes.hexbin(x, y, gridsize=36, mincnt=1, bins="log", cmap="Blues", linewidths=0.1, rasterized=True)
        else:
            axes.scatter(
                x, y, s=14 if len(x) < 1000 else 6, alpha=0.45, color=colour, linewidths=0, rasterized=len(x) > 500
            )
        if len(x) >= 50:
            groups = np.array_split(np.argsort(x, kind="stable"), 10)
            centres, medians = [np.median(x[g]) for g in groups], [np.median(y[g]) for g in groups]
            axes.plot(centres, medians, "o-", color=INK, markersize=5, linewidth=1.5, label="median of each tenth")
            figure.legend(loc="outside lower center")
        axes.set_xlabel(f"{label.title} ({label.unit})" if label.unit else label.title)
        axes.set_ylabel("memorability (score of the data set)")
        figure.heading(title)
        dots = "darker hexagons hold more images" if len(x) >= MANY else "each dot an image"
        note = f"{shorten(model)} · n = {count(len(x))} images" + (f"\n{SYNTHETIC}" if context.synthetic else "")
        axes.set_title(note, loc="left", fontsize=8.5, color=_note_colour(context.synthetic))
        figure.set_label(f"{title} of {model} against memorability; {dots}, n = {count(len(x))}.")
    return figure


def save_figure(figure: Figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Write ``name.png`` (200 dpi) and ``name.pdf``; the same bytes each time (no dates). Returns both paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    with style(), shared_fonts(), laid_out_once([figure]):
        figure.savefig(png, dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
        figure.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return png, pdf


def _check_columns(table: pd.DataFrame) -> None:
    missing = [column for column in CORRELATION_COLUMNS if column not in table.columns]
    if missing:
        raise expected(
            "correlation table", f"columns {', '.join(CORRELATION_COLUMNS)}", f"none named {', '.join(missing)}"
        )


def _rows(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    _check_columns(table)
    rows = table[table["metric"] == metric]
    if rows.empty:
        raise expected("metric", f"one of {', '.join(map(str, pd.unique(table['metric'])))}", repr(metric))
    return rows


def _note_colour(synthetic: bool) -> str:
    return WARNING if synthetic else MUTED


def _subtitle(rows: pd.DataFrame, context: Context) -> str:
    low, high = rows["n"].min(), rows["n"].max()
    n = count(low) if low == high else f"{count(low)} to {count(high)}"
    kind = "interval, too few images for a claim" if high < FEWEST else "bootstrap interval of each value"
    text = f"n = {n} images · band: {100 * context.level:g} % {kind}"
    return f"{text}\n{SYNTHETIC}" if context.synthetic else text


def _legend_columns(names: object) -> int:
    return 1 if max((len(str(name)) for name in names), default=0) > 34 else 2  # type: ignore[union-attr]


def _caption(rows: pd.DataFrame, metric: str, context: Context) -> str:
    """The figure in words: what is shown and, for each encoder, its strongest layer."""
    title = context.label(metric).title
    title = title[0].lower() + title[1:]
    parts = [f"{context.symbol} between {title} ({metric}) and memorability."]
    found = rows[rows["rho"].notna()]
    for model, group in found[found["n"] >= FEWEST].groupby("model", sort=False):
        best = group.loc[group["rho"].abs().idxmax()]
        ends = interval_text(best["ci_low"], best["ci_high"])
        start = f"In {model}: " if is_per_image(metric) else f"Strongest in {model}: layer {best['layer']}, "
        parts.append(f"{start}{signed(best['rho'])} {ends}.")
    if found.empty:
        parts.append("No value at any layer (constant or undefined).")
    if (few := found.loc[found["n"] < FEWEST, "n"]).any():
        parts.append(too_few(int(few.max())))
    kind = "intervals" if len(few) == len(found) else "bootstrap intervals"
    parts.append(f"Bands are {plain(100 * context.level)} % {kind}, each for one correlation on its own.")
    return " ".join([*parts, SYNTHETIC] if context.synthetic else parts)
