"""Charts of the page that answer: every metric at every layer, and one metric by layer, for what a reader chooses.

They are Vega-Lite specifications, drawn by Vega in the browser, whose code is put into the page: no request leaves it. The code
comes from the package vl-convert: 0.9 MB of text, where the bundle in Plotly's package has 4.8 MB. Vega's own interpreter reads
its expressions, so that the page's policy need not allow ``eval``. Static figures stand for print and where no script runs.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from memjax.report.headline import best_row
from memjax.report.kept import drawn_once
from memjax.report.labels import Context, count, interval_text, is_number, is_per_image, probability, signed
from memjax.report.panel import ceiling_with_room, strongest_side
from memjax.report.style import DASHES, MARKERS, EncoderStyle, encoder_styles
from memjax.stats.strongest import ALPHA

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
DIGITS = 5
"""Decimals of the numbers that are drawn; the words beside them are those of the table."""
SHAPES = dict(
    zip(
        MARKERS,
        ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-left", "triangle-right"),
        strict=True,
    )
)
"""Marker of the figures -> Vega's symbol for it, or the nearest that it has."""
DASHED = dict(zip(DASHES, ([1, 0], [7, 4], [7, 3, 1, 3], [1, 3]), strict=True))
"""Line of the figures -> lengths of its dashes and gaps, in pixels."""
CHOSEN = "#1f9d55"
"""Rim of the cells of the metric that is chosen: seen on light and dark ground."""


@cache
def vega() -> str:
    """The code of Vega, Vega-Lite and Vega-Embed, for a script of the type module."""
    import vl_convert

    return vl_convert.javascript_bundle()


def explorer(table: pd.DataFrame, context: Context) -> dict[str, Any] | None:
    """What the script of the page draws from; None where no correlation is defined.

    Args:
        table: a correlation table.
        context: coefficient, ceiling and labels.

    Returns:
        ``encoders`` and ``metrics`` (in the order of the table; ``whole``: one value an image), ``chosen`` (those of the
        strongest correlation), ``rows`` (what both charts read), ``ceiling`` (`drawn_ceiling`), and the specifications ``map``
        and ``lines`` without the rows.
    """
    best = best_row(table)
    kept = drawn_once(table)
    if best is None or not len(kept):
        return None
    rows = [_row(row, context) for row in kept.to_dict("records")]
    titles = {str(name): context.label(name).title for name in pd.unique(kept["metric"])}
    looks, ceiling = encoder_styles(table), drawn_ceiling(kept, context)
    first = str(best["metric"]) if str(best["metric"]) in titles else next(iter(titles))
    return {
        "encoders": [str(name) for name in pd.unique(kept["model"])],
        "metrics": [{"name": name, "title": title, "whole": is_per_image(name)} for name, title in titles.items()],
        "chosen": {"encoder": str(best["model"]), "metric": first},
        "rows": rows,
        "ceiling": ceiling,
        "map": _map(rows, titles, context),
        "lines": _lines(looks, context, ceiling),
    }


def _row(row: Mapping[Any, Any], context: Context) -> dict[str, Any]:
    """One correlation: numbers to draw, and words to read."""
    model, metric, layer = str(row["model"]), str(row["metric"]), int(row["layer"])
    numbers = {"rho": row["rho"], "low": row["ci_low"], "high": row["ci_high"]}
    return {
        "encoder": model,
        "metric": metric,
        "layer": layer,
        **{name: round(float(value), DIGITS) if is_number(value) else None for name, value in numbers.items()},
        "clear": bool(row["q"] < ALPHA),
        "value": f"{signed(row['rho'])} {interval_text(row['ci_low'], row['ci_high'], row['n'])}",
        "q": probability(row["q"]),
        "n": count(row["n"]),
    }


def _tooltip(context: Context) -> list[dict[str, str]]:
    named = {"encoder": "encoder", "layer": "layer", "value": context.symbol, "q": "q", "n": "images"}
    return [{"field": field, "type": "nominal", "title": title} for field, title in named.items()]


def _map(rows: list[dict[str, Any]], titles: Mapping[str, str], context: Context) -> dict[str, Any]:
    """Every metric at every layer of one encoder; dots where q < 0.05, a rim on the metric that is chosen."""
    limit = max((abs(row["rho"]) for row in rows if row["rho"] is not None), default=1.0) or 1.0
    shown = {
        "color": {"field": "rho", "type": "quantitative", "title": context.symbol, **_shades(limit)},
        "tooltip": _tooltip(context),
        "stroke": {"condition": {"test": "datum.metric === metric", "value": CHOSEN}, "value": None},
        "strokeWidth": {"value": 2.5},
    }
    dot = {"type": "circle", "size": 18, "color": "#111111", "opacity": 1, "tooltip": None, "aria": False}
    across = {
        "field": "layer",
        "type": "ordinal",
        "title": "layer",
        "axis": {"labelAngle": 0},
    }
    named = {"labelExpr": f"{json.dumps(titles)}[datum.label]"}
    down = {"field": "metric", "type": "nominal", "sort": list(titles), "title": None, "axis": named}
    return {
        "$schema": SCHEMA,
        "description": f"Heat map of {context.symbol} with memorability: metrics down, layers across.",
        "width": "container",
        "height": {"step": 26},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": "encoder", "value": ""}, {"name": "metric", "value": ""}],
        "transform": [{"filter": "datum.encoder === encoder && datum.rho !== null"}],
        "encoding": {"x": across, "y": down},
        "layer": [
            {"mark": {"type": "rect", "cursor": "pointer"}, "encoding": shown},
            {"transform": [{"filter": "datum.clear"}], "mark": dot},
        ],
        "config": {"scale": {"rectBandPaddingInner": 0.04}},
    }


def _shades(limit: float) -> dict[str, Any]:
    """The colours of `memjax.report.heatmap`, over the same range on both sides of chance."""
    return {
        "scale": {"scheme": "purpleorange", "reverse": True, "domain": [-limit, limit]},
        "legend": {"orient": "top", "direction": "horizontal", "titleOrient": "top"},
    }


def _lines(looks: Mapping[str, EncoderStyle], context: Context, ceiling: float | None) -> dict[str, Any]:
    """One metric by layer; chance is a line, and the human ceiling where it is to be drawn."""
    marks = [_rule(0.0, {"strokeWidth": 1})]
    if ceiling is not None:
        marks.append(_rule(ceiling, {"strokeDash": [6, 4]}))
    across = {
        "field": "across",
        "type": "quantitative",
        "title": None,
        "scale": {"nice": False, "padding": 8},
        "axis": {"tickMinStep": 1},
    }
    return {
        "$schema": SCHEMA,
        "description": f"{context.symbol} of one metric with memorability by layer, a line for each encoder, with intervals.",
        "width": "container",
        "height": 300,
        "params": [{"name": "metric", "value": ""}, {"name": "relative", "value": False}],
        "transform": [
            {"joinaggregate": [{"op": "max", "field": "layer", "as": "last"}], "groupby": ["encoder"]},
            {"filter": "datum.metric === metric && datum.rho !== null"},
            {"joinaggregate": [{"op": "count", "as": "points"}], "groupby": ["encoder"]},
            {"calculate": "relative ? datum.layer / max(datum.last, 1) : datum.layer", "as": "across"},
        ],
        "encoding": {"x": across, "color": _by_encoder(looks, [look.colour for look in looks.values()])},
        "layer": [*_curves(looks, context), *marks],
    }


def _by_encoder(looks: Mapping[str, EncoderStyle], values: list[Any]) -> dict[str, Any]:
    """One value for each encoder; colours, marks and dashes share a legend."""
    legend = {"orient": "bottom", "columns": 2, "title": None, "labelLimit": 320, "symbolOpacity": 1}
    scale = {"domain": list(looks), "range": values}
    return {"field": "encoder", "type": "nominal", "scale": scale, "legend": legend}


def _curves(looks: Mapping[str, EncoderStyle], context: Context) -> list[dict[str, Any]]:
    """Band (of a single value a bar), line and marks of each encoder; a mark is filled where q < 0.05."""
    rho = {"field": "rho", "type": "quantitative", "title": f"{context.symbol} with memorability"}
    ends = {"y": {**rho, "field": "low"}, "y2": {"field": "high"}}
    rim = _by_encoder(looks, [look.colour for look in looks.values()])
    return [
        {
            "params": [{"name": "zoom", "select": "interval", "bind": "scales"}],
            "mark": {"type": "area", "opacity": 0.16, "aria": False},
            "encoding": ends,
        },
        {
            "transform": [{"filter": "datum.points === 1"}],
            "mark": {"type": "rule", "strokeWidth": 1.8, "aria": False},
            "encoding": ends,
        },
        {
            "mark": {"type": "line", "strokeWidth": 1.8, "aria": False},
            "encoding": {"y": rho, "strokeDash": _by_encoder(looks, [DASHED[look.line] for look in looks.values()])},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1, "strokeWidth": 1.4},
            "encoding": {
                "y": rho,
                "shape": _by_encoder(looks, [SHAPES[look.marker] for look in looks.values()]),
                "stroke": rim,
                "fillOpacity": {"condition": {"test": "datum.clear", "value": 1}, "value": 0.15},
                "tooltip": _tooltip(context),
            },
        },
    ]


def drawn_ceiling(table: pd.DataFrame, context: Context) -> float | None:
    """Where the human ceiling is drawn, on the side of the strongest value; None: not known, or it would squeeze the values."""
    found = ceiling_with_room(table, context.ceiling)
    return None if found is None else strongest_side(table) * found.ceiling


def _rule(height: float, look: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"at": height}]},
        "mark": {"type": "rule", "aria": False, "color": "#767676", **look},
        "encoding": {"x": None, "color": None, "y": {"field": "at", "type": "quantitative"}},
    }
