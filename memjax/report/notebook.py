"""A run as a notebook shows it: the headline, its strongest correlations, and the lead figure."""

import html
import io
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from memjax.report.embedded import bytes_uri
from memjax.report.figures import overview
from memjax.report.headline import headline
from memjax.report.labels import Context, count, interval_text, probability, signed
from memjax.report.style import style
from memjax.stats.strongest import Strongest

SHOWN = 8
"""Rows of the table."""


def run_html(
    title: str,
    table: pd.DataFrame | None,
    context: Context,
    findings: Sequence[str] = (),
    strongest: Strongest | None = None,
) -> str:
    """HTML for a notebook's cell.

    Args:
        title: of the run.
        table: the correlation table; None for data without scores.
        context: as in the figures.
        findings: sentences below the headline.
        strongest: what the tests of the strongest correlation say.
    """
    parts = [f"<h3>{html.escape(title)}</h3>"]
    if context.synthetic:
        parts.append("<p><strong>Synthetic data.</strong> No human took part.</p>")
    if table is None:
        return "".join([*parts, "<p>Features only: the data set has no scores.</p>"])
    parts += [f"<p>{html.escape(text)}</p>" for text in (headline(table, context, strongest), *findings)]
    best = table.dropna(subset="rho").sort_values("rho", key=lambda rho: -rho.abs(), kind="stable").head(SHOWN)
    columns = {
        "encoder": best["model"],
        "metric": best["metric"],
        "layer": best["layer"],
        context.symbol: [signed(rho) for rho in best["rho"]],
        f"{100 * context.level:g} % interval": [
            interval_text(*e) for e in zip(best["ci_low"], best["ci_high"], best["n"])
        ],
        "q": [probability(q) for q in best["q"]],
        "n": [count(n) for n in best["n"]],
    }
    parts.append(pd.DataFrame(columns).to_html(index=False, border=0))
    return "".join([*parts, _image(overview(table, context))])


def _image(figure: Figure) -> str:
    target = io.BytesIO()
    with style():
        figure.savefig(target, format="png", dpi=110, metadata={"Software": None})
    source = bytes_uri("image/png", target.getvalue())
    return f'<img src="{source}" alt="{html.escape(str(figure.get_label()))}" style="max-width:100%">'
