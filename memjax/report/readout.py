"""The cross-validated readout: its rho beside the best single measure and the ceiling, and its layer x metric maps.

Tables are those of `memjax.stats.readouts`: `readout_table` (one row a readout) and `weight_table` (one row a column).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import (
    Context,
    column_words,
    count,
    equals,
    interval_text,
    is_number,
    layer_words,
    of_ceiling,
    shorten,
    signed,
)  # fmt: skip
from memjax.report.page import Section
from memjax.report.panel import DASHED, ceiling_entry
from memjax.report.style import COLOURS, MUTED, WARNING, style
from memjax.stats.reliability import Reliability

READOUT_TITLE = "Readout: all measures together"
CONTEXT = Context()
SHOWN = 20
"""Rows of the table of importance in the section."""
MANY = 3
"""Encoders up to which each has its sentence and its maps on the page."""


def readout_section(table: pd.DataFrame, weights: pd.DataFrame, context: Context, how: str) -> Section:
    """The readout as a part of the report page, below `sentences`, which stand in its lead.

    Args:
        table: from `memjax.stats.readouts.readout_table`.
        weights: from `memjax.stats.readouts.weight_table`.
        context: its ceiling is Spearman's.
        how: folds and groups in a sentence.
    """
    models = [str(model) for model in pd.unique(weights["model"])]
    on_page = models if len(models) <= MANY else [best_encoder(table)]
    files = {f"readout_{kind}_{model}": layer_map(weights, model, kind, context) for kind in MAPS for model in models}
    drawn = {name: files[name] for kind in MAPS for model in on_page if (name := f"readout_{kind}_{model}")}
    best = weights.dropna(subset="importance").sort_values("importance", ascending=False, kind="stable").head(SHOWN)
    shown = best.assign(metric=[context.label(m).title for m in best["metric"]])
    return Section(
        READOUT_TITLE,
        [
            how,
            *CAVEATS,
            *_notes(table, weights, context),
            *([] if on_page == models else [f"The maps are {on_page[0]}'s; figures/ has those of every encoder."]),
            f"The table lists the {len(shown)} columns of largest importance.",
        ],
        {"readout": readout_beside(table, context), **drawn},
        shown.rename(columns={"importance": "fall of rho when shuffled", "weight": "weight (score per SD)"}),
        files=files,
    )


def best_encoder(table: pd.DataFrame) -> str:
    """The encoder whose readout has the largest rho; the last row is that of all encoders together, where there are several."""
    own = table[:-1] if len(table) > 1 else table
    return str(own["model"].iloc[int(np.nan_to_num(own["rho"].to_numpy(float), nan=-np.inf).argmax())])


CAVEATS = (
    "Ridge regression; the penalty is chosen inside each training part, and every prediction is of an image that the model was "
    "not fitted on. Rho is taken within each fold (with held-out groups: within each group), where all predictions come from one "
    "model: of scores shuffled at random its mean is 0. The interval takes in which images were drawn and what was fitted; p is "
    "the share of permutations of the scores with which the whole procedure does as well.",
    "The best single measure was picked from the same images, which flatters it. Measures that go together share their "
    "weight and stand in for each other when one is shuffled: a small weight or importance does not mean no relation.",
)


def sentences(table: pd.DataFrame, ceiling: Reliability | None, labels: pd.DataFrame | None = None) -> list[str]:
    """What each readout reaches: rho, interval, p, n, the best single measure; what labels alone do, and what it adds to them.

    A readout whose interval reaches 0 is said to be at chance, and has no share of the ceiling.

    Args:
        table: from `memjax.stats.readouts.readout_table`.
        ceiling: of Spearman's rho.
        labels: from `memjax.stats.readouts.label_table`.
    """
    found = [_sentence(row, ceiling) for row in table.to_dict("records")]
    if len(table) > MANY + 1:
        own, best = table[:-1], best_encoder(table)
        largest = list(own["model"]).index(best)
        found = [found[largest], _others(own.loc[own["model"] != best, "rho"]), found[-1]]
    if labels is None or not len(labels):
        return found
    widest = labels[labels["model"] == table["model"].iloc[-1]]
    return found + [_label_sentence(row) for row in widest.to_dict("records")]


def above_chance(row: Mapping) -> bool:
    """Whether a readout's interval lies above 0."""
    return bool(row["ci_low"] > 0)


def _sentence(row: dict, ceiling: Reliability | None) -> str:
    grouped = row["within"] == "group"
    ends = f" {interval_text(row['ci_low'], row['ci_high'])}" if is_number(row["ci_low"]) else ""
    numbers = f"ρ = {signed(row['rho'])}{ends}" + (
        f" within groups, {signed(row['pooled_rho'])} over all" if grouped else ""
    )
    numbers += equals("p", row["p"])
    start = f"Cross-validated readout, {row['model']}: {count(row['columns'])} measures together"
    what = "images of unseen groups" if grouped else "unseen images"
    if not above_chance(row):
        return f"{start} do not predict {what} better than chance: {numbers}, n = {count(row['n'])}."
    return (
        f"{start} predict {what} with {numbers}, n = {count(row['n'])}{of_ceiling(row['rho'], ceiling)}; the best "
        f"single measure ({column_words(row['best_single'])}) has {signed(row['best_single_rho'])}"
        f"{of_ceiling(row['best_single_rho'], ceiling)}."
    )


def _others(rho: pd.Series) -> str:
    """What stands after the largest of many encoders' readouts."""
    return (
        f"It is the largest of {len(rho) + 1} encoders' readouts, picked after the fact, which flatters it; the others have "
        f"ρ = {signed(rho.min())} to {signed(rho.max())}."
    )


def _label_sentence(row: dict) -> str:
    """What labels alone predict, and whether the readout adds to them."""
    more = f"{signed(row['increment'])} {interval_text(row['increment_low'], row['increment_high'])}"
    adds = "adds" if row["increment_low"] > 0 else "does not clearly add"
    return (
        f"The {row['kinds']} labels of {row['labels']} alone predict them with ρ = {signed(row['labels_rho'])} "
        f"{interval_text(row['labels_low'], row['labels_high'])}; the readout, {row['model']}, {adds} to that: "
        f"{signed(row['both_rho'])} together, a difference of {more}."
    )


def readout_beside(table: pd.DataFrame, context: Context = CONTEXT) -> Figure:
    """Each readout's rho with its interval, the best single measure's ``|rho|``, and the ceiling, on one scale.

    Args:
        table: from `memjax.stats.readouts.readout_table`.
        context: its ceiling, Spearman's, is a dashed line.

    Raises:
        InputError: the table is empty.
    """
    if not len(table):
        raise expected("readout_beside", "a table with at least one readout", "an empty one")
    with style():
        figure = Chart(figsize=(9.0, 0.55 * len(table) + 2.0), layout="constrained")
        axes = figure.add_subplot()
        for place, row in enumerate(table.to_dict("records")):
            axes.hlines(place, row["ci_low"], row["ci_high"], color=COLOURS[0], linewidth=2.5)
            axes.plot(row["rho"], place, "o", color=COLOURS[0], markersize=8)
            axes.plot(abs(row["best_single_rho"]), place, "D", color=COLOURS[1], markerfacecolor="white", mew=1.5)
        if context.ceiling is not None:
            axes.axvline(context.ceiling.ceiling, color=MUTED, linestyle=DASHED, linewidth=1.2)
        axes.axvline(0, color=MUTED, linewidth=0.9)
        axes.set_yticks(range(len(table)), [shorten(str(model), 34) for model in table["model"]])
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.set_xlabel("Spearman's ρ with memorability")
        _titles(
            figure,
            axes,
            "All measures together, beside the best one",
            f"n = {count(table['n'].max())}",
            context.synthetic,
        )
        figure.legend(handles=_entries(context.ceiling), loc="outside lower center", ncols=3)
    end = f" {SYNTHETIC}" if context.synthetic else ""
    figure.set_label(f"All measures together, beside the best single one, with 95 % intervals.{end}")
    return figure


def _entries(ceiling: Reliability | None) -> list[Line2D]:
    single = {"color": COLOURS[1], "marker": "D", "linestyle": "", "markerfacecolor": "white"}
    entries = [
        Line2D([], [], color=COLOURS[0], marker="o", label="readout, out of fold, 95 %"),
        Line2D([], [], label="best single measure, |ρ|", **single),
    ]
    return entries if ceiling is None else [*entries, ceiling_entry(ceiling)]


def _notes(table: pd.DataFrame, weights: pd.DataFrame, context: Context) -> list[str]:
    """Columns that were left out, and penalties at the ends of their range."""
    unused = weights[weights["weight"].isna()]
    notes = []
    if len(unused):
        names = ", ".join(dict.fromkeys(context.label(metric).title for metric in unused["metric"]))
        notes.append(f"{len(unused)} columns are constant or multiples of another and left out, of: {names}.")
    for row in table[table["at_ends"] > 0].to_dict("records"):
        notes.append(
            f"{row['model']}: {row['at_ends']} of {row['fits']} models have the smallest or largest penalty offered."
        )
    return notes


MAPS = {
    "weights": ("weight", "PuOr", "score per standard deviation", "Readout weights"),
    "importance": ("importance", "PuOr", "fall of ρ when shuffled", "Readout importance"),
}
"""Kind of map -> its column, colours, unit, title."""


def layer_map(table: pd.DataFrame, model: str, kind: str = "weights", context: Context = CONTEXT) -> Figure:
    """Weights or permutation importance of a readout, layers across, metrics down; 0 is white, an empty cell grey.

    Args:
        table: from `memjax.stats.readouts.weight_table`.
        model: which encoder of the table.
        kind: ``"weights"`` (the sign is that of the relation with memory, all else held) or ``"importance"``.
        context: labels, and whether to say that the data are generated.

    Raises:
        InputError: no row of this encoder, or another kind.
    """
    if kind not in MAPS:
        raise expected("layer_map kind", " or ".join(MAPS), repr(kind))
    rows = table[table["model"] == model]
    if not len(rows):
        raise expected("layer_map", f"rows of {model}", "none")
    column, colours, unit, title = MAPS[kind]
    grid = rows.pivot(index="metric", columns="layer", values=column).reindex(pd.unique(rows["metric"]))
    values = grid.to_numpy(float)
    limit = float(np.nanmax(np.abs(values), initial=1e-12))
    with style():
        figure = Chart(figsize=(8.5, 0.38 * len(grid) + 2.0), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(False)
        axes.set_facecolor("#dddddd")
        image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
        axes.set_xticks(range(grid.shape[1]), [str(layer) for layer in grid.columns])
        axes.set_yticks(range(len(grid)), [shorten(context.label(metric).title, 48) for metric in grid.index])
        axes.tick_params(labelsize=11, colors=MUTED, length=0)
        axes.set_xlabel("layer (0: embeddings; i: after block i)", fontsize=11)
        _titles(figure, axes, f"{title}, {shorten(model)}", "grey: no value there", context.synthetic)
        figure.colorbar(image, ax=axes, label=unit)
    figure.set_label(_map_caption(kind, model, rows, context) + (f" {SYNTHETIC}" if context.synthetic else ""))
    return figure


def _map_caption(kind: str, model: str, rows: pd.DataFrame, context: Context) -> str:
    column = MAPS[kind][0]
    known = rows.dropna(subset=column)
    most = known.loc[known[column].abs().idxmax()] if len(known) else None
    where = "" if most is None else layer_words(most["metric"], most["layer"])
    largest = "" if most is None else f" Largest: {context.label(most['metric']).title}{where}."
    if kind == "weights":
        return (
            f"Weights of the ridge readout on {model}: change of the predicted score per standard deviation.{largest}"
        )
    return f"Permutation importance in the readout on {model}: fall of the out-of-fold ρ when one column is shuffled.{largest}"


def _titles(figure: Figure, axes: Axes, title: str, note: str, synthetic: bool) -> None:
    figure.heading(shorten(title, 90))
    text = f"{note}\n{SYNTHETIC}" if synthetic else note
    axes.set_title(text, loc="left", fontsize=8.5, color=WARNING if synthetic else MUTED)
