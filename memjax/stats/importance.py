"""What a readout loses when one column is shuffled."""

import numpy as np
from jaxtyping import Float

from memjax.stats.repeats import ReadoutSettings, Repeats
from memjax.stats.strata import rho_by_stratum


def importance_of(
    x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], found: Repeats, settings: ReadoutSettings
) -> Float[np.ndarray, " k"]:
    """Fall of the first repeat's rho when a column is shuffled within its fold; one column at a time.

    The model is linear: shuffling one column changes a prediction by its weight times the change of its value.

    Args:
        x, y: standardised columns, and scores.
        found: their readout, repeated.
        settings: how often a column is shuffled, and the seed.
    """
    count = x.shape[1]
    if not settings.shuffles:
        return np.full(count, np.nan)
    rng = np.random.default_rng([settings.seed, 2])
    folds, strata, predicted = found.folds[0], found.strata[0], found.predicted[0]
    orders = np.empty((len(folds), settings.shuffles), np.int64)
    for f in np.unique(folds):
        here = np.flatnonzero(folds == f)
        orders[here] = np.stack([here[rng.permutation(len(here))] for _ in range(settings.shuffles)], axis=1)
    wanted = y[:, None]
    rho, shares = rho_by_stratum(predicted[:, None], wanted, strata)
    importance = np.empty(count)
    for j in range(count):
        z, weight = x[:, j], found.weights[0][folds, j]
        shuffled = predicted[:, None] + (z[orders] - z[:, None]) * weight[:, None]
        importance[j] = shares @ (rho[:, 0] - rho_by_stratum(shuffled, wanted, strata)[0].mean(axis=1))
    return importance
