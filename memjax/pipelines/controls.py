"""What a sweep is given beside images and scores to control its findings by: predictions from elsewhere, and groups of images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from memjax.checks import expected
from memjax.datasets import Dataset
from memjax.datasets.base import GROUPINGS
from memjax.datasets.predictions import Predictions, read_predictions
from memjax.metrics import METRICS
from memjax.pipelines.settings import SweepSettings


@dataclass(frozen=True)
class Controls:
    """What a sweep's findings are controlled by.

    Attributes:
        predictions: from elsewhere; None: none.
        grouping: the column of groups; empty: none.
        groups: index ``image``, the label of each image of the data set; None: none.
        lowlevel: whether low-level statistics of the images are held constant.
    """

    predictions: Predictions | None = None
    grouping: str = ""
    groups: pd.Series | None = None
    lowlevel: bool = False

    @property
    def checksum(self) -> str:
        """Of the predictions' file; empty where there is none."""
        return self.predictions.sha256 if self.predictions else ""

    @property
    def files(self) -> Mapping[str, str]:
        """Name -> SHA-256 of what was read."""
        return {self.predictions.file: self.predictions.sha256} if self.predictions else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know, a line each."""
        found = self.predictions
        return (f"predictions of {found.file}: {found.said}",) if found and found.said else ()

    def labels_of(self, images: pd.Index) -> np.ndarray | None:
        """The groups of some images, in their order; None where there are none."""
        return None if self.groups is None else self.groups.reindex(images).to_numpy(str)


def read_controls(dataset: Dataset, settings: SweepSettings) -> Controls:
    """What the settings name, read and matched to the data set's images.

    Raises:
        InputError: predictions that cannot be read or matched, a column of groups that is not there or tells nothing, either for
            data without scores.
    """
    for name in ("predictions", "groups"):
        if getattr(settings, name) is not None and not dataset.scored:
            fix = "give scores, or leave it out"
            raise expected(name, "a data set with scores", f"{dataset.name} without", fix, argument=name)
    predictions = None
    if settings.predictions is not None:
        taken = ("image", *dataset.table.columns, *METRICS, *settings.chosen_metrics())
        predictions = read_predictions(settings.predictions, dataset, taken)
    groups = None if settings.groups is None else groups_of(dataset, settings.groups)
    return Controls(predictions, settings.groups or "", groups, settings.lowlevel)


def groups_of(dataset: Dataset, column: str) -> pd.Series:
    """The labels of a column.

    Raises:
        InputError: no such column, an image without a label, fewer than three labels, or almost as many as images.
    """
    table = dataset.table
    there = [name for name in GROUPINGS if name in table]
    if column not in there:
        wanted = f"one of its columns {', '.join(there)}" if there else "a data set with a column of categories"
        raise expected(f"groups of data set {dataset.name}", wanted, repr(column), argument="groups")
    labels = table[column].fillna("").astype(str)
    if (labels == "").any():
        came = f"{int((labels == '').sum())} without one, such as {labels.index[labels == ''][0]}"
        raise expected(f"groups, column {column}", "a label of every image", came, argument="groups")
    if not 3 <= labels.nunique() <= len(labels) / 3:
        came = f"{labels.nunique()} labels of {len(labels)} images"
        raise expected(
            f"groups, column {column}", "three labels or more, of three images each or more", came, "", "groups"
        )
    return labels
