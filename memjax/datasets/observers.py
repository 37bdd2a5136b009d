"""What a data set tells of how far its observers agree."""

import numpy as np

from memjax.datasets.base import N_OFFICIAL, Dataset

OFFICIAL_SCORES = tuple(f"score_{k}" for k in range(1, N_OFFICIAL + 1))
"""LaMem: the score in the files of each official split, which is that of a random half of the observers."""


def observers_of(dataset: Dataset) -> tuple[np.ndarray | None, str]:
    """Scores of halves of the observers, and where they come from, in words; None where nothing tells, or nobody was asked.

    Returns:
        ``[2, splits, n]`` of two halves that make up the whole, or ``[k, n]`` of halves drawn anew k times; NaN where an image
        has no score. With `memjax.stats.analysis.ceiling_for`, how far people agree.
    """
    if dataset.info.get("synthetic"):
        return None, ""
    if dataset.halves is not None:
        return dataset.halves, f"half-splits published with {dataset.name}"
    if set(OFFICIAL_SCORES) <= set(dataset.table):
        source = (
            f"derived from the scores of the {N_OFFICIAL} official splits of {dataset.name}, each of a random half of the "
            "observers: two of these halves share half of their observers, so they correlate at (1 + r) / 2 where disjoint "
            "ones would at r"
        )
        return dataset.table[list(OFFICIAL_SCORES)].to_numpy(np.float64).T, source
    return None, ""
