"""What the reproduction computes from its inputs: every table by the name of its file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from memjax.datasets.base import label_columns
from memjax.paper import tables
from memjax.paper.by_source import source_table
from memjax.paper.disagreements import disagreements
from memjax.paper.given_category import glm_given_category
from memjax.paper.inputs import ImageStatistics, Inputs, dealt_consistency
from memjax.paper.regimes import regime_table
from memjax.paper.settings import PaperSettings
from memjax.stats.analysis import AboutImages, Analysis, AnalysisSettings, analyse
from memjax.stats.partial import one_hot
from memjax.stats.readout import Readout
from memjax.stats.readouts import Together
from memjax.stats.regression import Glm
from memjax.stats.reliability import Reliability
from memjax.stats.table import stack

RHO = {"correlations": "rho", "sae_epochs": "mean", "comparison": "ours"}
"""Tables that get ``rho_over_ceiling``, and the column that it divides; the others bring their own."""


@dataclass(frozen=True)
class Results:
    """Every table by the name of its file, and what the terminal and the page say besides."""

    tables: Mapping[str, pd.DataFrame]
    ceiling: Reliability | None
    readouts: Mapping[str, Readout]
    disagreements: list[str]


def compute(inputs: Inputs, settings: PaperSettings) -> Results:
    """All tables of the paper from the inputs; nothing is written."""
    analysis = analyse_inputs(inputs, settings)
    found = {"correlations": analysis.table}
    if analysis.readouts is not None and analysis.weights is not None:
        found |= {"readout": analysis.readouts, "readout_weights": analysis.weights}
    if analysis.labels is not None:
        found["label_baselines"] = analysis.labels
    columns = analysis.columns
    if analysis.predicted:
        columns = columns.beside(tables.readout_columns(analysis.predicted))
    if "category" in inputs.scores:
        found["categories"] = tables.category_table(columns, inputs.scores, settings.bootstraps, inputs.halves)
    if controls := controls_of(inputs):
        every = columns.beside(stack(image_measures(inputs.controls))) if inputs.controls else columns
        found["controls"] = tables.control_table(every, inputs.y, controls, inputs.halves)
    fits, notes = add_published(found, inputs, settings)
    dealt = dealt_consistency(inputs.scores, settings.seed) if inputs.released else None
    said = [*disagreements(analysis.table, notes, dealt, released=bool(inputs.released)), *inputs.seen]
    if fits:
        found["glm"] = tables.glm_table(fits)
    return Results(with_shares(found, inputs.ceiling), inputs.ceiling, analysis.predicted, said)


def analyse_inputs(inputs: Inputs, settings: PaperSettings) -> Analysis:
    """Correlations of every measure, and a readout of the encoders' layer measures for each encoder and all together."""
    extra = tables.per_image_measures(inputs.released) if inputs.released else {}
    chosen = AnalysisSettings(
        "spearman", settings.bootstraps, settings.folds, seed=settings.seed, readout_images=0,
        readout_models=tuple(inputs.measures), readout_values=None,
    )  # fmt: skip
    return analyse({**inputs.measures, **extra}, inputs.y, inputs.ceiling, chosen, about=about_images(inputs, settings))


def about_images(inputs: Inputs, settings: PaperSettings) -> AboutImages:
    """The groups that are held out whole, and the labels that a readout has to add to."""
    groups = inputs.scores[settings.groups].to_numpy(str) if settings.groups else None
    return AboutImages(Together(groups), label_columns(inputs.scores))


def add_published(
    found: dict[str, pd.DataFrame], inputs: Inputs, settings: PaperSettings
) -> tuple[dict[str, Glm], dict[str, str]]:
    """Further tables, and ours beside the published, into ``found``; the models and their notes."""
    sae = tables.sae_table(inputs.released.sae_rho) if inputs.released and inputs.released.sae_rho else None
    isola = tables.isola_table(inputs.isola, settings.bootstraps, settings.seed) if inputs.isola is not None else None
    models = {model: tables.paper_glm(metrics, inputs.y) for model, metrics in inputs.measures.items()}
    fits = {model: fit for model, (fit, _) in models.items() if fit is not None}
    given = glm_given_category(fits, inputs.measures, inputs.scores) if fits and "category" in inputs.scores else None
    sources = mae_by_source(inputs, settings)
    regimes = regime_table(sae, inputs.saes) if inputs.released or inputs.saes else None
    more = {
        "sae_epochs": sae,
        "sae_regimes": regimes,
        "isola": isola,
        "mae_by_source": sources,
        "glm_given_category": given,
    }
    found |= {name: table for name, table in more.items() if table is not None}
    found["comparison"] = tables.compare(found["correlations"], sae, fits, isola, sources, given)
    return fits, {model: note for model, (_, note) in models.items()}


def mae_by_source(inputs: Inputs, settings: PaperSettings) -> pd.DataFrame | None:
    """See `memjax.paper.by_source.source_table`; None without sources of the images, or without ViT-MAE's loss."""
    if "source" not in inputs.scores:
        return None
    extra = tables.per_image_measures(inputs.released) if inputs.released else {}
    table = source_table({**inputs.measures, **extra}, inputs.scores, settings.bootstraps, settings.seed)
    return table if len(table) else None


def controls_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """What is held constant: the category, the low-level statistics, both."""
    found = {}
    if "category" in inputs.scores:
        found["category"] = one_hot(inputs.scores["category"].to_numpy(str))
    if inputs.controls is not None:
        found["low-level"] = inputs.controls.values.to_numpy(np.float64)
    return found | ({"category and low-level": np.column_stack(list(found.values()))} if len(found) == 2 else {})


def image_measures(statistics: ImageStatistics) -> dict[str, dict[str, np.ndarray]]:
    """The low-level statistics as measures of their own, by image."""
    return {tables.IMAGE: {str(name): x.to_numpy()[:, None] for name, x in statistics.values.items()}}


def with_shares(found: dict[str, pd.DataFrame], ceiling: Reliability | None) -> dict[str, pd.DataFrame]:
    """The tables with ``rho_over_ceiling``, where a ceiling is known; NaN for numbers that are no such correlation."""
    if ceiling is None:
        return found
    out = dict(found)
    for name, column in RHO.items():
        if name in found:
            values = found[name][column]
            if name == "comparison":
                values = values.where(tables.is_rho(found[name]))
            out[name] = found[name].assign(rho_over_ceiling=values / ceiling.ceiling)
    return out
