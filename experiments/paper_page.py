"""The figures and the report page of `reproduce_paper.py`."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.paper_inputs import Inputs
from experiments.paper_results import Results
from memjax.paper.tables import PICTURE, READOUT
from memjax.report import epochs, figures
from memjax.report.labels import interval, probability
from memjax.report.page import Section, write_report
from memjax.report.readout import layer_map, readout_beside, readout_section, sentences

SHOWN = 10
"""Measures in the table of controls."""


def figures_of(results: Results, inputs: Inputs) -> dict[str, Figure]:
    """Every figure by the name of its file: each metric by layer, the autoencoder by epoch, the readout."""
    table, ceiling = results.tables["correlations"], results.ceiling
    by_layer = table[table["model"].isin(list(inputs.measures))]
    drawn = {
        str(metric): figures.rho_by_layer(by_layer, metric, ceiling)
        for metric in by_layer.dropna(subset="rho")["metric"].unique()
    }
    if len(drawn) > 1:
        drawn = {"overview": figures.overview(by_layer, ceiling), **drawn}
    if "sae_epochs" in results.tables:
        drawn["sae_epochs"] = epochs.rho_by_epoch(results.tables["sae_epochs"], ceiling.half if ceiling else None)
    if results.readouts:
        drawn["readout"] = readout_beside(results.tables["readout"], ceiling)
        weights = results.tables["readout_weights"]
        for model in weights["model"].unique():
            drawn |= {f"readout_{kind}_{model}": layer_map(weights, model, kind) for kind in ("weights", "importance")}
    return drawn


def write_page(
    path: Path, run: dict[str, Any], results: Results, inputs: Inputs, drawn: dict[str, Figure], failures: pd.DataFrame
) -> None:
    """report.html: the correlations, the readout, and a section for each further table."""
    by_layer = {name: figure for name, figure in drawn.items() if not name.startswith(("readout", "sae_epochs"))}
    write_report(
        path,
        run=run,
        table=results.tables["correlations"],
        features={},
        figures=by_layer,
        failures=failures,
        ceiling=results.ceiling,
        sections=[*sections(results, inputs, run["arguments"], drawn)],
        findings=sentences(results.tables["readout"], results.ceiling) if results.readouts else [],
    )


def sections(results: Results, inputs: Inputs, args: dict[str, Any], drawn: dict[str, Figure]) -> list[Section]:
    """The parts of the page below the correlations."""
    tables, parts = results.tables, []
    if results.readouts:
        kind = f"of whole groups ({args['groups']})" if args["groups"] else "of pictures"
        how = f"At most {args['folds']} outer and {args['folds']} inner folds {kind}, drawn at random (seed {args['seed']})."
        parts.append(readout_section(tables["readout"], tables["readout_weights"], results.ceiling, how))
    if "controls" in tables:
        parts.append(Section("Controls held constant", CONTROLS, {}, strongest(tables["controls"])))
    if "categories" in tables:
        parts.append(Section("Within categories", CATEGORIES, {}, by_category(tables["categories"])))
    if "sae_epochs" in tables:
        figure = {"sae_epochs": drawn["sae_epochs"]}
        parts.append(Section("Sparse autoencoder by epoch", SAE, figure, tables["sae_epochs"].round(3)))
    if "glm" in tables:
        fits = tables["glm"].assign(p=[probability(p) for p in tables["glm"]["p"]])
        parts.append(Section("Generalised linear model", GLM, {}, fits))
    if len(tables["comparison"]):
        parts.append(Section("Ours beside the published", [], {}, _shown(tables["comparison"], 6)))
    if results.disagreements:
        parts.append(Section("What to know of text, scripts and files", results.disagreements))
    return parts


CONTROLS = (
    "Partial rank correlations: the linear part of the controls' ranks is taken out of the ranks of both measure and score. "
    "none: the plain correlation of the same pictures. The low-level statistics are contrast, colourfulness and edge density "
    "of the picture resized to 256 by 256 pixels; they have rows of their own, and so has the readout's out-of-fold "
    "prediction. The ceiling of a partial correlation comes from the halves' partial correlation with the same controls. "
    "All columns are in controls.csv.",
)
CATEGORIES = (
    "Each measure at its best layer: over all pictures, in each category, and pooled over categories (mean of Fisher's z). "
    "Where all and pooled differ, the measure tells categories apart rather than pictures. The ceiling of a category "
    "comes from its own pictures. Intervals, n and the ceilings are in categories.csv.",
)
SAE = ("Released correlations of the reconstruction loss, scored on the pictures that the autoencoder was trained on.",)
GLM = ("Gaussian family, identity link; coefficients are score per standard deviation of the measure.",)


def strongest(controls: pd.DataFrame, intervals: bool = True) -> pd.DataFrame:
    """The readouts, the low-level statistics and the strongest measures, one row each, columns for each set of controls."""
    keys = ["model", "metric", "layer"]
    plain = controls[controls["controls"] == "none"].assign(size=lambda t: t["rho"].abs())
    own = plain["metric"].eq(READOUT) | plain["model"].eq(PICTURE)
    best = plain[~own].loc[lambda t: t.groupby(["model", "metric"])["size"].idxmax()].nlargest(SHOWN, "size")
    out = pd.concat([plain[own], best])[keys].reset_index(drop=True)
    order = pd.MultiIndex.from_frame(out[keys])
    for name in controls["controls"].unique():
        found = controls[controls["controls"] == name].set_index(keys).reindex(order).reset_index(drop=True)
        out[f"rho, {name}"] = found["rho"]
        if intervals:
            out[f"interval, {name}"] = [interval(*ends) for ends in zip(found["ci_low"], found["ci_high"])]
        if "rho_over_ceiling" in controls:
            out[f"rho / ceiling, {name}"] = found["rho_over_ceiling"]
    return _shown(out)


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
    return _shown(out.sort_values(["own", "size"], kind="stable").drop(columns=["own", "size"]))


def _shown(table: pd.DataFrame, decimals: int = 3) -> pd.DataFrame:
    """Rounded; no layer where there is none."""
    return table.assign(layer=table["layer"].where(table["layer"] >= 0).astype(float)).round(decimals)
