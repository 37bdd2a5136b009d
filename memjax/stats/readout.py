"""Cross-validated readout: how well do many measures TOGETHER predict the scores of images that were not fitted?

Ridge regression. Outer folds give every image a prediction from a model that never saw it; within each training part,
inner folds choose the penalty. Standardisation and the choice of penalty happen inside the fold. Images of one group
stay together; where there are fewer groups than folds, each group is a fold.

Predictions are centred by the mean score of each fold's training part before they are pooled. Ridge shrinks towards that
mean, and a training part lies above the overall mean just where its test fold lies below: uncentred, predictions from noise
correlate negatively with the scores. Simulated with 12 columns of noise, n = 60 and 256: mean rho -0.16 and -0.08 uncentred, the
interval wholly below 0 in 30 and 33 % of the runs; -0.04 and -0.02 centred, 11 and 9 %. What remains is the negative dependence
of training and test part; a readout whose interval does not lie above 0 shows nothing.

Policy: columns that are constant or never finite are left out and named; images missing a value in a kept column are
dropped (their prediction is NaN).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from memjax.checks import expected
from memjax.stats.correlation import correlate, pearson

PENALTIES = tuple(np.logspace(-2, 5, 15).tolist())


@dataclass(frozen=True)
class Readout:
    """What the measures predict together.

    Attributes:
        rho, ci_low, ci_high: Spearman's rho of score and out-of-fold prediction; bootstrap interval over images, the
            predictions held fixed (so it leaves out the variation of the fit).
        predicted: float64 ``[n]``, in units of the score, NaN where the image was dropped. Centred by fold: what a fold's
            training mean added is replaced by the mean of all scores.
        fold: int64 ``[n]``: the outer fold of each image, -1 where dropped.
        weights: float64 ``[k]``, mean over folds, score per standard deviation of the column; NaN for columns left out.
        importance: float64 ``[k]``: fall of the out-of-fold rho when the column is shuffled over the images of its fold.
        penalties: the penalty chosen in each outer fold.
        n_images: images used.
        left_out: positions of the columns left out.
    """

    rho: float
    ci_low: float
    ci_high: float
    predicted: np.ndarray
    fold: np.ndarray
    weights: np.ndarray
    importance: np.ndarray
    penalties: tuple[float, ...]
    n_images: int
    left_out: tuple[int, ...]


def readout(
    x: np.ndarray,
    y: np.ndarray,
    groups: Sequence[object] | np.ndarray | None = None,
    n_folds: int = 5,
    n_boot: int = 2000,
    n_shuffles: int = 5,
    seed: int = 0,
) -> Readout:
    """Ridge of ``y [n]`` on all columns of ``x [n, k]``, out of fold.

    Args:
        x: measures (layers x metrics x encoders), one row an image.
        y: human scores.
        groups: one label an image; images of a group are in one fold (outer and inner). None: images are independent.
        n_folds: outer and inner folds, at most as many as there are groups.
        n_boot: resamples for the interval.
        n_shuffles: shuffles per column for the importance; 0 leaves it NaN.
        seed: of folds, shuffles and resamples.

    Raises:
        InputError: shapes that do not fit, fewer than 2 ``n_folds`` images, fewer than three groups, no usable column.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise expected("readout(x, y)", "x of shape [n, k] and y of shape [n]", f"{x.shape} and {y.shape}")
    finite = np.isfinite(x)
    low, high = (f(np.where(finite, x, fill), axis=0) for f, fill in ((np.min, np.inf), (np.max, -np.inf)))
    columns = np.flatnonzero(high > low)
    rows = np.flatnonzero(finite[:, columns].all(axis=1) & np.isfinite(y))
    labels = (
        np.arange(len(rows)) if groups is None else np.unique(np.asarray(groups, str)[rows], return_inverse=True)[1]
    )
    if not len(columns) or len(rows) < 2 * n_folds:
        raise expected("readout", f"a column that varies and {2 * n_folds} images", f"{len(columns)} and {len(rows)}")
    if len(np.unique(labels)) < 3:
        raise expected("readout, groups", "three or more", len(np.unique(labels)))
    parts = _out_of_fold(x[np.ix_(rows, columns)], y[rows], labels, n_folds, n_shuffles, seed)
    predicted, fold = np.full(len(y), np.nan), np.full(len(y), -1)
    predicted[rows], fold[rows] = parts[0], parts[1]
    weights, importance = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    weights[columns], importance[columns] = parts[2], parts[3]
    found = correlate(predicted[:, None], y, n_boot=n_boot, seed=seed)
    left_out = tuple(int(j) for j in range(x.shape[1]) if j not in set(columns.tolist()))
    ends = float(found.rho[0]), float(found.ci_low[0]), float(found.ci_high[0])
    return Readout(*ends, predicted, fold, weights, importance, parts[4], len(rows), left_out)


def _out_of_fold(x, y, labels, n_folds: int, n_shuffles: int, seed: int):
    """Predictions, folds, mean weights, importance and penalties, from complete columns."""
    from sklearn.model_selection import GroupKFold  # heavy; not at import

    n, k = x.shape
    rng = np.random.default_rng(seed)
    predicted, fold = np.empty(n), np.empty(n, np.int64)
    n_folds = min(n_folds, len(np.unique(labels)))
    weights, penalties, scaled, tests = np.empty((n_folds, k)), [], np.empty((n, k)), []
    # pyrefly: ignore[unexpected-keyword]  (its stubs are older than scikit-learn 1.6)
    splits = GroupKFold(n_folds, shuffle=True, random_state=seed).split(x, y, labels)
    for f, (train, test) in enumerate(splits):
        scaler, ridge = _fit(x[train], y[train], labels[train], n_folds, seed + 1 + f)
        scaled[test] = z = scaler.transform(x[test])
        predicted[test], fold[test], weights[f] = ridge.predict(z) - y[train].mean() + y.mean(), f, ridge.coef_
        penalties.append(float(ridge.alpha))
        tests.append((test, [rng.permutation(len(test)) for _ in range(n_shuffles)]))
    importance = np.full(k, np.nan)
    if n_shuffles:
        ranks = scipy.stats.rankdata(y)
        fall = [pearson(_shuffled_ranks(scaled, predicted, weights, tests, s), ranks) for s in range(n_shuffles)]
        importance = pearson(scipy.stats.rankdata(predicted)[:, None], ranks)[0] - np.mean(fall, axis=0)
    return predicted, fold, weights.mean(axis=0), importance, tuple(penalties)


def _shuffled_ranks(scaled, predicted, weights, tests, s: int) -> np.ndarray:
    """Ranks ``[n, k]`` of the predictions with each column shuffled within the folds, in shuffle ``s``.

    The model is linear: shuffling one column changes a prediction by its weight times the change of its z-score.
    """
    found = np.empty(scaled.shape[::-1])
    for weight, (test, orders) in zip(weights, tests):
        z = scaled[test]
        found[:, test] = predicted[test] + ((z[orders[s]] - z) * weight).T
    for column in found:  # one at a time: ranking takes several times the memory of what is ranked
        column[:] = scipy.stats.rankdata(column)
    return found.T


def _fit(x: np.ndarray, y: np.ndarray, labels: np.ndarray, n_folds: int, seed: int):
    """Scaler and ridge, the penalty chosen by inner folds (mean over folds of the mean squared error)."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold
    from sklearn.preprocessing import StandardScaler

    # pyrefly: ignore[unexpected-keyword]
    inner = GroupKFold(min(n_folds, len(np.unique(labels))), shuffle=True, random_state=seed)
    errors = []
    for train, test in inner.split(x, y, labels):
        scaler = StandardScaler().fit(x[train])
        # One fit for all penalties: as many copies of the score, each with its own.
        copies = np.repeat(y[train, None], len(PENALTIES), axis=1)
        path = Ridge(alpha=np.array(PENALTIES)).fit(scaler.transform(x[train]), copies)
        errors.append(((path.predict(scaler.transform(x[test])) - y[test, None]) ** 2).mean(axis=0))
    scaler = StandardScaler().fit(x)
    best = PENALTIES[int(np.mean(errors, axis=0).argmin())]
    return scaler, Ridge(alpha=best).fit(scaler.transform(x), y)
