"""The figures and the report page of `reproduce_paper.py`."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from memjax.outputs import Run, failure_table
from memjax.paper import headline
from memjax.paper.claims_of_loss import CLAIMS
from memjax.paper.claims_page import WEIGHED, shown_claims
from memjax.paper.inputs import Inputs
from memjax.paper.results import Results
from memjax.paper.settings import PaperSettings
from memjax.paper.tables import IMAGE, READOUT
from memjax.report import epochs, figures
from memjax.report.labels import Context, interval_text, is_per_image, probability
from memjax.report.page import Page, Section, write_report
from memjax.report.readout import layer_map, readout_beside, readout_section, sentences
from memjax.stats.reliability import Reliability

SHOWN = 10
"""Measures in the table of controls."""


def paper_figures(results: Results, inputs: Inputs) -> dict[str, Figure]:
    """Every figure by the name of its file: each metric by layer, the autoencoder by epoch, the readout."""
    table, context = results.tables["correlations"], Context(ceiling=results.ceiling)
    by_layer = table[table["model"].isin(list(inputs.measures))]
    drawn = {
        str(metric): figures.rho_by_layer(by_layer, metric, context)
        for metric in by_layer.dropna(subset="rho")["metric"].unique()
    }
    if len(drawn) > 1:
        drawn = {"overview": figures.overview(by_layer, context), **drawn}
    if "sae_epochs" in results.tables:
        drawn["sae_epochs"] = epochs.rho_by_epoch(results.tables["sae_epochs"], results.ceiling)
    if results.readouts:
        drawn["readout"] = readout_beside(results.tables["readout"], context)
        weights = results.tables["readout_weights"]
        for model in weights["model"].unique():
            drawn |= {
                f"readout_{kind}_{model}": layer_map(weights, model, kind, context)
                for kind in ("weights", "importance")
            }
    return drawn


def write_page(
    path: Path, run: Run, results: Results, inputs: Inputs, drawn: Mapping[str, Figure], settings: PaperSettings
) -> None:
    """report.html: the correlations, the readout, and a section for each further table."""
    table = results.tables["correlations"]
    first, *others = found_words(results.tables, results.ceiling)
    page = Page(
        run=run,
        table=table,
        context=Context(ceiling=results.ceiling),
        failures=failure_table(inputs.controls.failures if inputs.controls else ()),
        figures={name: figure for name, figure in drawn.items() if not name.startswith(("readout", "sae_epochs"))},
        sections=sections(results, drawn, settings),
        findings=others,
        headline=first,
        notes=headline.notes(table),
    )
    write_report(path, page)


def found_words(tables: Mapping[str, pd.DataFrame], ceiling: Reliability | None) -> list[str]:
    """The result in sentences, the headline first, on the page and in the terminal."""
    table, context = tables["correlations"], Context(ceiling=ceiling)
    found = [headline.opening(table, context), *headline.findings(table, tables.get("sae_epochs"), context)]
    if "readout" not in tables:
        return found
    return found + sentences(tables["readout"], ceiling, tables.get("label_baselines"))


def sections(results: Results, drawn: Mapping[str, Figure], settings: PaperSettings) -> list[Section]:
    """The parts of the page below the correlations."""
    tables, parts = results.tables, []
    if CLAIMS in tables:
        parts.append(Section("The abstract's claims put to the test", WEIGHED, {}, shown_claims(tables[CLAIMS])))
    if results.readouts:
        kind = f"of whole groups ({settings.groups})" if settings.groups else "of images"
        repeats = tables["readout"]["repeats"].iloc[0]
        how = f"At most {settings.folds} folds {kind}, drawn at random {repeats} times (seed {settings.seed})."
        context = Context(ceiling=results.ceiling)
        parts.append(readout_section(tables["readout"], tables["readout_weights"], context, how))
    if "controls" in tables:
        parts.append(Section("Controls held constant", CONTROLS, {}, strongest(tables["controls"])))
    if "categories" in tables:
        parts.append(Section("Within categories", CATEGORIES, {}, by_category(tables["categories"])))
    if "sae_epochs" in tables:
        figure = {"sae_epochs": drawn["sae_epochs"]}
        parts.append(Section("Sparse autoencoder by epoch", SAE, figure, tables["sae_epochs"].round(3)))
    if "sae_regimes" in tables:
        parts.append(Section("Sparse autoencoder in the authors' regimes", REGIMES, {}, tables["sae_regimes"].round(4)))
    if "glm" in tables:
        fits = tables["glm"].assign(p=[probability(p) for p in tables["glm"]["p"]])
        parts.append(Section("Generalised linear model", GLM, {}, fits))
    if "glm_given_category" in tables:
        parts.append(Section("The same with category intercepts", GIVEN, {}, tables["glm_given_category"].round(4)))
    if "mae_by_source" in tables:
        rows = tables["mae_by_source"].assign(p=[probability(p) for p in tables["mae_by_source"]["p"]])
        parts.append(Section("ViT-MAE by source of the image", SOURCES, {}, rows.round(4)))
    if len(tables["comparison"]):
        parts.append(Section("Ours beside the published", [], {}, shown_table(tables["comparison"], 6)))
    if results.disagreements:
        parts.append(Section("What to know of text, scripts and files", results.disagreements))
    return parts


CONTROLS = (
    "Partial rank correlations: the linear part of the controls' ranks is taken out of the ranks of both measure and score. "
    "none: the plain correlation of the same images. The low-level statistics are contrast, colourfulness and edge density "
    "of the image resized to 256 by 256 pixels; they have rows of their own, and so has the readout's out-of-fold "
    "prediction. The ceiling of a partial correlation comes from the halves' partial correlation with the same controls. "
    "All columns are in controls.csv.",
)
CATEGORIES = (
    "Each measure at its best layer: over all images, in each category, and pooled over categories (mean of Fisher's z). "
    "Where all and pooled differ, the measure tells categories apart rather than images. The ceiling of a category "
    "comes from its own images. Intervals, n and the ceilings are in categories.csv.",
)
SAE = ("Released correlations of the reconstruction loss, scored on the images that the autoencoder was trained on.",)
GLM = ("Gaussian family, identity link; coefficients are score per standard deviation of the measure.",)


REGIMES = (
    "single: batch size 1, 1e-4, every image in the training; the authors' figures call it Single, and it is no single exposure: "
    "it runs over 5 and over 20 epochs. split: batches of 4, 5e-4, 80 % of the images in the training; all are scored. "
    "published: mean over five seeds, or seed 0; of split and of 20 epochs read off their vector figures, since they released no "
    "values. own: runs of train_saes that were given, scored raw, as the authors' script did, and standardised, as the training "
    "saw them.",
)
GIVEN = (
    "Each category has an intercept of its own. increment: what the measures add to the categories' R2; a coefficient that "
    "changes its sign told categories apart, not images. R2 is 1 - deviance / deviance of the mean.",
)
SOURCES = ("ViT-MAE was trained on ImageNet, so that more than half of MemCat's images are no new ones to it.",)


def strongest(controls: pd.DataFrame, intervals: bool = True) -> pd.DataFrame:
    """The readouts, the low-level statistics and the strongest measures, one row each, columns for each set of controls."""
    keys = ["model", "metric", "layer"]
    plain = controls[controls["controls"] == "none"].assign(size=lambda t: t["rho"].abs())
    own = plain["metric"].eq(READOUT) | plain["model"].eq(IMAGE)
    best = plain[~own].loc[lambda t: t.groupby(["model", "metric"])["size"].idxmax()].nlargest(SHOWN, "size")
    out = pd.concat([plain[own], best])[keys].reset_index(drop=True)
    order = pd.MultiIndex.from_frame(out[keys])
    for name in controls["controls"].unique():
        found = controls[controls["controls"] == name].set_index(keys).reindex(order).reset_index(drop=True)
        out[f"rho, {name}"] = found["rho"]
        if intervals:
            out[f"interval, {name}"] = [interval_text(*ends) for ends in zip(found["ci_low"], found["ci_high"])]
        if "rho_over_ceiling" in controls:
            out[f"rho / ceiling, {name}"] = found["rho_over_ceiling"]
    return shown_table(out)


def by_category(table: pd.DataFrame) -> pd.DataFrame:
    """rho of each measure, a column for each category; the readouts first, then by size of the pooled rho."""
    keys = ["model", "metric", "layer"]
    wide = table.pivot(index=keys, columns="category", values="rho")
    order = ["all", "pooled", *(name for name in pd.unique(table["category"]) if name not in ("all", "pooled"))]
    wide = wide[order].add_prefix("rho, ")
    if "rho_over_ceiling" in table:
        share = table[table["category"] == "pooled"].set_index(keys)["rho_over_ceiling"]
        wide.insert(2, "rho / ceiling, pooled", share.reindex(wide.index))
    out = wide.reset_index()
    out = out.assign(own=out["metric"] != READOUT, size=-out["rho, pooled"].abs())
    return shown_table(out.sort_values(["own", "size"], kind="stable").drop(columns=["own", "size"]))


def shown_table(table: pd.DataFrame, decimals: int = 3) -> pd.DataFrame:
    """Rounded; no layer where there is none, or the measure is of the whole image."""
    named = table[next(name for name in ("metric", "quantity") if name in table)]
    has_layer = (table["layer"] >= 0) & ~named.map(is_per_image)
    return table.assign(layer=table["layer"].where(has_layer).astype(float)).round(decimals)
