"""Fitting a predictor: a ridge regression of all images on bands of columns, calibrated by cross-validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.checks import expected
from memjax.predictor.calibration import Residuals, coverage_of
from memjax.predictor.domain import Domain, fit_domain
from memjax.predictor.places import Place, values_at
from memjax.predictor.settings import PredictorSettings
from memjax.stats.left_out import from_products, refitted
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.scores import check_scores_vary
from memjax.stats.strata import Estimate, rho_interval, within_rho

FEWEST_IMAGES = 50
"""With features and a score: below, the ends of a 95 % interval would be the largest residuals themselves."""

Values = dict[str, dict[str, np.ndarray]]
"""Encoder -> variable -> values of every image, ``[n, ...]``."""


@dataclass(frozen=True)
class Calibrated:
    """A fitted predictor.

    Attributes:
        weights: encoder -> variable -> weights in the shape of one image's values, score per unit of the value.
        intercept: of the score.
        residuals: of the images, out of fold.
        domain: of the images.
        rho: out of fold, mean within folds, with its 95 % interval.
        coverage: of the 95 % intervals, each fold's images by the residuals of the others.
        penalty: chosen.
        columns: read.
    """

    weights: Values
    intercept: float
    residuals: Residuals
    domain: Domain
    rho: Estimate
    coverage: float
    penalty: float
    columns: int


@dataclass(frozen=True, eq=False)
class Features:
    """What a predictor is fitted on.

    Attributes:
        values: of the images.
        bands: places of one band each: together they weigh as much as any other band.
        domain: places whose values say how near an image is to those of the fit.
    """

    values: Values
    bands: Sequence[Sequence[Place]]
    domain: Sequence[Place]


@dataclass(frozen=True)
class _Band:
    """Standardised columns, divided by the root of their number, and what was taken off and divided by."""

    z: Float[np.ndarray, "n k"]
    mean: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]


def fit_bands(
    features: Features,
    y: Float[np.ndarray, " n"],
    clusters: Int[np.ndarray, " n"],
    settings: PredictorSettings,
    report: Callable[[str], None] = lambda said: None,
) -> Calibrated:
    """Fit on all images, and cross-validate what is fitted.

    Args:
        features: of the images, finite at the places.
        y: human scores.
        clusters: a label an image: images of one stay in one fold.
        settings: folds, repeats, seed.
        report: told, in a line, what is being done.

    Raises:
        InputError: too few images or clusters, scores that do not vary, no column that varies.
    """
    study = Study(y, clusters, None)
    _check(study, settings)
    bands = [_band(values_at(features.values, places)) for places in features.bands]
    columns = int(sum((band.scale < np.inf).sum() for band in bands))
    if not columns:
        raise expected("predictor", "features that vary", "none")
    products = np.sum([band.z @ band.z.T for band in bands], axis=0)
    partitions = study.partitions(ReadoutSettings(settings.folds, settings.repeats, seed=settings.seed))
    report(f"cross-validating, {len(partitions)} partitions into {settings.folds} folds")
    found = from_products(products, [y[:, None]] * len(partitions), partitions)
    predicted = [one.predicted[:, 0] for one in found]
    report("fitting on all images")
    combined, penalty = refitted(products, y, partitions)
    residuals = np.stack([out_of_fold(y, p, folds) for p, folds in zip(predicted, partitions, strict=True)])
    weights, offset = _weights(features, bands, combined)
    return Calibrated(
        weights=weights,
        intercept=float(y.mean()) - offset,
        residuals=Residuals.of(residuals),
        domain=fit_domain(values_at(features.values, features.domain), partitions[0]),
        rho=rho_interval(within_rho(predicted, y, partitions), clusters),
        coverage=float(np.mean([coverage_of(r, folds) for r, folds in zip(residuals, partitions, strict=True)])),
        penalty=penalty,
        columns=columns,
    )


def out_of_fold(
    y: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"], folds: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Residuals of predictions that are given less the mean score of their training part."""
    sums, counts = np.bincount(folds, y), np.bincount(folds)
    means = (y.sum() - sums) / (len(y) - counts)
    return y - predicted - means[folds]


def _check(study: Study, settings: PredictorSettings) -> None:
    if len(study.y) < FEWEST_IMAGES:
        raise expected("predictor, images with features and a score", f"{FEWEST_IMAGES} or more", len(study.y))
    if (count := len(np.unique(study.clusters))) < settings.folds:
        raise expected(
            "predictor, images that are no near-duplicates of each other", f"{settings.folds} or more", count
        )
    check_scores_vary(study.y, "predictor, scores")


def _band(x: Float[np.ndarray, "n k"]) -> _Band:
    """A column that does not vary has an infinite scale."""
    x = x.astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    varied = scale > 1e-12 * max(float(np.abs(x).max(initial=0)), 1e-300)
    scale = np.where(varied, scale, np.inf) * np.sqrt(max(1, int(varied.sum())))
    return _Band((x - mean) / scale, mean, scale)


def _weights(features: Features, bands: Sequence[_Band], combined: Float[np.ndarray, " n"]) -> tuple[Values, float]:
    """Weights of the values themselves, and the score that their means have."""
    shapes = {model: {name: x.shape[1:] for name, x in own.items()} for model, own in features.values.items()}
    weights = {model: {name: np.zeros(shape) for name, shape in own.items()} for model, own in shapes.items()}
    offset = 0.0
    for places, band in zip(features.bands, bands, strict=True):
        found = (combined @ band.z) / band.scale
        offset += float(found @ band.mean)
        start = 0
        for model, name, index in places:
            target = weights[model][name]
            size = target[index].size
            target[index] = found[start : start + size].reshape(target[index].shape)
            start += size
    return {m: {name: w for name, w in own.items() if w.any()} for m, own in weights.items()}, offset
