"""The paper's tables from per-image measures, each a pandas table; `compare` sets them beside the published numbers."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from memjax.checks import InputError
from memjax.paper import published
from memjax.paper.released import Released
from memjax.stats.exact import reported
from memjax.stats.multiples import family_q
from memjax.stats.partial import partial_correlation, within_category
from memjax.stats.readout import Readout
from memjax.stats.regression import Glm, fit_glm
from memjax.stats.reliability import ceiling_of, split_half
from memjax.stats.table import KEYS, Columns, correlation_table, stack

READOUT = "readout"
"""The metric that a readout's out-of-fold predictions go by."""

IMAGE = "image"
"""The model that an image's own low-level statistics go by."""


MAE_BLOCKS = {"base": 12, "large": 24}
"""Of ViT-MAE's encoders."""


def per_image_measures(released: Released) -> dict[str, dict[str, np.ndarray]]:
    """MAE losses and SAE latent magnitudes as measures ``[n, l + 1]``: at the last layer, as all that are of the whole image."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for size, values in released.mae_loss.items():
        out[f"ViT-MAE {size}"] = {"mae_loss": _at_last(values, MAE_BLOCKS[size])}
    for model, values in released.latent_magnitude.items():
        layers = max((x.shape[1] for x in released.measures.get(model, {}).values()), default=1)
        out.setdefault(f"{model} SAE", {})["sae_latent_magnitude"] = _at_last(values, layers - 1)
    return out


def _at_last(values: np.ndarray, layer: int) -> np.ndarray:
    return np.column_stack([np.full((len(values), layer), np.nan), values])


def sae_table(sae_rho: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Columns ``model, epoch, mean, std, best, seeds``: rho of the SAE's loss over seeds (std: ddof 0)."""
    rows = [
        (model, epoch, seeds.mean(), seeds.std(), seeds.max(), len(seeds))
        for model, epochs in sae_rho.items()
        for epoch, seeds in enumerate(epochs, start=1)
    ]
    return pd.DataFrame(rows, columns=["model", "epoch", "mean", "std", "best", "seeds"])


GLM_LAYERS = {name: published.GLM_KEY + (name == "attention_entropy") for name in published.GLM_COLUMNS}
"""Measures of the paper's model -> the layer that they are taken from."""


def glm_columns(metrics: Mapping[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Names and values ``[n, 5]`` of the measures of the paper's model."""
    return list(GLM_LAYERS), np.column_stack([metrics[name][:, layer] for name, layer in GLM_LAYERS.items()])


def paper_glm(metrics: Mapping[str, np.ndarray], scores: np.ndarray) -> tuple[Glm | None, str]:
    """The paper's model for one encoder, and a note: why there is none, what was left out, or the design's
    deficiency."""
    missing = [name for name, layer in GLM_LAYERS.items() if name not in metrics or metrics[name].shape[1] <= layer]
    if missing:
        return None, f"no model: {', '.join(missing)} not there"
    names, x = glm_columns(metrics)
    try:
        fit = fit_glm(x, scores, names)
    except InputError as error:
        return None, f"no model: {error}"
    if fit.dependent:
        names = ", ".join(fit.dependent)
        note = f"design of rank {fit.rank} with {fit.n_columns} columns: {names} follows from the columns before it"
        return fit, f"{note}; the pseudo-inverse solution shares the effect among them"
    return fit, ""


def glm_table(fits: Mapping[str, Glm]) -> pd.DataFrame:
    """Columns ``model, term, coef, se, z, p, deviance, log_likelihood, cox_snell_r2, rank, columns, n``."""
    rows = [
        (model, *term, fit.deviance, fit.log_likelihood, fit.cox_snell_r2, fit.rank, fit.n_columns, fit.n_images)
        for model, fit in fits.items()
        for term in zip(fit.names, fit.coef, fit.se, fit.z, fit.p, strict=True)
    ]
    names = "model term coef se z p deviance log_likelihood cox_snell_r2 rank columns n"
    return pd.DataFrame(rows, columns=names.split())


def readout_columns(readouts: Mapping[str, Readout]) -> Columns:
    """Each readout's out-of-fold prediction as a measure of its encoder, `READOUT`."""
    return stack({model: {READOUT: found.predicted[:, None]} for model, found in readouts.items()})


def best_layers(columns: Columns, scores: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Each encoder and metric at the layer of its largest ``|rho|``: names (``model, metric, layer``) and ``[n, k]``."""
    table = correlation_table(columns, scores, n_boot=0)
    best = table.assign(size=table["rho"].abs()).groupby(["model", "metric"])["size"].idxmax().dropna().astype(int)
    return no_layer(table.loc[best, KEYS].reset_index(drop=True)), columns.values[:, best.to_numpy()]


def no_layer(names: pd.DataFrame) -> pd.DataFrame:
    """Layer -1 for what belongs to no layer: a readout, an image's own statistics."""
    return names.assign(layer=names["layer"].where((names["metric"] != READOUT) & (names["model"] != IMAGE), -1))


def category_table(columns: Columns, scores: pd.DataFrame, n_boot: int, halves: np.ndarray | None) -> pd.DataFrame:
    """Each encoder and metric at its best layer: rho over all images, in each category, and pooled over categories.

    Args:
        columns: rows in the order of ``scores``.
        scores: columns ``memorability, category``.
        n_boot: resamples for the intervals.
        halves: scores of two halves of the observers ``[2, splits, n]``, or None.

    Returns:
        Columns ``model, metric, layer, category, rho, ci_low, ci_high, p, n``; with halves also ``ceiling``, of the
        category's own images (for ``pooled`` from the categories' consistencies as their rho is pooled), and
        ``rho_over_ceiling``.
    """
    y, categories = scores["memorability"].to_numpy(np.float64), scores["category"].to_numpy(str)
    names, x = best_layers(columns, y)
    found = within_category(x, y, categories, n_boot=n_boot)
    values = ("rho", "ci_low", "ci_high", "p")
    parts = [
        names.assign(category=category, **{v: getattr(one, v) for v in values}, n=one.n_images)
        for category, one in found.items()
    ]
    out = pd.concat(parts, ignore_index=True)
    if halves is None:
        return out
    ceilings = out["category"].map(category_ceilings(halves, categories))
    return out.assign(ceiling=ceilings, rho_over_ceiling=out["rho"] / ceilings)


def category_ceilings(halves: np.ndarray, categories: np.ndarray) -> dict[str, float]:
    """The ceiling over all images (``"all"``), in each category, and for rho pooled over them."""
    masks = {str(name): categories == name for name in np.unique(categories)}
    half = {name: split_half(halves[:, :, mask]).consistency for name, mask in masks.items()}
    weights = [mask.sum() - 3 for mask in masks.values()]
    half["pooled"] = float(np.tanh(np.average(np.arctanh(list(half.values())), weights=weights)))
    half["all"] = split_half(halves).consistency
    return {name: ceiling_of(value) for name, value in half.items()}


def control_table(
    columns: Columns, scores: np.ndarray, controls: Mapping[str, np.ndarray], halves: np.ndarray | None = None
) -> pd.DataFrame:
    """Partial rank correlation of every column with the scores, each set of controls held constant.

    Args:
        columns: rows in the order of ``scores``; what belongs to no layer gets layer -1.
        scores: human scores ``[n]``.
        controls: name -> ``[n, c]``. Only images that have all of them are used, in every row, so that rows compare.
        halves: scores of two halves of the observers ``[2, splits, n]``, or None.

    Returns:
        Columns ``controls, model, metric, layer, rho, ci_low, ci_high, p, q, n``; ``controls`` ``"none"`` is the plain
        correlation. q: Benjamini-Hochberg in each set, a measure and its fixed multiples one test. Columns that the controls
        explain wholly are left out. With halves
        also ``ceiling``, from the halves' partial correlation with the same controls held constant, and
        ``rho_over_ceiling``: what the controls explain in the scores is taken out of the ceiling too.
    """
    x, keys = columns.values, no_layer(columns.keys)
    known = np.isfinite(np.column_stack(list(controls.values()))).all(axis=1)
    y = np.where(known, scores, np.nan)
    parts = []
    for name, held in {"none": np.empty((len(y), 0)), **controls}.items():
        found = partial_correlation(x, y, held)
        values = {v: getattr(found, v) for v in ("rho", "ci_low", "ci_high", "p")}
        part = keys.assign(controls=name, **values, q=family_q(found.p, x, keys), n=found.n_images)
        if halves is not None:
            top = control_ceiling(np.where(known, halves, np.nan), held)
            part = part.assign(ceiling=top, rho_over_ceiling=found.rho / top)
        parts.append(part[np.isfinite(found.rho)])
    out = pd.concat(parts, ignore_index=True)
    return out[["controls", *(column for column in out.columns if column != "controls")]]


def control_ceiling(halves: np.ndarray, controls: np.ndarray) -> float:
    """The ceiling of scores with controls held constant, from ``halves [2, splits, n]``: mean partial correlation."""
    found = [partial_correlation(a[:, None], b, controls).rho[0] for a, b in zip(*halves, strict=True)]
    return ceiling_of(float(np.mean(found)))


def isola_table(isola: pd.DataFrame, n_boot: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Lin et al.'s three numbers. The measure is what the name says; ``a | b``: partial, b held constant. Pearson's
    r."""
    measures = ["sparse_coding_error", "nearest_neighbour"]
    x, y = isola[measures].to_numpy(), isola["corrected_hit"].to_numpy()
    plain = reported(x, y, "pearson", n_boot, seed)
    partial = partial_correlation(x[:, :1], y, x[:, 1:], "pearson")
    values = ("rho", "ci_low", "ci_high", "p", "n_images")
    table = pd.DataFrame({v: np.append(getattr(plain, v), getattr(partial, v)) for v in values})
    return table.rename(columns={"n_images": "n"}).assign(measure=list(published.ISOLA))


def compare(
    table: pd.DataFrame,
    sae: pd.DataFrame | None = None,
    fits: Mapping[str, Glm] | None = None,
    isola: pd.DataFrame | None = None,
    sources: pd.DataFrame | None = None,
    given_category: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Ours beside the published: columns ``part, model, quantity, layer, ours, theirs, difference``; unpublished rows
    left out."""
    rows = [*_correlations(table), *_sources(sources), *_sae(sae), *_glm(fits or {})]
    rows += [*_given_category(given_category), *_isola(isola)]
    out = pd.DataFrame(rows, columns=["part", "model", "quantity", "layer", "ours", "theirs"])
    return out.assign(difference=out["ours"] - out["theirs"])


def is_rho(compared: pd.DataFrame) -> pd.Series:
    """Which rows of `compare` are a Spearman's rho with MemCat's scores (not a spread, a model's number, Isola's r)."""
    parts = ("correlations", "MAE baseline", "SAE latent magnitude", "SAE loss")
    return compared["part"].isin(parts) & ~compared["quantity"].str.startswith("std")


def _correlations(table: pd.DataFrame) -> Iterator[tuple]:
    for row in table.itertuples():
        by_layer = published.RHO_BY_LAYER.get(row.model, {}).get(row.metric, ())
        theirs = by_layer[row.layer] if row.layer < len(by_layer) else None
        theirs = published.RHO_PER_IMAGE.get(row.model, {}).get(row.metric, theirs)
        part = "correlations"
        if row.metric == "mae_loss":
            part, theirs = "MAE baseline", published.MAE_RHO.get(row.model.rsplit(" ", 1)[-1])
        elif row.metric == "sae_latent_magnitude":
            part, theirs = "SAE latent magnitude", published.LATENT_MAGNITUDE.get(row.model.removesuffix(" SAE"))
        if theirs is not None and np.isfinite(row.rho):
            yield part, row.model, row.metric, row.layer, row.rho, theirs


def _sources(sources: pd.DataFrame | None) -> Iterator[tuple]:
    for row in () if sources is None else sources.itertuples():
        theirs = published.MAE_RHO_BY_SOURCE.get(row.model.rsplit(" ", 1)[-1], {}).get(row.source)
        if theirs is not None:
            yield "MAE baseline", row.model, f"mae_loss, {row.source}", -1, row.rho, theirs


def _given_category(given: pd.DataFrame | None) -> Iterator[tuple]:
    for row in () if given is None else given.drop_duplicates("model").itertuples():
        theirs = published.GLM_GIVEN_CATEGORY.get(row.model, {})
        for quantity in theirs:
            yield "GLM", row.model, f"{quantity}, category intercepts", -1, getattr(row, quantity), theirs[quantity]


def _sae(sae: pd.DataFrame | None) -> Iterator[tuple]:
    for row in () if sae is None else sae.itertuples():
        for quantity, values in (("mean", published.SAE_MEAN), ("std", published.SAE_STD)):
            theirs = values.get(row.model, ())
            if row.epoch <= len(theirs) and theirs[row.epoch - 1] is not None:
                yield (
                    "SAE loss",
                    row.model,
                    f"{quantity}, epoch {row.epoch}",
                    -1,
                    getattr(row, quantity),
                    theirs[row.epoch - 1],
                )
    for model, rows in () if sae is None else sae.groupby("model"):
        if model in published.SAE_BEST:
            yield "SAE loss", model, "best run", -1, rows["best"].max(), published.SAE_BEST[model]


def _glm(fits: Mapping[str, Glm]) -> Iterator[tuple]:
    for model, fit in fits.items():
        ours = {name: getattr(fit, name) for name in ("deviance", "log_likelihood", "cox_snell_r2")}
        for kind in ("coef", "z"):
            ours |= {f"{kind} {name}": value for name, value in zip(fit.names, getattr(fit, kind), strict=True)}
        for quantity, theirs in published.GLM.get(model, {}).items():
            yield "GLM", model, quantity, -1, float(ours[quantity]), theirs


def _isola(isola: pd.DataFrame | None) -> Iterator[tuple]:
    for row in () if isola is None else isola.itertuples():
        for quantity, ours, theirs in zip(
            ("r", "low", "high"), (row.rho, row.ci_low, row.ci_high), published.ISOLA[row.measure], strict=True
        ):
            yield "Isola et al. 2011", row.measure, quantity, -1, ours, theirs
