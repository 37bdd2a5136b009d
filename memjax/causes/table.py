"""What taking out each unit does to the scores, over images."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float

from memjax.causes.measuring import Effects
from memjax.checks import expected

COLUMNS = ["model", "layer", "part", "head", "effect", "ci_low", "ci_high", "sd", "kept", "n"]
"""Of a table of causes."""


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
    if whole.sum() < 2:
        raise expected("images", "two or more that can be used", int(whole.sum()), argument="images")
    return pd.concat([_rows(model, one, total, whole, level) for model, one in found.items()], ignore_index=True)


def _rows(model: str, one: Effects, total: Float[np.ndarray, " n"], whole: np.ndarray, level: float) -> pd.DataFrame:
    effects, scores = one.effects[whole].reshape(int(whole.sum()), -1), total[whole]
    n, mean, sd = len(effects), effects.mean(axis=0), effects.std(axis=0, ddof=1)
    half = scipy.stats.t.isf((1 - level) / 2, n - 1) * sd / np.sqrt(n)
    ranks = scipy.stats.rankdata(scores)
    edited = scipy.stats.rankdata(scores[:, None] + effects, axis=0)
    kept = [np.corrcoef(ranks, column)[0, 1] if np.ptp(column) else np.nan for column in edited.T]
    table = one.units().assign(model=model, effect=mean, ci_low=mean - half, ci_high=mean + half, sd=sd, kept=kept, n=n)
    return table[COLUMNS]


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
