"""What low-level statistics of the images (contrast, colourfulness, edge density) leave of the correlations."""

from collections.abc import Sequence

import pandas as pd

from memjax.report.labels import Context, count, equals, interval_text, place_words, signed
from memjax.report.page import Section
from memjax.stats.strongest import ALPHA

LOWLEVEL_TITLE = "With low-level statistics held constant"
SHOWN = 20
"""Rows of the table on the page, the strongest."""


def lowlevel_sentences(table: pd.DataFrame) -> list[str]:
    """How many correlations remain, and what remains of the strongest.

    Args:
        table: from `memjax.stats.given_covariates.given_covariates`.
    """
    known = table.dropna(subset=["rho", "given"])
    if not len(known):
        return []
    best = known.loc[known["rho"].abs().idxmax()]
    ends = (
        f"{signed(best['given'])} {interval_text(best['given_low'], best['given_high'])}{equals('p', best['given_p'])}"
    )
    where = place_words(best["model"], best["metric"], best["layer"])
    clear = int((known["given_q"] < ALPHA).sum())
    return [
        f"With contrast, colourfulness and edge density held constant, the strongest correlation "
        f"({best['metric']} {where}, {signed(best['rho'])} before) is {ends}, "
        f"n = {count(best['n'])}; {count(clear)} of {count(len(known))} have q < {ALPHA}."
    ]


def lowlevel_sections(table: pd.DataFrame | None, context: Context) -> Sequence[Section]:
    """The part of the page; none where nothing was held constant."""
    if table is None:
        return ()
    how = (
        "Spearman's partial correlation: ranks of measure and score less what a linear function of the ranks of the three "
        "statistics, of the whole image at one size, tells of them. The strongest are shown; lowlevel.csv has all."
    )
    known = table.dropna(subset="rho")
    best = known.reindex(known["rho"].abs().sort_values(ascending=False, kind="stable").index).head(SHOWN)
    shown = best.assign(metric=[context.label(name).title for name in best["metric"]]).round(4)
    return [Section(LOWLEVEL_TITLE, [*lowlevel_sentences(table), how], {}, shown)]
