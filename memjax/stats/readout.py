"""Cross-validated readout: how well do many measures TOGETHER predict the scores of images that were not fitted?

Ridge regression, nested and repeated. Outer folds give every image a prediction from a model that never saw it; the folds that
are left choose the penalty (`memjax.stats.ridge`). Rho is taken within each fold, where predictions come from one model, and
averaged over folds and repeats (`memjax.stats.strata`): from noise its mean is 0. With groups, whole groups are held out and rho
is taken within each group, so that what tells groups apart counts for nothing; the rho of all images pooled stands beside it.

p is the share of permutations of the scores that do as well when the whole procedure is repeated with each.

Policy: columns that are constant, never finite, or a multiple of one before them are left out and named; images missing a value
in a kept column are dropped (their prediction is NaN). Columns are scaled by their standard deviation over all images, which
knows nothing of any score.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from memjax.checks import expected
from memjax.stats.correlation import coefficients
from memjax.stats.importance import importance_of
from memjax.stats.multiples import usable_columns
from memjax.stats.partitions import labelled
from memjax.stats.repeats import ReadoutSettings, Repeats, Study, repeated, share_as_high
from memjax.stats.ridge import PENALTIES
from memjax.stats.scores import check_scores_vary
from memjax.stats.strata import WithinRho

GROUP_IMAGES = 10
"""Images of a group, on average, from which rho is taken within groups; in smaller ones there is no order to speak of."""


@dataclass(frozen=True)
class Readout:
    """What the measures predict together.

    Attributes:
        rho, ci_low, ci_high: Spearman's rho of score and out-of-fold prediction within folds (with groups: within groups), its
            interval over images (groups) and fits.
        p: of permutations of the scores through the whole procedure, that rho is not above chance.
        pooled: rho of all images together, of the mean prediction.
        predicted: float64 ``[n]``, in units of the score, NaN where the image was dropped; mean over repeats. What a
            fold's training mean added is replaced by the mean of all scores.
        fold: int64 ``[n]``: the outer fold of each image in the first repeat, -1 where dropped.
        weights: float64 ``[k]``, mean over folds of all repeats, score per standard deviation of the column; NaN for columns
            left out.
        importance: float64 ``[k]``: fall of rho when the column is shuffled over the images of its fold (first repeat).
        penalties: the penalty chosen in each outer fold of each repeat, in variances of a standardised column.
        at_ends: how many of these are the smallest or largest that could be chosen.
        n_images: images used.
        left_out: positions of the columns left out.
        within: ``"fold"`` or ``"group"``.
        parts: rho of each repeat and influence of each image used, for comparisons (`memjax.stats.strata.rho_difference`).
        rows, clusters: the images used, and which of them count as drawn together.
        repeats: predictions and strata of each partition, of the images used.
    """

    rho: float
    ci_low: float
    ci_high: float
    p: float
    pooled: float
    predicted: np.ndarray
    fold: np.ndarray
    weights: np.ndarray
    importance: np.ndarray
    penalties: tuple[float, ...]
    at_ends: int
    n_images: int
    left_out: tuple[int, ...]
    within: str
    parts: WithinRho = field(repr=False)
    rows: np.ndarray = field(repr=False)
    clusters: np.ndarray = field(repr=False)
    repeats: Repeats = field(repr=False)


def readout(
    x: np.ndarray,
    y: np.ndarray,
    groups: Sequence[object] | np.ndarray | None = None,
    clusters: Sequence[object] | np.ndarray | None = None,
    settings: ReadoutSettings | None = None,
) -> Readout:
    """Ridge of ``y [n]`` on all columns of ``x [n, k]``, out of fold.

    Args:
        x: measures (layers x metrics x encoders), one row an image.
        y: human scores.
        groups: one label an image: whole groups are held out, and rho is taken within groups (of groups of fewer than
            `GROUP_IMAGES` images on average within folds). None: see ``clusters``.
        clusters: one label an image: images that are nearly the same, or of one source, which stay in one fold. None: images
            are independent.
        settings: by default `ReadoutSettings()`.

    Raises:
        InputError: shapes that do not fit, fewer than twice as many images as folds, fewer than three clusters or groups, no
            usable column, one score throughout.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(90, 3))
        >>> found = readout(x, x[:, 0] + rng.normal(size=90), settings=ReadoutSettings(repeats=3, permutations=99))
        >>> found.rho > 0.5, found.p, abs(found.weights).round().tolist()
        (True, 0.01, [1.0, 0.0, 0.0])
    """
    settings = settings or ReadoutSettings()
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise expected("readout(x, y)", "x of shape [n, k] and y of shape [n]", f"{x.shape} and {y.shape}")
    columns = usable_columns(x)
    rows = np.flatnonzero(np.isfinite(x[:, columns]).all(axis=1) & np.isfinite(y))
    check_readout(len(columns), y[rows], settings)
    values = x[np.ix_(rows, columns)]
    scale = values.std(axis=0)
    z = (values - values.mean(axis=0)) / np.where(scale > 0, scale, 1)
    study = study_of(y[rows], *(None if names is None else np.asarray(names)[rows] for names in (groups, clusters)))
    return _among_all(_readout(z, study, settings), rows, columns, x.shape)


def study_of(
    y: Float[np.ndarray, " n"],
    groups: Sequence[object] | np.ndarray | None,
    clusters: Sequence[object] | np.ndarray | None,
) -> Study:
    """Scores and what belongs together, see `readout`.

    Raises:
        InputError: fewer than three clusters or groups.
    """
    kept = labelled(clusters if groups is None else groups, len(y))
    count = len(np.unique(kept))
    if count < 3:
        raise expected("readout, groups", "three or more", count)
    large = groups is not None and len(y) >= GROUP_IMAGES * count
    return Study(y, kept, kept if large else None)


def check_readout(columns: int, y: Float[np.ndarray, " n"], settings: ReadoutSettings) -> None:
    """Raises `InputError` where there is nothing to predict, or nothing to predict it from."""
    if settings.folds < 3 or settings.repeats < 1:
        raise expected("readout", "three folds or more, one repeat or more", f"{settings.folds}, {settings.repeats}")
    if not columns or len(y) < 2 * settings.folds:
        raise expected("readout", f"a column that varies and {2 * settings.folds} images", f"{columns} and {len(y)}")
    check_scores_vary(y, "readout, scores")


def _readout(x: Float[np.ndarray, "n k"], study: Study, settings: ReadoutSettings) -> Readout:
    """The readout of complete columns of complete images."""
    found = repeated(x, study, settings)
    ends = study.interval(found.parts, settings.level)
    predicted = np.mean(found.predicted, axis=0) + study.y.mean()
    return Readout(
        rho=ends.value,
        ci_low=ends.low,
        ci_high=ends.high,
        p=share_as_high(found.null),
        pooled=float(coefficients(predicted[:, None], study.y, "spearman")[0][0]),
        predicted=predicted,
        fold=found.folds[0],
        weights=np.mean(np.concatenate(found.weights), axis=0),
        importance=importance_of(x, study.y, found, settings),
        penalties=tuple(found.chosen),
        at_ends=sum(penalty in (PENALTIES[0], PENALTIES[-1]) for penalty in found.chosen),
        n_images=len(study.y),
        left_out=(),
        within="fold" if study.groups is None else "group",
        parts=found.parts,
        rows=np.arange(len(study.y)),
        clusters=study.clusters,
        repeats=found,
    )


def _among_all(found: Readout, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, ...]) -> Readout:
    """A readout of some rows and columns, with its arrays as long as all."""

    def placed(values: np.ndarray, at: np.ndarray, size: int, fill: float | int) -> np.ndarray:
        out = np.full(size, fill, values.dtype)
        out[at] = values
        return out

    n, k = shape
    return replace(
        found,
        predicted=placed(found.predicted, rows, n, np.nan),
        fold=placed(found.fold, rows, n, -1),
        weights=placed(found.weights, columns, k, np.nan),
        importance=placed(found.importance, columns, k, np.nan),
        left_out=tuple(np.setdiff1d(np.arange(k), columns).tolist()),
        rows=rows,
    )
