"""What `reproduce_paper.py` computes from its inputs: every table by the name of its file."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.paper_inputs import Inputs
from memjax.paper import tables
from memjax.paper.disagreements import disagreements
from memjax.stats.partial import one_hot
from memjax.stats.readout import Readout
from memjax.stats.readouts import readout_table, readouts, weight_table
from memjax.stats.regression import Glm
from memjax.stats.reliability import Reliability
from memjax.stats.table import correlation_table

if TYPE_CHECKING:
    from experiments.reproduce_paper import Arguments

RHO = {"correlations": "rho", "sae_epochs": "mean", "comparison": "ours"}
"""Tables that get ``rho_over_ceiling``, and the column that it divides; the others bring their own."""


@dataclasses.dataclass(frozen=True)
class Results:
    """Every table by the name of its file, and what the terminal and the page say besides."""

    tables: dict[str, pd.DataFrame]
    ceiling: Reliability | None
    readouts: dict[str, Readout]
    disagreements: list[str]


def compute(inputs: Inputs, args: "Arguments") -> Results:
    y = inputs.y
    extra = tables.per_image_measures(inputs.released) if inputs.released else {}
    every = {**inputs.measures, **extra}
    found = {"correlations": correlation_table(every, y, "spearman", args.bootstraps, args.seed)}
    predicted = compute_readouts(inputs, args)
    ceiling = inputs.ceiling.found if inputs.ceiling else None
    if predicted:
        found["readout"] = readout_table(predicted, found["correlations"], ceiling.ceiling if ceiling else None)
        found["readout_weights"] = weight_table(predicted, inputs.measures)
    everything = tables.with_readouts(every, predicted)
    halves = inputs.ceiling.halves if inputs.ceiling else None
    if "category" in inputs.scores and everything:
        found["categories"] = tables.category_table(everything, inputs.scores, args.bootstraps, halves)
    if (controls := controls_of(inputs)) and everything:
        found["controls"] = tables.control_table(everything | picture_measures(inputs), y, controls, halves)
    fits, notes = add_published(found, inputs, args)
    said = disagreements(
        found["correlations"], notes, ceiling.half if ceiling else None, released=bool(inputs.released)
    )
    if fits:
        found["glm"] = tables.glm_table(fits)
    return Results(with_shares(found, ceiling), ceiling, predicted, said)


def add_published(
    found: dict[str, pd.DataFrame], inputs: Inputs, args: "Arguments"
) -> tuple[dict[str, Glm], dict[str, str]]:
    """The autoencoders' and Isola's tables, and ours beside the published, into ``found``; the models and their notes."""
    sae = tables.sae_table(inputs.released.sae_rho) if inputs.released and inputs.released.sae_rho else None
    isola = tables.isola_table(inputs.isola, args.bootstraps, args.seed) if inputs.isola is not None else None
    models = {model: tables.paper_glm(metrics, inputs.y) for model, metrics in inputs.measures.items()}
    fits = {model: fit for model, (fit, _) in models.items() if fit is not None}
    found |= {name: table for name, table in (("sae_epochs", sae), ("isola", isola)) if table is not None}
    found["comparison"] = tables.compare(found["correlations"], sae, fits, isola)
    return fits, {model: note for model, (_, note) in models.items()}


def compute_readouts(inputs: Inputs, args: "Arguments") -> dict[str, Readout]:
    """One readout for each encoder, and one of all together; none without folds or measures."""
    if not args.folds or not inputs.measures:
        return {}
    groups = inputs.scores[args.groups].to_numpy(str) if args.groups else None
    return readouts(inputs.measures, inputs.y, groups, args.folds, args.bootstraps, args.seed)


def controls_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """What is held constant: the category, the low-level statistics, both."""
    found = {}
    if "category" in inputs.scores:
        found["category"] = one_hot(inputs.scores["category"].to_numpy(str))
    if inputs.controls is not None:
        found["low-level"] = inputs.controls.to_numpy(np.float64)
    return found | ({"category and low-level": np.column_stack(list(found.values()))} if len(found) == 2 else {})


def picture_measures(inputs: Inputs) -> dict[str, dict[str, np.ndarray]]:
    """The low-level statistics as measures of their own."""
    if inputs.controls is None:
        return {}
    return {tables.PICTURE: {str(name): values.to_numpy()[:, None] for name, values in inputs.controls.items()}}


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
