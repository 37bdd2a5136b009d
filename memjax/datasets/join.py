"""A table of scores joined to its images, by id: what has both is used, what lacks one is listed with the reason.

The rule for every data set: a row without a finite score, with an id that does not fit on a line, or whose image is
missing, no regular file or outside of the folder is set aside as a `Failure` and never dropped silently. A published
table with more or fewer rows than its authors count, or images than rows, is no error, since working on a part is
legitimate: `Dataset.info` says how many are published, listed and absent, and absent images have a stage of their own. Ids
that occur twice, missing columns and contradictions are errors.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from memjax.datasets.base import ABSENT, Failure, Source
from memjax.datasets.paths import ImageFolder, NoSuchImageError
from memjax.decoding import ImageError, read_bytes
from memjax.naming import printable


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
    folder: ImageFolder,
    names: Sequence[str],
    rejected: Sequence[Failure] = (),
    halves: np.ndarray | None = None,
    form: str = "",
) -> Source:
    """Keep the rows of a published table that have a score and an image.

    Args:
        table, rejected: see `usable_rows`.
        folder: where the images are.
        names: the image of each row, a path below ``folder``.
        halves: as in `Dataset`, every row of the publication.
        form: as in `Source`.
    """
    problems = [_problem(folder, name) for name in names]
    there = [row for row, problem in enumerate(problems) if not isinstance(problem, NoSuchImageError)]
    absent = {printable(i): str(p) for i, p in zip(table.index, problems) if i and isinstance(p, NoSuchImageError)}

    def check(row: int) -> None:
        if (problem := problems[there[row]]) is not None:
            raise problem

    known = [failure for failure in rejected if failure.image not in absent]
    keep, failures = usable_rows(table.iloc[there], check, known)
    rows = [there[row] for row in keep]
    paths = [folder.path / names[row] for row in rows]
    failures += [Failure(image, ABSENT, error) for image, error in absent.items()]
    kept = None if halves is None else halves[:, :, rows]
    return Source(table.iloc[rows], lambda i: read_bytes(paths[i]), failures, kept, form)


def _problem(folder: ImageFolder, name: str) -> ImageError | None:
    """Why an image cannot be used, as far as its path tells."""
    try:
        folder.file(name)
    except ImageError as error:
        return error
    return None
