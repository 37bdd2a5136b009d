"""Trained sparse autoencoders in words and tables: what their reconstruction error tells of memorability, and what it may owe."""

import pandas as pd

from memjax.report.labels import Context, count, equals, interval_text, is_number, of_ceiling, signed
from memjax.report.page import Section
from memjax.report.strongest import FEW_INTERVALS, too_few
from memjax.stats.strongest import ALPHA, FEWEST

SAES_TITLE = "Reconstruction error and memorability"
EPOCHS_SHOWN = 10
"""Epochs in the page's table."""

CONTROL = (
    "A long vector has a large error whatever the autoencoder learnt. ρ given length is what is left once the length of the "
    "token vector is held constant."
)
SEEN = (
    "Every image was scored by autoencoders that were trained on it: the error says how well an image that was learnt is "
    "reconstructed. Folds score each image by an autoencoder that never saw it."
)
MOSTLY_SEEN = "Four fifths of the images were scored by autoencoders that were trained on them."


def error_rows(by_layer: pd.DataFrame) -> pd.DataFrame:
    """The rows of the reconstruction error, of a table of `memjax.pipelines.saes.SAEResult`."""
    return by_layer[by_layer["metric"].str.endswith("_error")]


def sae_headline(by_layer: pd.DataFrame, context: Context) -> str:
    """One sentence: the correlation of the reconstruction error at its strongest layer.

    Args:
        by_layer: of `memjax.pipelines.saes.SAEResult`.
        context: the ceiling, and the level of the intervals.

    Example:
        >>> row = {"model": "a", "metric": "sae_error", "layer": 12, "rho": 0.3, "ci_low": 0.2, "ci_high": 0.4}
        >>> sae_headline(pd.DataFrame([row | {"p": 0.001, "q": 0.001, "n": 400}]), Context()).partition(":")[0]
        'Images that a sparse autoencoder of layer 12 of a reconstructs badly are more memorable'
    """
    rows = error_rows(by_layer)
    if rows["n"].max() < FEWEST:
        return too_few(int(rows["n"].max()))
    if not rows["rho"].notna().any():
        return "No correlation could be computed: the reconstruction error is constant or undefined."
    best = rows.loc[rows["rho"].abs().idxmax()]
    ends = interval_text(best["ci_low"], best["ci_high"])
    numbers = (
        f"{context.symbol} = {signed(best['rho'])}, {100 * context.level:g} % interval {ends}, n = {count(best['n'])}"
    )
    numbers += equals("q", best["q"])
    chosen = f" (the strongest of {len(rows)} layers)" if len(rows) > 1 else ""
    if not _clear(best):
        where = f"a sparse autoencoder of layer {best['layer']} of {best['model']}{chosen}"
        return f"The reconstruction error of {where} is not clearly related to memorability: {numbers}."
    more = "more" if best["rho"] > 0 else "less"
    where = f"a sparse autoencoder of layer {best['layer']} of {best['model']}"
    said = f"Images that {where} reconstructs badly are {more} memorable{chosen}"
    return f"{said}: {numbers}{of_ceiling(best['rho'], context.ceiling)}."


def _clear(row: pd.Series) -> bool:
    bounded = is_number(row["ci_low"]) and is_number(row["ci_high"])
    return bool(bounded and row["q"] < ALPHA and (row["ci_low"] > 0 or row["ci_high"] < 0))


def sae_sentences(by_layer: pd.DataFrame, by_epoch: pd.DataFrame) -> list[str]:
    """Of the same layer: with the length of the vectors held constant, and of the seeds one by one; none of few images."""
    rows = error_rows(by_layer)
    if rows["n"].max() < FEWEST or not rows["rho"].notna().any():
        return []
    best = rows.loc[rows["rho"].abs().idxmax()]
    ends = interval_text(best["given_ci_low"], best["given_ci_high"])
    said = [f"With the length of the token vector held constant it is {signed(best['rho_given_length'])} {ends}."]
    seeds = last_epoch(by_epoch).query("layer == @best.layer")["rho"]
    if len(seeds) > 1:
        said.append(
            f"That is of the mean error over {len(seeds)} seeds; the seeds' own ρ go from {signed(seeds.min())} to "
            f"{signed(seeds.max())}, mean {signed(seeds.mean())}."
        )
    return said


def sae_notes(by_layer: pd.DataFrame, scored: str, synthetic: bool) -> list[str]:
    """What keeps the headline from saying more.

    Args:
        by_layer: of `memjax.pipelines.saes.SAEResult`.
        scored: how images were scored, `memjax.pipelines.sae_settings.SAESettings.scored`.
        synthetic: whether the data are generated.
    """
    rows, notes = error_rows(by_layer), [CONTROL]
    if scored.startswith("trained on"):
        notes.append(SEEN if "four fifths" not in scored else MOSTLY_SEEN)
    if rows["n"].max() < FEWEST:
        notes.append(FEW_INTERVALS)
    elif len(rows) > 1:
        notes.append(
            f"The strongest layer was chosen as the largest of {len(rows)}, so it is likely to come out smaller on new images; "
            "each interval is for one layer on its own, q is Benjamini-Hochberg over the layers of one score."
        )
    if synthetic:
        notes.append("The images and scores are generated: nothing here is evidence about human memory.")
    return notes


def last_epoch(by_epoch: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last epoch in the standardised space, one a layer and seed."""
    return by_epoch[(by_epoch["epoch"] == by_epoch["epoch"].max()) & (by_epoch["space"] == "standardised")]


def layers_section(by_layer: pd.DataFrame, by_epoch: pd.DataFrame, trained: str) -> Section:
    """The table of the reconstruction error by layer, after the last epoch.

    Args:
        by_layer, by_epoch: of `memjax.pipelines.saes.SAEResult`.
        trained: what was trained, in a sentence.
    """
    rows, seeds = error_rows(by_layer).reset_index(drop=True), last_epoch(by_epoch).groupby("layer")
    own = seeds[["explained_variance", "dead_fraction"]].mean().reindex(rows["layer"])
    ends = seeds["rho"].agg(["min", "max", "count"]).reindex(rows["layer"])
    shown = pd.DataFrame({"layer": rows["layer"], "ρ": rows["rho"].map(signed), "interval": _ends(rows, "ci")})
    shown = shown.assign(q=rows["q"], **{"ρ given length": rows["rho_given_length"].map(signed)})
    shown["interval given length"] = _ends(rows, "given_ci")
    if ends["count"].max() > 1:
        shown["mean ρ of the seeds"] = rows["mean_rho_over_seeds"].map(signed)
        shown["lowest to highest seed"] = [f"{signed(a)} to {signed(b)}" for a, b in zip(ends["min"], ends["max"])]
    measured = {"explained variance": own["explained_variance"], "dead latents": own["dead_fraction"]}
    shown = shown.assign(**{name: values.to_numpy() for name, values in measured.items()}, n=rows["n"])
    how = "ρ is Spearman's, of the mean error over seeds after the last epoch, in the standardised space."
    return Section("By layer", [trained, how], {}, shown)


def epochs_section(by_epoch: pd.DataFrame) -> Section:
    """The table of rho by epoch, seeds together; of many epochs a few and the last."""
    every = sorted(by_epoch["epoch"].unique().tolist())
    step = -(-len(every) // EPOCHS_SHOWN)
    rows = by_epoch[by_epoch["epoch"].isin(every[::-1][::step])]
    found = rows.groupby(["layer", "space", "epoch"], sort=False, as_index=False).agg(
        rho=("rho", "mean"), low=("rho", "min"), high=("rho", "max"), seeds=("seed", "nunique"),
        ci_low=("ci_low", "mean"), ci_high=("ci_high", "mean"), loss=("loss", "mean"),
        explained=("explained_variance", "mean"), dead=("dead_fraction", "mean"),
    )  # fmt: skip
    shown = found[["layer", "space", "epoch"]].assign(
        **{"mean ρ": found["rho"].map(signed), "interval": _ends(found, "ci")}
    )
    if found["seeds"].max() > 1:
        shown["lowest to highest seed"] = [f"{signed(a)} to {signed(b)}" for a, b in zip(found["low"], found["high"])]
    named = {"error": found["loss"], "explained variance": found["explained"], "dead latents": found["dead"]}
    said = "Each interval is the mean of the ends of the seeds' own intervals. All rows, one a seed, are in sae_epochs.csv."
    return Section("By epoch", [said], {}, shown.assign(**named))


def scores_section(by_layer: pd.DataFrame, context: Context) -> Section:
    """Every other score of the autoencoders: how many latents fire, how strongly, errors in other units."""
    rows = by_layer.drop(error_rows(by_layer).index).reset_index(drop=True)
    shown = pd.DataFrame({"score": [context.label(metric).title for metric in rows["metric"]], "name": rows["metric"]})
    shown = shown.assign(layer=rows["layer"], ρ=rows["rho"].map(signed), interval=_ends(rows, "ci"))
    shown = shown.assign(q=rows["q"], **{"ρ given length": rows["rho_given_length"].map(signed)}, n=rows["n"])
    said = "They are metrics of the feature store now: the sweep, run again, shows them beside its own."
    return Section("Other scores", [said], {}, shown)


def _ends(rows: pd.DataFrame, name: str) -> list[str]:
    images = rows["n"] if "n" in rows else [None] * len(rows)
    return [interval_text(*ends) for ends in zip(rows[f"{name}_low"], rows[f"{name}_high"], images)]
