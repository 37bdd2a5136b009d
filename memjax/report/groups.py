"""Correlations within groups of images: what is left of them when what an image shows counts for nothing."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC
from memjax.report.labels import Context, count, equals, interval_text, legend_name, place_words, signed
from memjax.report.page import Section
from memjax.report.style import MUTED, WARNING, encoder_styles, style
from memjax.stats.strongest import ALPHA

MOST_GROUPS = 12
"""Groups that have a column each on the page."""

CAVEATS = (
    "Within: Spearman's rho of each group, mean weighted by the group's images less one; the interval is over images of these "
    "groups. Over groups: the same number with the groups as a sample of others (Student's t over their rho). Groups held "
    "constant: the partial correlation with an indicator for each group.",
)
MODELS = (
    "Linear models of the standardised score on one standardised measure: alone, with an intercept for each group, and with "
    "intercepts drawn at random (REML). The increment is what the measure adds to the share of variance that groups explain. The "
    "intraclass correlation is the groups' share of the scores' variance. Measures are the strongest over all images, chosen "
    "from the same images: their own numbers are flattered, the comparison of the models is not.",
)


def group_sentences(grouping: str, table: pd.DataFrame) -> list[str]:
    """How many correlations remain within groups, and what remains of the strongest.

    Args:
        grouping: the column of groups.
        table: from `memjax.stats.within_groups.within_groups`.
    """
    known = table.dropna(subset=["rho", "within"])
    if not len(known):
        return [f"No correlation within {grouping}: too few images of a group, or a constant score in each."]
    lead = known.loc[known["rho"].abs().idxmax()]
    inner = known.loc[known["within"].abs().idxmax()]
    clear = known["within_q"] < ALPHA
    turned = int((clear & (known["rho"] * known["within"] < 0)).sum())
    many = f"{count(clear.sum())} of {count(len(known))} correlations have q < {ALPHA}"
    said = f"Within {grouping} ({count(lead['groups'])} groups), {many}"
    said += f", {count(turned)} of them with another sign than over all images." if turned else "."
    first = (
        f"The strongest over all images, {_where(lead)}, {signed(lead['rho'])}, is {_numbers(lead)} within groups"
        f" and {signed(lead['given'])} {interval_text(lead['given_low'], lead['given_high'])} with the groups held constant."
    )
    return [
        said,
        first,
        f"The strongest within groups is {_where(inner)}: {_numbers(inner)}, {signed(inner['rho'])} over all images.",
    ]


def _where(row: pd.Series) -> str:
    return f"{row['metric']} {place_words(row['model'], row['metric'], row['layer'])}"


def _numbers(row: pd.Series) -> str:
    ends = (
        f"{signed(row['within'])} {interval_text(row['within_low'], row['within_high'])}{equals('p', row['within_p'])}"
    )
    return f"{ends} (over groups {interval_text(row['across_low'], row['across_high'])})"


def group_sections(
    grouping: str, tables: tuple[pd.DataFrame | None, pd.DataFrame | None, pd.DataFrame | None], context: Context
) -> Sequence[Section]:
    """The parts of the page; none without groups.

    Args:
        grouping: the column of groups.
        tables: every measure within groups, the strongest in each group, models with intercepts.
        context: labels, and whether the data are generated.
    """
    table, by_group, models = tables
    if table is None:
        return ()
    drawn = {"within_groups": pooled_beside_within(table, grouping, context)} if table["within"].notna().any() else {}
    each = None if by_group is None or not len(by_group) else _each(by_group)
    title = f"Within {grouping}"
    parts = [Section(title, [*group_sentences(grouping, table), *CAVEATS, _listed(by_group)], drawn, each)]
    if models is not None and len(models):
        parts.append(Section(f"{title}: intercepts for groups", MODELS, {}, _models(models)))
    return parts


def _listed(by_group: pd.DataFrame | None) -> str:
    """What the table on the page has."""
    many = by_group is not None and by_group["group"].nunique() > MOST_GROUPS
    what = f"in the {MOST_GROUPS} groups with most images" if many else "in each group"
    return f"The table has the strongest measures of each encoder over all images, {what}; by_group.csv has all groups."


def _each(by_group: pd.DataFrame) -> pd.DataFrame:
    """A row a measure, a column a group."""
    largest = (
        by_group.groupby("group", sort=False)["n"].max().sort_values(ascending=False, kind="stable").head(MOST_GROUPS)
    )
    chosen = by_group[by_group["group"].isin(largest.index)]
    cells = [
        f"{signed(row['rho'])} {interval_text(row['ci_low'], row['ci_high'], row['n'])}" for _, row in chosen.iterrows()
    ]
    wide = chosen.assign(cell=cells).pivot_table(
        index=["model", "metric", "layer"], columns="group", values="cell", aggfunc="first", sort=False
    )
    wide.columns = [f"{group} (n = {count(largest[group])})" for group in wide.columns]
    return wide.reset_index()


def _models(models: pd.DataFrame) -> pd.DataFrame:
    """For reading."""
    out = models[["model", "metric", "layer"]].assign(alone=models["coef"].map(signed))
    for kind, name in (("fixed", "fixed intercepts"), ("random", "random intercepts")):
        values = models[f"coef_{kind}"], models[f"coef_{kind}_se"], models[f"coef_{kind}_p"]
        out[name] = [f"{signed(b)} ± {se:.3f}{equals('p', p)}" for b, se, p in zip(*values, strict=True)]
    names = {
        "r2": "R² alone",
        "r2_groups": "R² groups",
        "r2_both": "R² both",
        "increment": "increment",
        "icc": "intraclass corr.",
    }
    return out.assign(**{name: models[column].round(4) for column, name in names.items()}, n=models["n"])


def pooled_beside_within(table: pd.DataFrame, grouping: str, context: Context) -> Figure:
    """Each measure's rho over all images (x) against its rho within groups (y): on the diagonal the groups make no difference.

    Args:
        table: from `memjax.stats.within_groups.within_groups`.
        grouping: the column of groups.
        context: whether the data are generated.
    """
    known, looks = table.dropna(subset=["rho", "within"]), encoder_styles(table)
    with style():
        figure = Chart(figsize=(6.2, 5.6), layout="constrained")
        axes = figure.add_subplot()
        most = 1.08 * max(known["rho"].abs().max(), known["within"].abs().max(), 0.05)
        axes.plot([-most, most], [-most, most], color=MUTED, linewidth=1, linestyle=":")
        axes.axhline(0, color=MUTED, linewidth=0.9)
        axes.axvline(0, color=MUTED, linewidth=0.9)
        for model, rows in known.groupby("model", sort=False):
            look, clear = looks[str(model)], rows["within_q"] < ALPHA
            axes.vlines(
                rows["rho"], rows["within_low"], rows["within_high"], color=look.colour, alpha=0.25, linewidth=1
            )
            for part, face in ((rows[clear], look.colour), (rows[~clear], "white")):
                named = legend_name(str(model)) if face != "white" else None
                axes.plot(
                    part["rho"],
                    part["within"],
                    look.marker,
                    color=look.colour,
                    markerfacecolor=face,
                    markersize=5,
                    label=named,
                )
        axes.set_xlabel("Spearman's ρ over all images")
        axes.set_ylabel(f"Spearman's ρ within {grouping}")
        title = f"Over all images and within {grouping}"
        figure.heading(title)
        figure.legend(
            loc="outside lower center", ncols=2, title="dotted: equal; open: q ≥ 0.05 within groups", title_fontsize=8.5
        )
        if context.synthetic:
            axes.text(0.02, 0.02, SYNTHETIC, transform=axes.transAxes, fontsize=7.5, color=WARNING)
    end = f" {SYNTHETIC}" if context.synthetic else ""
    figure.set_label(f"{title}: each point a measure at a layer, bars 95 % intervals.{end}")
    return figure
