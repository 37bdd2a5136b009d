"""One panel: the correlations of one metric by layer, a line for each encoder."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from memjax.report.labels import is_number, legend_name
from memjax.report.style import GRID, MUTED, EncoderStyle
from memjax.stats.reliability import Reliability
from memjax.stats.strongest import ALPHA

DASHED = (0, (6, 3))
SQUEEZED = 2.5
"""How many times the largest correlation the ceiling may be, to be drawn as a line."""


def draw_panel(
    axes: Axes,
    rows: pd.DataFrame,
    styles: Mapping[str, EncoderStyle],
    ceiling: Reliability | None,
    side: float = 1.0,
    size: float = 5.5,
) -> None:
    """Draw one metric's rows: lines with bands, or points with bars where each encoder has a single layer.

    The ceiling is drawn on one ``side`` of chance, 1 or -1 (see `strongest_side`), so that the values keep their room. Encoders
    of different depth share an axis of relative depth (see `is_relative`).
    """
    axes.axhline(0, color=MUTED, linewidth=0.9)
    found = rows[rows["rho"].notna()]
    if found.empty:
        axes.text(0.5, 0.5, "no value at any layer\n(constant or undefined)", **_centred(axes))
        axes.set_xticks([])
        return
    if found.groupby("model", sort=False).size().max() == 1:
        _draw_points(axes, found, styles, size)
    else:
        relative = is_relative(rows)
        for model, group in rows.groupby("model", sort=False):
            ordered = group.sort_values("layer")
            _draw_line(
                axes, ordered, ordered["layer"] / (ordered["layer"].max() if relative else 1), styles[str(model)], size
            )
        if relative:
            axes.set_xlim(-0.03, 1.03)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlim(rows["layer"].min() - 0.5, rows["layer"].max() + 0.5)
    if ceiling is not None and is_number(ceiling.consistency):
        _draw_ceiling(axes, ceiling, side)


def _centred(axes: Axes) -> dict[str, object]:
    return {"transform": axes.transAxes, "ha": "center", "va": "center", "color": MUTED, "fontsize": 9}


def is_relative(rows: pd.DataFrame) -> bool:
    """Whether encoders differ in depth, and every one has all of its layers: then a layer stands at its share of the depth.

    Example:
        >>> table = pd.DataFrame({"model": ["a"] * 3 + ["b"] * 5, "layer": [0, 1, 2, 0, 1, 2, 3, 4]})
        >>> is_relative(table), is_relative(table[table["layer"] < 3])
        (True, False)
    """
    by_encoder = rows.groupby("model", sort=False)["layer"]
    last, found = by_encoder.max(), by_encoder.nunique()
    return bool(last.nunique() > 1 and last.min() > 0 and (found >= last).all())


def across_label(rows: pd.DataFrame, short: bool = False) -> str:
    """What the horizontal axis of `draw_panel` says."""
    if is_relative(rows):
        return "relative depth" if short else "relative depth (0: embeddings; 1: after the last block)"
    return "layer" if short else "layer (0: embeddings; i: after block i)"


def _draw_line(axes: Axes, group: pd.DataFrame, across: pd.Series, look: EncoderStyle, size: float) -> None:
    layer, rho = across.to_numpy(float), group["rho"].to_numpy(float)
    low, high = group["ci_low"].to_numpy(float), group["ci_high"].to_numpy(float)
    axes.fill_between(layer, low, high, color=look.colour, alpha=0.18, linewidth=0)
    axes.plot(layer, rho, color=look.colour, linestyle=look.line, linewidth=1.5)
    clear = (group["q"] < ALPHA).to_numpy(bool)
    for chosen, face in ((clear, look.colour), (~clear, "white")):
        axes.plot(
            layer[chosen], rho[chosen], look.marker, color=look.colour, markerfacecolor=face, markersize=size, mew=1.2
        )


def _draw_points(axes: Axes, found: pd.DataFrame, styles: Mapping[str, EncoderStyle], size: float) -> None:
    """One value for each encoder: side by side, with the layer that it stands at written below."""
    for i, (_, row) in enumerate(found.iterrows()):
        look = styles[str(row["model"])]
        axes.vlines(i, row["ci_low"], row["ci_high"], color=look.colour, linewidth=1.8)
        face = look.colour if row["q"] < ALPHA else "white"
        axes.plot(i, row["rho"], look.marker, color=look.colour, markerfacecolor=face, markersize=size + 1, mew=1.2)
    axes.set_xticks(range(len(found)), [str(layer) for layer in found["layer"]])
    axes.set_xlim(-0.7, len(found) - 0.3)


def strongest_side(rows: pd.DataFrame) -> float:
    """-1 where the largest ``|rho|`` of the rows is negative, else 1."""
    low, high = rows["rho"].min(), rows["rho"].max()
    return -1.0 if -low > high else 1.0


def _draw_ceiling(axes: Axes, ceiling: Reliability, side: float) -> None:
    axes.axhline(side * ceiling.ceiling, color=MUTED, linestyle=DASHED, linewidth=1.2)
    low, high = ceiling.ceiling_interval
    if is_number(low) and is_number(high):
        axes.axhspan(side * low, side * high, color=GRID, alpha=0.7, linewidth=0, zorder=0)


def ceiling_with_room(rows: pd.DataFrame, ceiling: Reliability | None) -> Reliability | None:
    """The ceiling, where it is known and a line at it would leave the values their room; else None."""
    if ceiling is None or not is_number(ceiling.consistency) or not rows["rho"].notna().any():
        return None
    return ceiling if ceiling.ceiling <= SQUEEZED * rows["rho"].abs().max() else None


def ceiling_entry(ceiling: Reliability, drawn: bool = True) -> Line2D:
    """The legend's line for the ceiling: its value, and the split-half consistency that it comes from."""
    text = f"human ceiling ±{ceiling.ceiling:.2f}"
    if drawn:
        return Line2D([], [], color=MUTED, linestyle=DASHED, label=f"{text} (split-half {ceiling.consistency:.2f})")
    return Line2D([], [], linestyle="", label=f"{text}, off this scale")


def legend_entries(
    styles: Mapping[str, EncoderStyle], ceiling: Reliability | None, drawn: bool = True
) -> list[Line2D | Patch]:
    """Handles for the legend: the encoders shown, what an open marker means, and the ceiling, a dashed line where it is drawn."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=legend_name(model))
        for model, look in styles.items()
    ]
    handles.append(
        Line2D([], [], color=MUTED, marker="o", markerfacecolor="white", linestyle="", label=f"open: q ≥ {ALPHA}")
    )
    if ceiling is not None and is_number(ceiling.consistency):
        handles.append(ceiling_entry(ceiling, drawn))
    return handles
