"""The report: one HTML file that needs nothing else (no request leaves it; its content policy forbids them).

Everything that comes from a run (ids, names, citations) is escaped by the template; pictures are data URIs.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure

from memjax.report import labels
from memjax.report.gallery import Thumbnails, gallery
from memjax.report.headline import best_row, caveats, headline
from memjax.report.style import style

MAX_FAILURES = 200
"""Failures listed in the page; the rest are in failures.csv."""

PAPER = (
    "Takmaz, E., Gatt, A., & Dotlačil, J. (2025). Traces of image memorability in vision encoders: Activations, "
    "attention distributions and autoencoder losses. arXiv:2509.01453. MemVis workshop, ICCV 2025."
)


@dataclass(frozen=True)
class Section:
    """A part that a later analysis adds to the page (a readout, an SAE): heading, paragraphs, figures, a table."""

    title: str
    paragraphs: Sequence[str] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Picture:
    """A figure as the template shows it. ``alt`` is its first sentence, ``caption`` the whole."""

    name: str
    source: str
    alt: str
    caption: str


def write_report(
    path: str | Path,
    *,
    run: Mapping[str, Any],
    table: pd.DataFrame,
    features: Mapping[str, xr.Dataset],
    figures: Mapping[str, Figure],
    failures: pd.DataFrame,
    ceiling: labels.Ceiling | None = None,
    thumbnails: Thumbnails | None = None,
    attention: Mapping[str, Figure] | None = None,
    sections: Sequence[Section] = (),
    findings: Sequence[str] = (),
) -> None:
    """Write the report of one run.

    Args:
        path: the HTML file to write; its folder must exist.
        run: the content of run.json. Read by name, all optional: ``dataset`` (a name, or a dict with ``name``,
            ``synthetic``, ``citation``), ``synthetic``, ``method``, ``level``, ``protocol``, ``command``. All of it is
            shown under Provenance.
        table: the correlation table: columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``.
        features: encoder -> data set of the feature store (dims image, layer; coords image, memorability).
        figures: name -> figure, shown in this order; a figure's label is its caption.
        failures: columns ``image, stage, error``.
        ceiling: human split-half consistency; where it comes from is read from ``run["ceiling"]["source"]``, optional.
        thumbnails: picture ids -> encoded pictures, asked once for the few that are shown.
        attention: picture id -> figure of its attention maps (`memjax.report.figures.attention_over_picture`).
        sections: further analyses, shown after the figures.
        findings: sentences that stand below the headline, e.g. what the readout reaches.
    """
    best = best_row(table)
    method, level, synthetic = run.get("method", "spearman"), float(run.get("level", 0.95)), is_synthetic(run)
    text = _environment().get_template("page.html.j2").render(
        run=run,
        title=f"Image memorability in vision encoders: {_dataset(run).get('name', 'images')}",
        headline=headline(table, ceiling, method, level),
        findings=findings,
        caveats=caveats(table, synthetic),
        synthetic=synthetic,
        symbol=labels.method_symbol(method),
        ceiling=ceiling if ceiling is not None and labels.is_number(ceiling.rho) else None,
        ceiling_source=_ceiling_source(run),
        method=method,
        summary=_summary(run, table, failures),
        figures=[_vector(name, figure) for name, figure in figures.items()],
        rows=[row._asdict() for row in table[[*_COLUMNS]].itertuples(index=False)],
        gallery=gallery(features, best, thumbnails) if best is not None else (),
        attention=[_raster(name, figure) for name, figure in (attention or {}).items()],
        sections=[(part, [_vector(*item) for item in part.figures.items()]) for part in sections],
        failures=failures.head(MAX_FAILURES).astype(str).to_dict("records"),
        failure_count=len(failures),
        provenance=list(_flatten(run)),
        citations=[PAPER, *filter(None, [_dataset(run).get("citation")])],
    )  # fmt: skip
    Path(path).write_text(text, encoding="utf-8", newline="\n")


_COLUMNS = ("model", "metric", "layer", "rho", "ci_low", "ci_high", "p", "q", "n")


def is_synthetic(run: Mapping[str, Any]) -> bool:
    """True where the run, or its data set, says that pictures and scores are generated."""
    return bool(run.get("synthetic") or _dataset(run).get("synthetic"))


def _dataset(run: Mapping[str, Any]) -> Mapping[str, Any]:
    found = run.get("dataset", {})
    return found if isinstance(found, Mapping) else {"name": str(found)}


def _ceiling_source(run: Mapping[str, Any]) -> str:
    found = run.get("ceiling")
    return str(found.get("source", "")) if isinstance(found, Mapping) else ""


def _environment() -> jinja2.Environment:
    """Templates of this package. Style and script are our own files: the only unescaped text in the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("memjax", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    here = Path(__file__).parent
    for kind, name in (("style", "page.css"), ("script", "page.js")):
        text = (here / name).read_text(encoding="utf-8")
        environment.globals[kind] = Markup(text)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
        environment.globals[f"{kind}_hash"] = Markup(f"'sha256-{digest}'")
    for format_ in (
        labels.signed,
        labels.interval,
        labels.probability,
        labels.count,
        labels.share,
        labels.ceiling_words,
    ):
        environment.globals[format_.__name__] = format_
    environment.globals["number"] = lambda value: f"{value:.4g}".replace("-", "−") if labels.is_number(value) else "–"
    environment.filters["sortable"] = lambda value: repr(float(value)) if labels.is_number(value) else ""
    return environment


def _summary(run: Mapping[str, Any], table: pd.DataFrame, failures: pd.DataFrame) -> list[tuple[str, str]]:
    """What was run, in a few lines."""
    lines = [
        ("Data set", str(_dataset(run).get("name", "not recorded"))),
        ("Images", labels.count(table["n"].max())),
        ("Encoders", ", ".join(map(str, pd.unique(table["model"])))),
        ("Metrics", f"{table['metric'].nunique()} metrics, {labels.count(table['rho'].notna().sum())} correlations"),
        ("Correlation", labels.method_symbol(str(run.get("method", "spearman")))),
        ("Protocol", str(run.get("protocol", "not recorded"))),
        ("Images that failed", labels.count(failures["image"].nunique())),
    ]
    command = run.get("command")
    if command:
        lines.append(("Command", command if isinstance(command, str) else " ".join(map(str, command))))
    return lines


def _flatten(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested run.json as (dotted name, text) pairs, in its order."""
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _flatten(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        return [pair for i, inner in enumerate(value) for pair in _flatten(inner, f"{name}[{i}]")]
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return [(name, text)]


def _vector(name: str, figure: Figure) -> Picture:
    """A figure as an SVG in a data URI: its ids cannot meet another figure's."""
    return _picture(name, figure, "svg", "image/svg+xml")


def _raster(name: str, figure: Figure) -> Picture:
    return _picture(name, figure, "png", "image/png")


def _picture(name: str, figure: Figure, kind: str, mime: str) -> Picture:
    target = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with style():
        figure.savefig(target, format=kind, dpi=120, metadata=metadata)
    caption = str(figure.get_label()) or name
    source = f"data:{mime};base64,{base64.b64encode(target.getvalue()).decode('ascii')}"
    return Picture(name, source, f"Chart. {caption.split('. ')[0].rstrip('.')}.", caption)
