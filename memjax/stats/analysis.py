"""From measures and scores to everything that a run says of them, computed once and before anything is written."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from memjax.stats.blas import one_thread_if_small
from memjax.stats.blocks import How, Scores, correlated, rows_kept, values_read
from memjax.stats.readout import Readout
from memjax.stats.readouts import Together, label_table, readout_table, readouts, usable_labels, weight_table
from memjax.stats.reliability import Reliability, overlapping_halves, split_half
from memjax.stats.repeats import REPEATS, ReadoutSettings
from memjax.stats.representations import RepresentationReadouts
from memjax.stats.scores import check_scores_vary
from memjax.stats.strongest import StrongestFound, find_strongest
from memjax.stats.table import Columns, Measures

READOUT_IMAGES = 50
"""Images with every measure from which a sweep makes a readout."""

READOUT_VALUES = 2**25
"""Values, at most, that a sweep's readout is made from: of 130 columns those of 258,000 images (standard error of rho: 0.002)."""


@dataclass(frozen=True)
class AnalysisSettings:
    """How measures are correlated with scores.

    Attributes:
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"``; the readout is always Spearman's.
        bootstraps: resamples behind each 95 % interval; 0 leaves it out.
        folds: of the readout; 0 leaves it out.
        repeats: partitions into folds.
        seed: of resamples and folds.
        readout_images: complete images that the readout needs, below which it is left out.
        readout_models: models whose measures the readout predicts from; None: all.
        readout_values: where there are more (images x columns), the readout is of images drawn at random; None: of all.
    """

    method: str = "spearman"
    bootstraps: int = 2000
    folds: int = 5
    repeats: int = REPEATS
    seed: int = 0
    readout_images: int = READOUT_IMAGES
    readout_models: tuple[str, ...] | None = None
    readout_values: int | None = READOUT_VALUES


@dataclass(frozen=True)
class Analysis:
    """What measures say of scores.

    Attributes:
        columns: all measures side by side, ``[n, k]``; where the readout is of a sample, those of its images.
        table: one row a column: ``model, metric, layer, rho, ci_low, ci_high, p, q, n``.
        ceiling: for the method; None where no half-splits are known, or no ceiling follows (Kendall).
        readouts: out-of-fold rho of all measures together, beside the best single one; None where there is none.
        weights: of the widest readout: ``model, metric, layer, weight, importance``; None where there is none.
        readout_ceiling: Spearman's, which the readouts' shares divide by.
        predicted: the readouts themselves, by model.
        images: with every measure and a score, of those in ``columns``.
        sample: positions of the images that the readout was made from, drawn at random; None: all.
        labels: what labels of the images predict alone, and what readouts add (`memjax.stats.readouts.label_table`); None where
            there is neither.
        representations: what can be read from token vectors; None where none are known.
        strongest: the strongest correlation against chance and its rivals, over those images; None where there are too few.
    """

    columns: Columns
    table: pd.DataFrame
    ceiling: Reliability | None
    readouts: pd.DataFrame | None
    weights: pd.DataFrame | None
    readout_ceiling: Reliability | None
    predicted: Mapping[str, Readout]
    images: int
    sample: np.ndarray | None = None
    labels: pd.DataFrame | None = None
    representations: RepresentationReadouts | None = None
    strongest: StrongestFound | None = None


@dataclass(frozen=True)
class AboutImages:
    """What is known of the images beside measures and scores.

    Attributes:
        together: those that stay in one fold of the readouts.
        labels: name -> a label an image: what a readout has to add to.
    """

    together: Together = field(default_factory=Together)
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    def of(self, rows: np.ndarray | None) -> "AboutImages":
        """The same for some of the images; None: all."""
        if rows is None:
            return self
        return AboutImages(self.together.of(rows), {name: np.asarray(x)[rows] for name, x in self.labels.items()})


def analyse(
    measures: Measures,
    scores: Scores,
    halves: np.ndarray | Reliability | None = None,
    settings: AnalysisSettings | None = None,
    source: str = "",
    about: AboutImages | None = None,
) -> Analysis:
    """Correlate every measure with the scores, and predict the scores from all of them together.

    Dask arrays are read block by block; with a `dask.distributed.Client` about, by its workers (`memjax.stats.blocks`).

    Args:
        measures: model -> metric -> ``[n, layers]``, see `memjax.stats.table.Measures`.
        scores: human scores ``[n]``.
        halves: scores of two halves of the observers ``[2, splits, n]``, of k halves that overlap ``[k, n]``, or what follows
            from them for Spearman's rho.
        settings: by default those of a sweep.
        source: where the halves come from, in words.
        about: which images belong together, and labels of them.

    Raises:
        InputError: lengths that differ, an unknown method, no measure with a value, scores that do not vary.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = analyse({"m": {"peak": rng.normal(size=(60, 3))}}, rng.normal(size=60))
        >>> len(found.table), found.readouts["n"].tolist(), found.ceiling
        (3, [60], None)
    """
    settings, y = settings or AnalysisSettings(), np.asarray(values_read(scores)[0], np.float64)
    check_scores_vary(y)
    with one_thread_if_small(len(y) * _columns(measures)):
        return _analysed(measures, scores, y, (halves, source), settings, about)


def _analysed(
    measures: Measures,
    scores: Scores,
    y: np.ndarray,
    halves: tuple[np.ndarray | Reliability | None, str],
    settings: AnalysisSettings,
    about: AboutImages | None,
) -> Analysis:
    most = _readout_images(measures, settings)
    found = correlated(measures, scores, How(settings.method, settings.bootstraps, settings.seed, most))
    columns, table, sample = found.columns, found.table, rows_kept(y, most, settings.seed)
    y, about = y if sample is None else y[sample], (about or AboutImages()).of(sample)
    chosen = columns if settings.readout_models is None else columns.of(settings.readout_models)
    images = int((np.isfinite(chosen.values).all(axis=1) & np.isfinite(y)).sum())
    wanted = settings.folds and images >= settings.readout_images and not table["rho"].isna().all()
    predicted: dict[str, Readout] = {}
    how = ReadoutSettings(settings.folds, settings.repeats, seed=settings.seed)
    if wanted and chosen.models:
        predicted = readouts(chosen, y, about.together, how)
    ceiling = ceiling_for(halves[0], settings.method, halves[1])
    rank_ceiling = ceiling if settings.method == "spearman" else ceiling_for(halves[0], "spearman", halves[1])
    rows = weights = beside = None
    if predicted:
        rows = readout_table(predicted, columns.keys.assign(rho=found.ranked), rank_ceiling)
        weights = weight_table(predicted, chosen)
        if labels := usable_labels(about.labels, about.together.groups):
            beside = label_table(predicted, chosen, y, labels, (about.together, how))
    strongest = find_strongest(columns, y, table, settings.method, settings.seed)
    return Analysis(
        columns, table, ceiling, rows, weights, rank_ceiling, predicted, images, sample, beside, strongest=strongest
    )


def _readout_images(measures: Measures, settings: AnalysisSettings) -> int:
    """How many images the readout is made from at most."""
    if settings.readout_values is None:
        return sys.maxsize
    return max(settings.readout_images, settings.readout_values // max(1, _columns(measures)))


def _columns(measures: Measures) -> int:
    return sum(values.shape[1] for metrics in measures.values() for values in metrics.values())


def ceiling_for(halves: np.ndarray | Reliability | None, method: str, source: str = "") -> Reliability | None:
    """How well one half of the observers predicts the other; None without half-splits.

    None too for Kendall's tau: a ceiling follows from product-moment correlations (of scores or of ranks) alone.
    """
    if halves is None or method == "kendall":
        return None
    if isinstance(halves, Reliability):
        return halves
    return (overlapping_halves if halves.ndim == 2 else split_half)(halves, method, source)
