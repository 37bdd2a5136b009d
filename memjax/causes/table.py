"""What taking out each unit does to the scores, over images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when first used
from jaxtyping import Float

from memjax.causes.latent_measuring import LatentEffects
from memjax.causes.measuring import Effects
from memjax.checks import expected

COLUMNS = ["model", "layer", "part", "head", "effect", "ci_low", "ci_high", "sd", "kept", "n"]
"""Of a table of causes."""

LATENT_COLUMNS = ["model", "layer", "token", "seed", "fold", "latent", "rate", "size", *COLUMNS[4:]]
"""Of a table of latents."""

METRIC_COLUMNS = [*COLUMNS[:4], "metric", "at", "effect", "ci_low", "ci_high", "sd", "size", "n"]
"""Of a table of what happens to metrics."""


def causes_table(found: Mapping[str, Effects], level: float = 0.95) -> pd.DataFrame:
    """A row for each unit of each block and encoder.

    Args:
        found: encoder -> what was measured, all of the same images.
        level: coverage of the intervals.

    Returns:
        ``model, layer, part, head`` (-1 where it is no head); ``effect``: mean over images of the edited score less the plain
        one, in units of the scores; ``ci_low, ci_high``: its interval, Student's t over images; ``sd`` over images; ``kept``:
        Spearman's rho between edited and plain scores, 1 where the order of the images stays; ``n`` images.

    Raises:
        InputError: fewer than two images that every encoder could use.
    """
    total = np.sum([one.score for one in found.values()], axis=0)
    whole = np.isfinite(total)
    return pd.concat([_rows(model, one, total, whole, level) for model, one in found.items()], ignore_index=True)


def _rows(model: str, one: Effects, total: Float[np.ndarray, " n"], whole: np.ndarray, level: float) -> pd.DataFrame:
    found = summarised(one.effects[whole].reshape(int(whole.sum()), -1), total[whole], level)
    return one.units().assign(model=model, **found)[COLUMNS]


def summarised(
    effects: Float[np.ndarray, "n u"], scores: Float[np.ndarray, " n"], level: float
) -> dict[str, np.ndarray | int]:
    """``effect, ci_low, ci_high, sd, kept, n`` of each column of effects on the scores.

    Raises:
        InputError: fewer than two images.
    """
    n = len(effects)
    if n < 2:
        raise expected("images", "two or more that can be used", n, argument="images")
    mean, sd = effects.mean(axis=0), effects.std(axis=0, ddof=1)
    half = scipy.stats.t.isf((1 - level) / 2, n - 1) * sd / np.sqrt(n)
    ranks = scipy.stats.rankdata(scores)
    edited = scipy.stats.rankdata(scores[:, None] + effects, axis=0)
    kept = np.array([np.corrcoef(ranks, column)[0, 1] if np.ptp(column) else np.nan for column in edited.T])
    return {"effect": mean, "ci_low": mean - half, "ci_high": mean + half, "sd": sd, "kept": kept, "n": n}


def effects_table(found: Mapping[str, Effects], images: list[str]) -> pd.DataFrame:
    """The effect on every image, float32: columns ``image, model, layer, part, head, effect``."""
    parts = []
    for model, one in found.items():
        units = one.units()
        names = [images[row] for row in one.positions]
        repeated = units.loc[np.tile(np.arange(len(units)), len(names))].reset_index(drop=True)
        effect = one.effects.reshape(-1).astype(np.float32)
        parts.append(repeated.assign(image=np.repeat(names, len(units)), model=model, effect=effect))
    return pd.concat(parts, ignore_index=True)[["image", "model", "layer", "part", "head", "effect"]]


def metric_effects_table(found: Mapping[str, Effects], level: float = 0.95) -> pd.DataFrame:
    """What the loss of each unit does to each metric, at the layers from its own on; empty where no metrics were measured.

    Args:
        found: encoder -> what was measured.
        level: coverage of the intervals.

    Returns:
        ``model, layer, part, head``: the unit; ``metric, at``: the metric and its layer; ``effect``: mean over images of the
        edited encoder's value less the plain one's, in the metric's unit; ``ci_low, ci_high``: its interval, Student's t over
        images; ``sd`` of it over images; ``size``: the effect in standard deviations of the plain values over images; ``n``.
    """
    parts = [_metric_rows(model, one, level) for model, one in found.items() if one.metrics is not None]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=METRIC_COLUMNS)


def _metric_rows(model: str, one: Effects, level: float) -> pd.DataFrame:
    assert one.metrics is not None
    units, moments, spread = one.units(), one.metrics.changes, one.metrics.plain.sd
    names, places = one.metrics.names, spread.shape[1]
    rows = units.loc[np.repeat(np.arange(len(units)), len(names) * places)].reset_index(drop=True)
    cells = len(units)
    rows = rows.assign(
        metric=np.tile(np.repeat(names, places), cells), at=np.tile(np.arange(places), cells * len(names))
    )
    n, mean, sd = (x.reshape(-1) for x in (moments.n, moments.mean, moments.sd))
    with np.errstate(invalid="ignore", divide="ignore"):
        half = scipy.stats.t.isf((1 - level) / 2, np.maximum(n - 1, 1)) * sd / np.sqrt(n)
        size = mean / np.tile(np.where(spread > 0, spread, np.nan).reshape(-1), cells)
    rows = rows.assign(model=model, effect=mean, ci_low=mean - half, ci_high=mean + half, sd=sd, size=size, n=n)
    kept = (rows["at"] >= rows["layer"]) & (rows["n"] > 1)
    return rows.loc[kept, METRIC_COLUMNS]


def latent_effects_table(
    found: Sequence[LatentEffects], total: Float[np.ndarray, " n"], level: float = 0.95
) -> pd.DataFrame:
    """A row for each latent that was taken out of each autoencoder.

    Args:
        found: of each autoencoder, all of the same images.
        total: the plain score of every image, of all encoders together.
        level: coverage of the intervals.

    Returns:
        ``model, layer, token, seed, fold`` (-1: none was left out), ``latent``; ``rate``: share of images for which it fires;
        ``size``: its mean largest value, as a length in the stream; then ``effect, ci_low, ci_high, sd, kept, n`` as in
        `causes_table`, over all images, of which those for which it does not fire have the effect 0.

    Raises:
        InputError: fewer than two images that can be used.
    """
    parts = [_latent_rows(one, total, level) for one in found]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=LATENT_COLUMNS)


def _latent_rows(one: LatentEffects, total: Float[np.ndarray, " n"], level: float) -> pd.DataFrame:
    whole = np.isfinite(total) & np.isfinite(one.score)
    found = summarised(one.effects[whole], total[whole], level)
    sae, fold = one.sae, -1 if one.sae.fold is None else one.sae.fold
    place = {"model": one.model, "layer": sae.layer, "token": sae.origin.token, "seed": sae.seed, "fold": fold}
    rows = pd.DataFrame({"latent": one.latents, "rate": one.fires[whole].mean(axis=0), "size": one.sizes})
    return rows.assign(**place, **found)[LATENT_COLUMNS]
