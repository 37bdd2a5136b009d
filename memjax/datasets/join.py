"""A table of scores joined to its images, by id: what has both is used, what lacks one is listed with the reason.

The rule for every data set: a row without a finite score, with an id that does not fit on a line, or whose image is
missing, no regular file or outside of the folder is set aside as a `Failure` and never dropped silently. A table with
more or fewer rows than published is no error, since working on a part is legitimate; `Dataset.info` then says how many
were listed and how many are published. Ids that occur twice, missing columns and contradictions are errors.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.datasets.base import Failure, Source
from memjax.datasets.paths import inside, printable
from memjax.images import ImageError, read_bytes


def join(
    table: pd.DataFrame,
    folder: Path,
    names: Sequence[str],
    rejected: Sequence[Failure] = (),
    halves: np.ndarray | None = None,
) -> Source:
    """Keep the rows of ``table`` that have a score and an image.

    Args:
        table: as in `Dataset`, every row of the publication; ``memorability`` may be NaN.
        folder: where the images are.
        names: the image of each row, a path below ``folder``.
        rejected: what is known to be unusable, such as `memjax.datasets.scores.unusable`; rows without a score that are
            not among them are added.
        halves: as in `Dataset`, every row of the publication.
    """
    failures = list(rejected)
    known = {failure.image for failure in failures}
    keep = []
    for row, (image, score) in enumerate(zip(table.index, table["memorability"], strict=True)):
        told = printable(image)
        if not image or (told in known and not np.isfinite(score)):  # an empty id is listed under its row's number
            continue
        try:
            if told != image:
                raise ImageError(f"{told}: an id with line breaks or other control characters", "scores")
            if not np.isfinite(score):
                raise ImageError(f"{image}: expected a finite score, got {score}", "scores")
            inside(folder, names[row])
            keep.append(row)
        except ImageError as error:
            failures.append(Failure(told, error.stage, str(error)))
    paths = [folder / names[row] for row in keep]
    kept = None if halves is None else halves[:, :, keep]
    return Source(table.iloc[keep], lambda i: read_bytes(paths[i]), failures, kept)
