"""A table of scores joined to its images, by id: what has both is used, what lacks one is listed with the reason.

The rule for every data set: a row without a finite score, with an id that does not fit on a line, or whose image is
missing, no regular file or outside of the folder is set aside as a `Failure` and never dropped silently. A table with
more or fewer rows than published is no error, since working on a part is legitimate; `Dataset.info` then says how many
were listed and how many are published. Ids that occur twice, missing columns and contradictions are errors.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.datasets.base import Failure, Source
from memjax.datasets.paths import inside, printable
from memjax.decoding import ImageError, read_bytes


def usable_rows(
    table: pd.DataFrame, check: Callable[[int], object] | None, rejected: Sequence[Failure] = (), scored: bool = True
) -> tuple[list[int], list[Failure]]:
    """Which rows of a table can be used, and what cannot be.

    Args:
        table: as in `Dataset`; ``memorability`` may be NaN.
        check: of a row's number; raises `memjax.decoding.ImageError` if its image cannot be used. None: all can.
        rejected: what is known to be unusable, such as `memjax.datasets.scores.unusable`; rows without a score that are
            not among them are added.
        scored: False where nothing has a score.
    """
    failures = list(rejected)
    known = {failure.image for failure in failures}
    keep = []
    for row, (image, score) in enumerate(zip(table.index, table["memorability"], strict=True)):
        told, lacks_score = printable(image), scored and not np.isfinite(score)
        if not image or (told in known and lacks_score):  # an empty id is listed under its row's number
            continue
        try:
            if told != image:
                raise ImageError(f"{told}: an id with line breaks or other control characters", "scores")
            if lacks_score:
                raise ImageError(f"{image}: expected a finite score, got {score}", "scores")
            if check is not None:
                check(row)
            keep.append(row)
        except ImageError as error:
            failures.append(Failure(told, error.stage, str(error)))
    return keep, failures


def join(
    table: pd.DataFrame,
    folder: Path,
    names: Sequence[str],
    rejected: Sequence[Failure] = (),
    halves: np.ndarray | None = None,
    scored: bool = True,
) -> Source:
    """Keep the rows of ``table`` that have a score and an image.

    Args:
        table, rejected, scored: see `usable_rows`.
        folder: where the images are.
        names: the image of each row, a path below ``folder``.
        halves: as in `Dataset`, every row of the publication.
    """
    keep, failures = usable_rows(table, lambda row: inside(folder, names[row]), rejected, scored)
    paths = [folder / names[row] for row in keep]
    kept = None if halves is None else halves[:, :, keep]
    return Source(table.iloc[keep], lambda i: read_bytes(paths[i]), failures, kept)
