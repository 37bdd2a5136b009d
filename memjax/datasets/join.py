"""A published table joined to its pictures, by id: what has both is used, what lacks one is listed with the reason.

The rule for every published data set: a row without a finite score and a row whose picture is missing, no regular file
or outside of the folder is set aside as a `Failure` and never dropped silently. A table with more or fewer rows than
published is no error, since working on a part is legitimate; `Dataset.info` then says how many were listed and how
many are published. Ids that occur twice, missing columns and contradictions are errors.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.datasets.base import Failure, Source
from memjax.datasets.paths import inside
from memjax.images import ImageError, read_bytes


def join(
    table: pd.DataFrame,
    folder: Path,
    names: Sequence[str],
    rejected: Sequence[Failure] = (),
    halves: np.ndarray | None = None,
) -> Source:
    """Keep the rows of ``table`` that have a score and a picture.

    Args:
        table: as in `Dataset`, every row of the publication; ``memorability`` may be NaN.
        folder: where the pictures are.
        names: the picture of each row, a path below ``folder``.
        rejected: what is known to be unusable, such as `memjax.datasets.scores.unusable`; rows without a score that are
            not among them are added.
        halves: as in `Dataset`, every row of the publication.
    """
    failures = list(rejected)
    known = {failure.image for failure in failures}
    keep = []
    for row, (image, score) in enumerate(zip(table.index, table["memorability"], strict=True)):
        if not image:  # listed by `unusable`, under its row's number
            continue
        if not np.isfinite(score):
            if image not in known:
                failures.append(Failure(image, "scores", f"expected a finite score, got {score}"))
            continue
        try:
            inside(folder, names[row])
            keep.append(row)
        except ImageError as error:
            failures.append(Failure(image, error.stage, str(error)))
    paths = [folder / names[row] for row in keep]
    kept = None if halves is None else halves[:, :, keep]
    return Source(table.iloc[keep], lambda i: read_bytes(paths[i]), failures, kept)
