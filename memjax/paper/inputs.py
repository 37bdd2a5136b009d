"""What the reproduction reads: measures, scores, halves of the observers, images' low-level statistics, by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import check_kind, expected
from memjax.datasets import Dataset, Failure
from memjax.measures import measures_of
from memjax.outputs import read_run
from memjax.paper.disagreements import CORRECTED, HITS
from memjax.paper.regimes import OwnRun, read_own
from memjax.paper.released import Released, read_isola, read_memcat, read_released
from memjax.paper.settings import PaperSources
from memjax.report.seen import seen_words
from memjax.stats.reliability import Reliability, halves_from_counts, split_half
from memjax.store import STORE, open_features, store_place, verify_group

PUBLISHED_NAMES = {
    "openai/clip-vit-base-patch32": "CLIP",
    "facebook/dinov2-base": "DINOv2",
    "google/siglip2-base-patch16-224": "SigLIP2",
}
COUNTS = ("hits", "responses", "false_alarms")


@dataclass(frozen=True)
class ImageStatistics:
    """Low-level statistics of images, by image, NaN where an image failed; and the images that failed."""

    values: pd.DataFrame
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class Inputs:
    """Everything that was read, in one order of images.

    Attributes:
        name: of the data set.
        measures: encoder -> metric -> ``[n, layers]``.
        scores: index ``image``; memorability, and where known category, subcategory, hits, false_alarms, responses.
        halves: scores of two halves of the observers ``[2, splits, n]``, or None.
        ceiling: from the halves, else from the run that made the features; None where nothing tells how far people agree.
        controls: low-level statistics; None without images.
        released: the authors' files, or None.
        isola: Lin et al.'s table, or None.
        files: what was read, for run.json.
        saes: runs of one's own under the authors' protocols.
        seen: a sentence on measures that were fitted on the images themselves; empty where there are none.
    """

    name: str
    measures: Mapping[str, Mapping[str, np.ndarray]]
    scores: pd.DataFrame
    halves: np.ndarray | None = None
    ceiling: Reliability | None = None
    controls: ImageStatistics | None = None
    released: Released | None = None
    isola: pd.DataFrame | None = None
    files: Sequence[Path] = field(default_factory=tuple)
    saes: Sequence[OwnRun] = ()
    seen: Sequence[str] = ()

    @property
    def y(self) -> np.ndarray:
        """The scores, float64 ``[n]``."""
        return self.scores["memorability"].to_numpy(np.float64)


def read_measures(sources: PaperSources) -> Inputs:
    """Measures and scores, without what the images add.

    Raises:
        InputError: sources that do not fit together, or files that are not what they should be.
    """
    fix = "memjax.PaperSources(memvis=.., memcat=..), or of features"
    check_kind(sources, PaperSources, "sources", "where the values are", fix)
    sources.check()
    isola = read_isola(sources.isola) if sources.isola else None
    memcat = read_memcat(sources.memcat) if sources.memcat else None
    files = (Path(sources.memcat),) if sources.memcat else ()
    saes = tuple(read_own(folder, PUBLISHED_NAMES) for folder in sources.saes)
    name = "MemCat" if memcat is not None else sources.dataset or "one's own features"
    if sources.features is not None:
        measures, scores, seen = read_features(Path(sources.features), memcat)
        return Inputs(name, measures, scores, isola=isola, files=files, saes=saes, seen=seen)
    assert memcat is not None
    assert sources.memvis is not None
    released = read_released(sources.memvis, memcat.index)
    files = (*files, *released.files)
    return Inputs(name, released.measures, memcat, released=released, isola=isola, files=files, saes=saes)


def read_features(
    path: Path, memcat: pd.DataFrame | None
) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame, list[str]]:
    """A feature store's measures and scores, joined by image id, over encoders and with MemCat's table; and `Inputs.seen`."""
    groups = open_features(path)
    for name in groups:
        verify_group(store_place(path).parent, name)
    found, memorability = measures_of(groups)
    scores, images = memorability.to_frame(), memorability.index
    if memcat is not None:
        if not images.isin(memcat.index).all():
            missing = images[~images.isin(memcat.index)][0]
            raise expected(
                f"memcat with features {path}", "every image in MemCat's table", f"{missing} is not", argument="memcat"
            )
        scores = memcat.loc[images]
    named = {PUBLISHED_NAMES.get(model, model): dict(metrics) for model, metrics in found.items()}
    return named, scores, seen_words(groups)


def with_columns(scores: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """The scores with the data set's other columns, where they have none of that name, joined by id."""
    if not scores.index.isin(dataset.table.index).any():
        raise expected(f"data set {dataset.name}", "images of the images that have measures", "no image in common")
    more = [name for name in dataset.table.columns if name not in scores]
    return scores.join(dataset.table[more])


def check_groups(groups: str | None, scores: pd.DataFrame) -> None:
    """Raises `InputError` where the scores have no such column."""
    if groups is not None and groups not in scores:
        known = ", ".join(name for name in ("category", "subcategory") if name in scores) or "none"
        fix = "give MemCat's table, or a data set with categories"
        raise expected(f"groups {groups}", "a column of the scores", known, fix, argument="groups")


def halves_of(scores: pd.DataFrame, dataset: Dataset | None, seed: int) -> tuple[np.ndarray | None, str]:
    """Scores of two halves of the observers in the order of the images, published or dealt from counts; and their source."""
    if dataset is not None and dataset.halves is not None and not dataset.info["synthetic"]:
        place = dataset.table.index.get_indexer(scores.index)
        halves = np.where(place >= 0, dataset.halves[:, :, place], np.nan)
        return halves, f"half-splits published with {dataset.name}"
    if set(COUNTS) <= set(scores):
        halves = halves_from_counts(*(scores[name].to_numpy() for name in COUNTS), seed=seed)
        return halves, "simulated: each image's published responses dealt at random to two halves of the observers"
    return None, ""


def dealt_consistency(scores: pd.DataFrame, seed: int) -> dict[str, float] | None:
    """Split-half consistency of dealt responses, by hits alone and less false alarms; None where counts are not there."""
    if not set(COUNTS) <= set(scores):
        return None
    hits, responses, alarms = (scores[name].to_numpy() for name in COUNTS)
    ways = {HITS: halves_from_counts(hits, responses, seed=seed)}
    ways[CORRECTED] = halves_from_counts(hits, responses, alarms, seed=seed)
    return {way: split_half(halves).consistency for way, halves in ways.items()}


def ceiling_of_sources(sources: PaperSources, halves: np.ndarray | None, source: str) -> Reliability | None:
    """From the halves, else as the run that made the features recorded it."""
    if halves is not None:
        return split_half(halves, source=source)
    if sources.features is None:
        return None
    folder = Path(sources.features)
    run = read_run(folder.parent if folder.name == STORE else folder)
    return run.ceiling if run else None
