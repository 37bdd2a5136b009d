"""Causes in a figure and on a page: what the score loses or gains without each head, MLP and block of an encoder."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC_IMAGE
from memjax.report.labels import count, interval_text, shorten, signed
from memjax.report.page import Section
from memjax.report.style import COLOURS, INK, MUTED, WARNING, style

ABLATIONS = {
    "mean": "replaced by its mean over the images",
    "zero": "set to zero",
    "resample": "replaced by that of other images",
}
"""What is done to a head or an MLP -> in words."""

_PARTS = {"head": "head {head}", "attention": "attention", "mlp": "MLP"}

LINES = {"attention": "attention, all heads", "mlp": "MLP", "block": "the whole block"}
"""Parts of a block that are drawn as lines."""

CAUSES_TITLE = "What the predicted score hangs on"
CAVEATS = (
    "Read ρ with the plain scores first: a change that is the same for every image leaves their order, and tells nothing that "
    "a correlation with memorability could see.",
    "These are causes of the PREDICTED score. Whether people's memory hangs on the same, no edit of an encoder tells.",
    "Effects do not add up: what one part takes over from another is not seen when one is taken out at a time. Each interval "
    "is of its row by itself; of a hundred parts some exclude 0 by chance.",
    "An encoder without a part was not trained to be so: what it then makes of a photograph is outside of what it has learnt.",
)
"""What every reading of the table needs."""

LATENT_NOTES = (
    "What a latent adds to the stream is taken out where its autoencoder reads it; what the autoencoder misses stays. Those of "
    "each autoencoder with the largest mean size (its largest value, as a length in the stream) were taken out, one at a time.",
    "An image for which a latent does not fire has a change of 0 and counts in the mean. Latents of one layer share what they "
    "describe: taking out one does not tell what the others would take over.",
)

COLOURS_OF_EFFECTS, COLOURS_OF_ORDER = "PuOr", "Greys"
"""Purple: without the head the score is higher; orange: lower."""


def causes_section(table: pd.DataFrame, drawn: Mapping[str, Figure]) -> Section:
    """The part of the page: the figures, and every part that was taken out.

    Args:
        table: of `memjax.causes.table.causes_table`.
        drawn: `causes_figure` of each encoder.
    """
    heads = (table["head"] + 1).astype(str).where(table["head"] >= 0, "")
    ends = map(interval_text, table["ci_low"], table["ci_high"])
    shown = table[["model", "layer", "part"]].assign(
        head=heads, change=table["effect"].map(signed), interval=list(ends)
    )
    shown = shown.assign(**{"sd over images": table["sd"], "ρ with the plain scores": table["kept"], "n": table["n"]})
    return Section("Every part taken out", CAVEATS, drawn, shown, wide=True)


def latents_section(table: pd.DataFrame) -> Section:
    """The part of the page on latents that were taken out.

    Args:
        table: of `memjax.causes.table.latent_effects_table`.
    """
    shown = table[["model", "layer", "token", "seed", "fold", "latent"]].assign(change=table["effect"].map(signed))
    shown["fold"] = table["fold"].astype(str).where(table["fold"] >= 0, "")
    shown = shown.assign(interval=list(map(interval_text, table["ci_low"], table["ci_high"])))
    measured = {
        "ρ with the plain scores": table["kept"],
        "fires for": table["rate"],
        "size": table["size"],
        "n": table["n"],
    }
    return Section("Latents taken out", LATENT_NOTES, {}, shown.assign(**measured))


def causes_sentences(table: pd.DataFrame) -> list[str]:
    """Without which part the order of the images changes most, a sentence an encoder; then of its heads alone.

    Example:
        >>> row = {"model": "a", "effect": 0.1, "ci_low": 0.0, "ci_high": 0.2, "n": 400}
        >>> rows = [row | {"layer": 1, "part": "mlp", "head": -1, "kept": 0.5}]
        >>> rows += [row | {"layer": 2, "part": "head", "head": 0, "kept": 0.9}]
        >>> causes_sentences(pd.DataFrame(rows))[0]
        'The order of what a predicts hangs most on its MLP of block 1: without it ρ with the plain scores is +0.500 (n = 400).'
    """
    said = []
    for model, rows in table.dropna(subset="kept").groupby("model", sort=False):
        first = rows.loc[rows["kept"].idxmin()]
        what = f"block {first['layer']}"
        if first["part"] in _PARTS:
            what = f"its {_PARTS[first['part']].format(head=first['head'] + 1)} of {what}"
        said.append(
            f"The order of what {model} predicts hangs most on {what}: without it ρ with the plain scores is "
            f"{signed(first['kept'])} (n = {count(first['n'])})."
        )
        heads = rows[rows["part"] == "head"]
        head = heads.loc[heads["kept"].idxmin()]
        change = f"{signed(head['effect'])} {interval_text(head['ci_low'], head['ci_high'])}"
        said.append(
            f"Of the single heads of {model} it hangs most on head {head['head'] + 1} of block {head['layer']}: "
            f"ρ {signed(head['kept'])}, mean change {change}."
        )
    return said


def causes_figure(table: pd.DataFrame, model: str, ablation: str, synthetic: bool = False) -> Figure:
    """Heads x layers: the mean effect, and how far the order of the images changes; below, attention, MLP and block by layer.

    Args:
        table: of `memjax.causes.table.causes_table`.
        model: the encoder.
        ablation: of `ABLATIONS`.
        synthetic: say that the images are generated.
    """
    rows = table[table["model"] == model]
    heads = rows[rows["part"] == "head"]
    with style():
        figure = Chart(figsize=(10.5, 7.4), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=[1, 0.8])
        effects, order = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
        mean = heads.pivot(index="head", columns="layer", values="effect")
        most = float(np.nanmax(np.abs(mean.to_numpy()))) or 1.0
        _map(effects, mean, "Without a head: mean change of the score", (COLOURS_OF_EFFECTS, -most, most))
        moved = 1 - heads.pivot(index="head", columns="layer", values="kept")
        most = max(float(np.nanmax(moved.to_numpy())), 1e-6)
        _map(order, moved, "Without a head: how far the images' order changes (1 − ρ)", (COLOURS_OF_ORDER, 0.0, most))
        _lines(figure.add_subplot(grid[1, 0]), rows, "effect", "Without a part: mean change of the score")
        _lines(figure.add_subplot(grid[1, 1]), rows, "kept", "Without a part: ρ of the scores with the plain ones")
        title = f"{CAUSES_TITLE} · {shorten(model)}"
        figure.heading(title)
        done = f"What is taken out is {ABLATIONS[ablation]}; a block is passed by."
        note = f"n = {count(rows['n'].iloc[0])} images. {done} Bands: 95 % intervals of the mean over images."
        note += f"\n{SYNTHETIC_IMAGE}" if synthetic else ""
        figure.supxlabel(note, fontsize=8.5, color=WARNING if synthetic else MUTED, x=0.02, ha="left")
        figure.set_label(f"{title}. {note}")
    return figure


def _map(axes: Axes, values: pd.DataFrame, title: str, colours: tuple[str, float, float]) -> None:
    """Heads x layers as a grid of colours, with its bar."""
    name, low, high = colours
    shown = axes.imshow(values.to_numpy(), cmap=name, vmin=low, vmax=high, aspect="auto")
    _name_layers(axes, values.columns.tolist(), range(values.shape[1]))
    axes.set_yticks(range(len(values)), [str(head + 1) for head in values.index])
    axes.set(ylabel="head")
    axes.set_title(title, loc="left", fontsize=8.5, color=INK)
    axes.grid(visible=False)
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(shown, ax=axes, shrink=0.9)


def _lines(axes: Axes, rows: pd.DataFrame, column: str, title: str) -> None:
    """A line a part over layers; of the effect with its interval."""
    for (part, name), colour in zip(LINES.items(), COLOURS, strict=False):
        one = rows[rows["part"] == part].sort_values("layer")
        axes.plot(one["layer"], one[column], color=colour, marker="o", markersize=3, label=name)
        if column == "effect":
            axes.fill_between(one["layer"], one["ci_low"], one["ci_high"], color=colour, alpha=0.2, linewidth=0)
    if column == "effect":
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.legend(fontsize=8, frameon=False)
    layers = sorted(rows["layer"].unique().tolist())
    _name_layers(axes, layers, layers)
    axes.set_title(title, loc="left", fontsize=8.5, color=INK)


def _name_layers(axes: Axes, layers: list[int], places: "range | list[int]") -> None:
    """Every layer's number, or every few of many."""
    step = max(1, len(layers) // 12)
    axes.set_xticks(list(places)[::step], [str(layer) for layer in layers[::step]])
    axes.set(xlabel="layer")
