"""Predictions from elsewhere (another model, another study) beside the readouts of the same images.

Three questions: how well do the external predictions order the images; does a readout do better, on the same images within the
same folds; and does the readout tell anything that the external predictions do not (and the reverse): Spearman's rho of readout
and score within folds with the ranks of the external predictions held constant.

The partial rho of each fold follows from the three rho of its images; influences of images follow from theirs by the chain rule.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax.stats.correlation import holm
from memjax.stats.exact import reported
from memjax.stats.influence import ranked, spearman_influence
from memjax.stats.out_of_fold import OutOfFold
from memjax.stats.strata import WithinRho, rho_by_stratum

FEWEST_COMPARED = 30
"""Images with a prediction and a readout, below which the two are not compared."""

COLUMNS = [
    "prediction", "rho", "ci_low", "ci_high", "p", "n", "reads", "model", "readout_rho", "prediction_rho", "difference",
    "difference_low", "difference_high", "difference_p", "difference_p_holm", "readout_given", "readout_given_low",
    "readout_given_high", "readout_given_p", "prediction_given", "prediction_given_low", "prediction_given_high",
    "prediction_given_p", "n_compared",
]  # fmt: skip


def partial_of(
    a: Float[np.ndarray, " q"], b: Float[np.ndarray, " q"], c: Float[np.ndarray, " q"]
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Partial correlation of x and y given z, from a = r(x, y), b = r(x, z), c = r(y, z), and its derivatives by these.

    Where x or y is z, nothing is left: 0.

    Example:
        >>> value, _ = partial_of(np.array([0.5]), np.array([0.5]), np.array([0.5]))
        >>> value.round(4).tolist()
        [0.3333]
    """
    left = (1 - b**2) * (1 - c**2)
    known = left > 1e-12
    scale = np.sqrt(np.where(known, left, 1))
    value = np.where(known, (a - b * c) / scale, 0)
    by_a = np.where(known, 1 / scale, 0)
    by_b = np.where(known, -c / scale + value * b / np.where(known, 1 - b**2, 1), 0)
    by_c = np.where(known, -b / scale + value * c / np.where(known, 1 - c**2, 1), 0)
    return value, (by_a, by_b, by_c)


def partial_within(
    x: Sequence[Float[np.ndarray, " n"]],
    y: Float[np.ndarray, " n"],
    z: Sequence[Float[np.ndarray, " n"]],
    strata: Sequence[Int[np.ndarray, " n"]],
) -> WithinRho:
    """Partial Spearman's rho of x and y given z within strata, of each repeat; weights as `memjax.stats.strata.rho_by_stratum`.

    Args:
        x, z: of each repeat.
        y: human scores.
        strata: of each repeat.
    """
    by_repeat, every, weights = [], [], np.empty(0)
    influence = np.zeros(len(y))
    for own, other, labels in zip(x, z, strata, strict=True):
        names = np.unique(labels)
        _, weights = rho_by_stratum(own[:, None], y[:, None], labels)
        values = np.zeros(len(names))
        for place in np.flatnonzero(weights):
            here = np.flatnonzero(labels == names[place])
            values[place], changes = _partial(own[here], y[here], other[here])
            influence[here] += weights[place] * changes / len(here) / len(x)
        by_repeat.append(weights @ values)
        every.append(values)
    same = all(np.array_equal(one, strata[0]) for one in strata[1:])
    return WithinRho(np.array(by_repeat), influence, len(weights), (np.mean(every, axis=0), weights) if same else None)


def _partial(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], z: Float[np.ndarray, " n"]
) -> tuple[float, Float[np.ndarray, " n"]]:
    """Partial Spearman's rho of one stratum, and each image's influence on it."""
    pairs = [_rho(*pair) for pair in ((x, y), (x, z), (y, z))]
    value, by = partial_of(*(np.array([rho]) for rho, _ in pairs))
    return float(value[0]), sum(slope[0] * changes for slope, (_, changes) in zip(by, pairs, strict=True))


def _rho(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> tuple[float, Float[np.ndarray, " n"]]:
    """Spearman's rho and its influences; a constant orders nothing."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0, np.zeros(len(x))
    u, v = ranked(x), ranked(y)
    rho = float(u.ranks @ v.ranks / np.sqrt((u.ranks @ u.ranks) * (v.ranks @ v.ranks)))
    return rho, spearman_influence(u, v)


def compare_predictions(
    predictions: Mapping[str, Float[np.ndarray, " n"]],
    scores: Float[np.ndarray, " n"],
    readouts: Sequence[OutOfFold],
    bootstraps: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each external prediction, and each readout beside it; same images, same folds.

    Args:
        predictions: name -> prediction of every image, NaN where there is none.
        scores: of all images.
        readouts: from `memjax.stats.out_of_fold`.
        bootstraps, seed: of the interval of the predictions' own rho, over all images that have one.

    Returns:
        A row a prediction and readout: ``prediction``, its ``rho, ci_low, ci_high, p, n``; ``reads, model`` of the readout;
        ``readout_rho`` and ``prediction_rho`` within the readout's folds on the ``n_compared`` images that have both; their
        ``difference`` (readout less prediction) with interval and p, corrected after Holm over the rows of the prediction;
        ``readout_given``: rho of the readout with the prediction held constant, ``prediction_given``: the reverse.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=60)
        >>> found = compare_predictions({"other": y + rng.normal(size=60)}, y, [], bootstraps=0)
        >>> found["rho"].round(1).tolist(), found["n"].tolist()
        ([0.6], [60])
    """
    rows = []
    for name, values in predictions.items():
        found = reported(values[:, None], scores, "spearman", bootstraps, seed)
        alone = dict(zip(COLUMNS[1:5], (found.rho[0], found.ci_low[0], found.ci_high[0], found.p[0]), strict=True))
        own = {"prediction": name, **alone, "n": int(found.n_images[0])}
        known = np.flatnonzero(np.isfinite(values) & np.isfinite(scores))
        among = [one.among(known) for one in readouts]
        beside = [_beside(one, values[one.images]) for one in among if len(one.images) >= FEWEST_COMPARED]
        corrected = holm(np.array([row["difference_p"] for row in beside]))
        rows += [{**own, **row, "difference_p_holm": p} for row, p in zip(beside, corrected, strict=True)] or [own]
    return pd.DataFrame(rows, columns=COLUMNS)


def _beside(one: OutOfFold, x: Float[np.ndarray, " n"]) -> dict[str, object]:
    """One readout beside the prediction ``x`` of its images."""
    parts, other = one.parts(), one.parts_of(x)
    repeated = [x] * len(one.strata)
    apart = one.apart(parts, other)
    row: dict[str, object] = {
        "reads": one.reads,
        "model": one.model,
        "readout_rho": parts.rho,
        "prediction_rho": other.rho,
        "difference": apart.value,
        "difference_low": apart.low,
        "difference_high": apart.high,
        "difference_p": apart.p,
        "n_compared": len(x),
    }
    pairs = {"readout_given": (one.predicted, repeated), "prediction_given": (repeated, one.predicted)}
    for name, (first, held) in pairs.items():
        given = one.interval(partial_within(first, one.scores, held, one.strata))
        row |= {name: given.value, f"{name}_low": given.low, f"{name}_high": given.high, f"{name}_p": given.p}
    return row
