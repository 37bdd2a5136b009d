"""The report: one HTML file that needs nothing else (no request leaves it; its content policy forbids them).

Everything that comes from a run (ids, names, citations) is escaped by the template; images are data URIs.
"""

import base64
import hashlib
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

from memjax.outputs import Run
from memjax.report import labels
from memjax.report.citations import citations
from memjax.report.embedded import embed_chart, embed_photographs
from memjax.report.explore import explorer, vega
from memjax.report.gallery import NOTHING, Gallery, Thumbnails, gallery
from memjax.report.headline import caveats, claimed_row, headline
from memjax.report.labels import Context
from memjax.report.strongest import FEW_INTERVALS
from memjax.stats.strongest import FEWEST
from memjax.stats.table import CORRELATION_COLUMNS

MAX_FAILURES = 200
"""Failures listed in the page; the rest are in failures.csv."""


@dataclass(frozen=True)
class Section:
    """A part that a later analysis adds to the page (a readout, an SAE): heading, paragraphs, figures, a table.

    ``wide``: its figures have several panels, and take the page's whole width. ``files``: figures for the folder alone.
    """

    title: str
    paragraphs: Sequence[str] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    table: pd.DataFrame | None = None
    wide: bool = False
    files: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Everything that the report of one run shows; computed before, only laid out here.

    Attributes:
        run: the record of the run, shown under Provenance.
        table: the correlation table: columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``; None for a run that makes
            none, whose page has a ``headline`` of its own.
        context: coefficient, ceiling and labels, as in the figures.
        features: encoder -> data set of the feature store (dims image, layer; coords image, memorability).
        figures: name -> figure, shown in this order; a figure's label is its caption. Folded up where there is a lead.
        lead: the figures below the headline; the first stands for the charts that answer, in print and where no script runs.
        failures: columns ``image, stage, error``.
        thumbnails: image ids -> encoded images, asked once for the few that are shown.
        attention: image id -> figure of its attention maps (`memjax.report.figures.attention_over_image`).
        sections: further analyses, shown after the figures.
        findings: sentences that stand below the headline, e.g. what the readout reaches.
        headline, notes: a headline of the run's own and what keeps it from saying more, in place of the strongest of the table.
        title: of the page; by default that of a sweep.
        gallery: images of a run without a table; of one with a table they follow from it.
    """

    run: Run
    table: pd.DataFrame | None
    context: Context
    failures: pd.DataFrame
    features: Mapping[str, xr.Dataset] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    lead: Mapping[str, Figure] = field(default_factory=dict)
    thumbnails: Thumbnails | None = None
    attention: Mapping[str, Figure] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    findings: Sequence[str] = ()
    headline: str = ""
    notes: Sequence[str] | None = None
    title: str = "Image memorability in vision encoders"
    gallery: Gallery = NOTHING


def write_report(path: str | Path, page: Page) -> None:
    """Write the report of one run into one HTML file, whose folder must exist."""
    run, correlated = page.run, _of_correlations(page)
    text = environment().get_template("page.html.j2").render(
        title=f"{page.title}: {run.dataset.name}",
        findings=page.findings,
        synthetic=page.context.synthetic,
        symbol=page.context.symbol,
        method=page.context.method,
        summary=_summary(page),
        lead=[embed_chart(name, figure) for name, figure in page.lead.items()],
        figures=[embed_chart(name, figure) for name, figure in page.figures.items()],
        folded=bool(page.lead),
        contents=_contents(page, bool(correlated["gallery"].strips)),
        attention=[embed_photographs(name, figure) for name, figure in page.attention.items()],
        sections=[(part, [embed_chart(*item) for item in part.figures.items()]) for part in page.sections],
        failures=page.failures.head(MAX_FAILURES).astype(str).to_dict("records"),
        failure_count=len(page.failures),
        provenance=list(flatten(run.to_json())),
        citations=citations(run),
        **correlated,
    )  # fmt: skip
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def _of_correlations(page: Page) -> dict[str, Any]:
    """What the template shows of a correlation table; of a run without one its own headline alone."""
    table, context, run = page.table, page.context, page.run
    if table is None:
        own = {"headline": page.headline, "caveats": page.notes or (), "few_intervals": "", "ceiling": None}
        return own | {"correlated": False, "rows": (), "gallery": page.gallery, "explorer": None}
    best, ceiling = claimed_row(table, run.strongest), context.ceiling
    return {
        "correlated": True,
        **(_explorer(table, context) if page.lead else {"explorer": None}),
        "headline": page.headline or headline(table, context, run.strongest),
        "caveats": caveats(table, context.synthetic, run.strongest, context.method)
        if page.notes is None
        else page.notes,
        "ceiling": ceiling if ceiling is not None and labels.is_number(ceiling.consistency) else None,
        "few_intervals": FEW_INTERVALS if ((table["n"] < FEWEST) & table["ci_low"].notna()).any() else "",
        "rows": [row._asdict() for row in table[CORRELATION_COLUMNS].itertuples(index=False)],
        "gallery": gallery(page.features, best, page.thumbnails, context) if best is not None else NOTHING,
    }


def environment(*parts: str) -> jinja2.Environment:
    """Templates of this package. Style and script are our own files: the only unescaped text in a page.

    Args:
        parts: names of further files of style and script, which follow those of every page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("memjax", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for kind, suffix in (("style", ".css"), ("script", ".js")):
        text = "\n".join(_own_file(name + suffix) for name in ("page", *parts))
        environment.globals |= _allowed(kind, text)
    formats = (
        labels.signed, labels.interval_text, labels.probability, labels.count, labels.share, labels.ceiling_words,
    )  # fmt: skip
    for format_ in formats:
        environment.globals[format_.__name__] = format_
    environment.globals["number"] = lambda value: f"{value:.4g}".replace("-", "−") if labels.is_number(value) else "–"
    environment.filters["sortable"] = lambda value: repr(float(value)) if labels.is_number(value) else ""
    return environment


def _own_file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _allowed(kind: str, text: str) -> dict[str, Markup]:
    """A style or script, and its hash for the content policy: nothing else of its kind runs."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return {kind: Markup(text), f"{kind}_hash": Markup(f"'sha256-{digest}'")}


def _explorer(table: pd.DataFrame, context: Context) -> dict[str, object]:
    """The charts that answer: what they show as JSON without a ``<``, and their scripts."""
    found = explorer(table, context)
    if found is None:
        return {"explorer": None}
    text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    scripts = _allowed("vega", vega()) | _allowed("explore", _own_file("explore.js"))
    return {"explorer": Markup(text), "ceiling_drawn": found["ceiling"] is not None, **scripts}


def _contents(page: Page, strips: bool) -> list[tuple[str, str]]:
    """Anchor and heading of each section, in the page's order."""
    correlated, figures = page.table is not None, bool(page.figures)
    listed = [
        ("result", "Result", True),
        ("glance", "At a glance", bool(page.lead)),
        ("ceiling", "Human ceiling", correlated),
        ("figures", "Figures", figures and not page.lead),
        *((f"section-{i}", part.title, True) for i, part in enumerate(page.sections, start=1)),
        ("figures", "Each metric by layer", figures and bool(page.lead)),
        ("extremes", "Images at the extremes", strips),
        ("attention", "Attention maps", bool(page.attention)),
        ("table", "All correlations", correlated),
        ("what", "What was run", True),
        ("failures", "Images that could not be used", True),
        ("provenance", "Provenance", True),
        ("cite", "How to cite", True),
    ]
    return [(anchor, title) for anchor, title, there in listed if there]


def _summary(page: Page) -> list[tuple[str, str]]:
    """What was run, in a few lines."""
    run = page.run
    lines = [
        ("Data set", run.dataset.name),
        *_counts(page),
        ("Protocol", run.protocol or "not recorded"),
        ("Computed in", f"{run.dtype}, products at precision {run.precision}" if run.precision else "not recorded"),
        ("Images that failed", labels.count(page.failures["image"].nunique())),
    ]
    lines += [(f"Encoder {model.model}", model.note) for model in run.models if model.note]
    if others := run.measured_by_others:
        lines.append(
            ("Measured with", f"{others}; tables and this page are of memjax {run.versions.get('memjax', '')}")
        )
    if run.intervals:
        lines.append(("Intervals", run.intervals))
    if run.repaired:
        lines.append(("Made anew in this run", "; ".join(run.repaired)))
    lines += [("Note", note) for note in run.notes]
    if run.dataset.images_absent:
        lines.append(("Images not in the folder", labels.count(run.dataset.images_absent)))
    return lines + ([("Command", run.command)] if run.command else [])


def _counts(page: Page) -> list[tuple[str, str]]:
    """How many images, which encoders, and how many correlations there are."""
    table = page.table
    if table is None:
        return [("Encoders", ", ".join(model.model for model in page.run.models))]
    return [
        ("Images", labels.count(table["n"].max())),
        ("Encoders", ", ".join(map(str, pd.unique(table["model"])))),
        ("Metrics", f"{table['metric'].nunique()} metrics, {labels.count(table['rho'].notna().sum())} correlations"),
        ("Correlation", page.context.symbol),
    ]


def flatten(value: object, name: str = "") -> list[tuple[str, str]]:
    """Nested run.json as (dotted name, text) pairs, in its order."""
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in flatten(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        return [pair for i, inner in enumerate(value) for pair in flatten(inner, f"{name}[{i}]")]
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return [(name, text)]
