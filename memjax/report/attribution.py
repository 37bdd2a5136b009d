"""Where in an image a score comes from: maps over the image, curves that compare them, contributions of layers and heads."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from memjax.attribution.explain import Attribution
from memjax.attribution.settings import METHODS
from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC_IMAGE
from memjax.report.labels import probability, shorten, signed
from memjax.report.style import COLOURS, DASHES, INK, MUTED, WARNING, style
from memjax.stats.strongest import ALPHA

SIGNED, UNSIGNED = "PuOr", "Purples"
"""Colours of maps with a sign (purple raises the score, orange lowers it) and of shares."""
_TITLE = {"loc": "left", "fontsize": 8.5, "color": INK}
_BASELINES = {"mean": "the mean colour", "blur": "the blurred image"}


def where_in_image(
    found: Attribution, image: np.ndarray, name: str = "", model: str = "", synthetic: bool = False
) -> Figure:
    """The image, each map over it, deletion and insertion curves, and what layers and heads contribute.

    Args:
        found: from `memjax.attribution.attribute`.
        image: uint8 or float in [0, 1], [y, x, c]: the pixels that the encoder saw, before normalisation.
        name, model: for the title.
        synthetic: say in the figure that the image is generated.

    Raises:
        InputError: the image is not [y, x, 3].
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise expected("where_in_image, image", "shape [y, x, 3]", tuple(image.shape))
    colours = image / 255.0 if np.issubdtype(image.dtype, np.integer) else np.clip(image, 0.0, 1.0)
    with style():
        figure = Chart(figsize=(max(2.1 * (1 + len(found.maps)), 10.5), 8.6), layout="constrained")
        rows = figure.add_gridspec(3, 1, height_ratios=[1.15, 1, 1])
        _draw_maps(figure, rows[0], found, colours)
        _draw_curves(figure, rows[1], found)
        _draw_inside(figure, rows[2], found)
        named = [shorten(part) for part in (name, model) if part]
        title = " · ".join(["Where in the image the score comes from", *named])
        figure.heading(title)
        baseline = f"of the baseline, {_BASELINES[found.settings.baseline]}, {_value(found.baseline_score)}"
        note = f"Score {_value(found.score)}; {baseline}."
        note += f" {SYNTHETIC_IMAGE}" if synthetic else ""
        figure.supxlabel(note, fontsize=8.5, color=WARNING if synthetic else MUTED, x=0.02, ha="left")
        figure.set_label(f"{title}. {note} {verdict(found)}")
    return figure


def verdict(found: Attribution) -> str:
    """Which of the maps rank the patches of this image better than random orders do, in a sentence.

    Each map is tested on its own, at p <= `memjax.stats.strongest.ALPHA`: with fewer than 19 orders none can be.
    """
    better = [METHODS[name].title for name, row in found.compared.items() if row.p <= ALPHA]
    worse = [METHODS[name].title for name, row in found.compared.items() if row.p > ALPHA]
    orders = f"{found.settings.orders} random orders of the patches"
    said = [f"Better than {orders} (p ≤ {ALPHA}, each on its own): {', '.join(better)}." if better else ""]
    said += [f"Not shown to be better than {orders}: {', '.join(worse)}." if worse else ""]
    return " ".join(filter(None, said))


def _value(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _draw_maps(figure: Figure, place: SubplotSpec, found: Attribution, colours: np.ndarray) -> None:
    """The image, and the maps over it in grey."""
    cells = place.subgridspec(1, 1 + len(found.maps))
    first = figure.add_subplot(cells[0])
    first.axis("off")
    first.imshow(colours)
    first.set_title("image", **_TITLE)
    grey = colours @ np.array([0.299, 0.587, 0.114], dtype=colours.dtype)
    for cell, (name, values) in zip(list(cells)[1:], found.maps.items()):
        axes, row = figure.add_subplot(cell), found.compared[name]
        _draw_map(axes, figure, grey, values, METHODS[name].signed)
        axes.set_title(f"{METHODS[name].title}\ngain {signed(row.gain)}, p = {probability(row.p)}", **_TITLE)


def _draw_map(axes: Axes, figure: Figure, grey: np.ndarray, values: np.ndarray, is_signed: bool) -> None:
    """One map: the stronger a patch, the less of the image is seen through it."""
    limit = float(np.abs(values).max()) or 1.0
    low, colours = (-limit, SIGNED) if is_signed else (0.0, UNSIGNED)
    patch = grey.shape[0] // values.shape[0]
    extent = (0, values.shape[1] * patch, values.shape[0] * patch, 0)
    axes.imshow(grey, cmap="gray", vmin=-0.15, vmax=1.15)
    opacity = 0.9 * np.sqrt(np.abs(values) / limit)
    axes.imshow(values, cmap=colours, vmin=low, vmax=limit, alpha=opacity, extent=extent, interpolation="nearest")
    axes.set_xlim(0, grey.shape[1])
    axes.set_ylim(grey.shape[0], 0)
    axes.axis("off")
    key = ScalarMappable(Normalize(low, limit), colours)
    bar = figure.colorbar(key, ax=axes, orientation="horizontal", fraction=0.05, pad=0.03, aspect=24)
    bar.set_ticks([low, 0, limit] if is_signed else [0, limit])
    bar.ax.set_xticklabels([f"{tick:.2g}".replace("-", "−") for tick in bar.get_ticks()])
    bar.ax.tick_params(labelsize=8)
    bar.set_label("score" if is_signed else "share", fontsize=8)


def _draw_curves(figure: Figure, place: SubplotSpec, found: Attribution) -> None:
    """Deletion and insertion, one beside the other with one scale, random orders as a band; then the gains."""
    cells = place.subgridspec(1, 3, width_ratios=[1, 1, 0.9])
    left = figure.add_subplot(cells[0])
    panels = (
        ("Deletion: the score as patches are taken away", left, found.curves.deletion),
        (
            "Insertion: the score as patches are brought back",
            figure.add_subplot(cells[1], sharey=left),
            found.curves.insertion,
        ),
    )
    count, shares = len(found.maps), 100 * found.curves.shares
    for title, axes, curves in panels:
        random = curves[count:]
        axes.fill_between(shares, random.min(axis=0), random.max(axis=0), color=MUTED, alpha=0.25, linewidth=0)
        axes.plot(shares, random.mean(axis=0), color=MUTED, linewidth=1.2)
        for i, curve in enumerate(curves[:count]):
            axes.plot(shares, curve, color=_colour(i), linestyle=DASHES[i % len(DASHES)], linewidth=1.5)
        axes.set_title(title, **_TITLE)
        axes.set_xlabel("patches, %, highest of the map first; grey: random orders", fontsize=8.5)
    left.set_ylabel("score")
    _draw_gains(figure.add_subplot(cells[2]), found)


def _draw_gains(axes: Axes, found: Attribution) -> None:
    """Area under insertion less that under deletion: each map in the colour and line of its curve, random orders a band."""
    random = found.curves.gains[len(found.maps) :]
    axes.axvspan(random.min(), random.max(), color=MUTED, alpha=0.25, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    places = range(len(found.maps))
    for i, row in enumerate(found.compared.values()):
        axes.plot([0, row.gain], [i, i], color=_colour(i), linestyle=DASHES[i % len(DASHES)], linewidth=2)
        axes.plot(row.gain, i, "o", color=_colour(i), markersize=6)
    axes.set_yticks(list(places), [METHODS[name].title for name in found.maps], fontsize=8)
    axes.set_ylim(len(found.maps) - 0.5, -0.5)
    axes.set_title("Gain: area under insertion − under deletion", **_TITLE)
    axes.set_xlabel("score; grey: random orders", fontsize=8.5)


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _draw_inside(figure: Figure, place: SubplotSpec, found: Attribution) -> None:
    """What layers add, where the score tells, and the gates of heads and MLPs."""
    cells = place.subgridspec(1, 2 if found.layers else 1)
    if found.layers:
        _draw_layers(figure.add_subplot(cells[0]), found)
    axes = figure.add_subplot(cells[-1])
    grid = np.concatenate([found.heads.T, found.mlps[None]])
    limit = float(np.abs(grid).max()) or 1.0
    axes.grid(False)
    shown = axes.imshow(grid, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto")
    axes.axhline(len(grid) - 1.5, color=INK, linewidth=1)
    layers = range(grid.shape[1])
    axes.set_xticks(list(layers), [str(layer + 1) for layer in layers])
    axes.set_yticks(range(len(grid)), [*map(str, range(len(grid) - 1)), "MLP"])
    axes.tick_params(colors=MUTED, length=0, labelsize=8)
    axes.set_xlabel("layer (block)", fontsize=8.5)
    axes.set_ylabel("head")
    axes.set_title("Heads and MLPs: derivative of the score by a gate on the output", **_TITLE)
    figure.colorbar(shown, ax=axes, label="score")


def _draw_layers(axes: Axes, found: Attribution) -> None:
    """Bars for each layer: what is read there, of the image less of the baseline."""
    names = [name for name in found.layers if np.any(found.layers[name] != found.layers_of_baseline[name])]
    width = 0.8 / max(len(names), 1)
    for i, name in enumerate(names):
        added = found.layers[name] - found.layers_of_baseline[name]
        places = np.arange(len(added)) + (i - (len(names) - 1) / 2) * width
        axes.bar(
            places,
            added,
            width,
            color=_colour(i),
            hatch=("", "///", "...", "xxx")[i % 4],
            edgecolor="white",
            linewidth=0,
            label=name,
        )
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xticks(range(len(next(iter(found.layers.values())))))
    axes.set_xlabel("layer (0: embeddings; i: after block i)", fontsize=8.5)
    axes.set_ylabel("score")
    axes.set_title("Layers: what is read there, image less baseline", **_TITLE)
    axes.legend(fontsize=8, ncols=4)
