"""Tables that control a sweep's findings: by predictions from elsewhere, by groups of images, by low-level statistics."""

import numpy as np
import pandas as pd

from memjax.datasets import Dataset
from memjax.outputs import Run
from memjax.pipelines.controls import Controls
from memjax.pipelines.lowlevel_controls import image_statistics
from memjax.pipelines.sweep_result import Controlled
from memjax.stats.analysis import Analysis
from memjax.stats.encoder_pairs import encoder_pairs
from memjax.stats.external import compare_predictions
from memjax.stats.given_covariates import given_covariates
from memjax.stats.group_models import group_models
from memjax.stats.noise_corrected import agreement, corrected_table
from memjax.stats.out_of_fold import OutOfFold, of_measures, of_vectors
from memjax.stats.within_groups import spearman_of, within_groups


def control_tables(
    found: Analysis, scores: np.ndarray, images: pd.Index, given: tuple[Controls, Dataset, np.ndarray | None], run: Run
) -> Controlled:
    """Everything that the controls say of an analysis.

    Args:
        found: the analysis.
        scores: of all images.
        images: their ids, in the order of the store.
        given: what the run was given to control by, the images, and scores of halves of their observers.
        run: the record, for resamples and seed.
    """
    controls, dataset, halves = given
    sample = np.arange(len(images)) if found.sample is None else found.sample
    y, labels = scores[sample], controls.labels_of(images[sample])
    readouts = [*of_measures(found.predicted, y, found.sample), *of_vectors(found.representations)]
    within = None if labels is None else within_groups(found.columns, y, labels, run.bootstraps, run.seed)
    models = None
    if within is not None and labels is not None:
        models = group_models(found.columns, y, labels, within.table["rho"].to_numpy())
    pairs = None
    if len(found.columns.models) > 1:
        pairs = encoder_pairs(found.columns, y, spearman_of(found.columns.values, y), readouts)
    return Controlled(
        predictions=predictions_beside(controls, images, scores, readouts, run),
        within_groups=None if within is None else within.table,
        by_group=None if within is None else within.by_group,
        group_models=models,
        encoders=pairs if pairs is not None and len(pairs) else None,
        noise_corrected=corrected_of(found, scores, readouts, halves_of_images(halves, dataset, images)),
        lowlevel=lowlevel_beside(found, y, dataset, images[sample], labels) if controls.lowlevel else None,
    )


def predictions_beside(
    controls: Controls, images: pd.Index, scores: np.ndarray, readouts: list[OutOfFold], run: Run
) -> pd.DataFrame | None:
    """Predictions from elsewhere beside the readouts; None where there are none."""
    if controls.predictions is None:
        return None
    values = controls.predictions.values.reindex(images)
    named = {str(name): values[name].to_numpy(np.float64) for name in values}
    return compare_predictions(named, scores, readouts, run.bootstraps, run.seed)


def lowlevel_beside(
    found: Analysis, y: np.ndarray, dataset: Dataset, images: pd.Index, labels: np.ndarray | None
) -> pd.DataFrame:
    """Every measure with the images' low-level statistics held constant; each image is decoded once more."""
    return given_covariates(found.columns, y, image_statistics(dataset, images).values, labels)


def halves_of_images(halves: np.ndarray | None, dataset: Dataset, images: pd.Index) -> np.ndarray | None:
    """Scores of halves of the observers, the images in the order of the store."""
    return None if halves is None else halves[..., dataset.table.index.get_indexer(images)]


def corrected_of(
    found: Analysis, scores: np.ndarray, readouts: list[OutOfFold], halves: np.ndarray | None
) -> pd.DataFrame | None:
    """The headline corrected for the observers' noise; None where no halves are known, or they agree no better than chance."""
    people = None if halves is None else agreement(halves)
    if people is None:
        return None
    strongest = None
    if found.strongest is not None and found.sample is None:
        one = found.strongest.strongest
        keys = found.columns.keys
        here = (keys["model"] == one.model) & (keys["metric"] == one.metric) & (keys["layer"] == one.layer)
        strongest = f"{one.metric}, layer {one.layer}", one.model, found.columns.values[:, int(np.flatnonzero(here)[0])]
    return corrected_table(people, strongest, scores, readouts)
