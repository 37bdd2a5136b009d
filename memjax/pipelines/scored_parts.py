"""Images scored by a predictor part by part, each kept when it is done."""

import numpy as np

from memjax.datasets import Failure
from memjax.datasets.base import fingerprint
from memjax.datasets.content import content_digest, stamp_at
from memjax.pipelines.parts import PartFiles
from memjax.predictor.predictor import ImagesScored, Predictor
from memjax.predictor.sources import Named
from memjax.progress import ProgressCallback, tell
from memjax.records import list_of

IMAGES = 1024
"""Of a part: a multiple of what the devices do best at once, and lost at most where a run is interrupted."""


def scores_identity(predictor: Predictor, named: Named) -> str:
    """What the scores depend on; empty where some images have neither a file nor a data set's checksum."""
    dataset = named.dataset
    if not dataset.info["fingerprint"] and any(stamp_at(dataset.records, row) is None for row in range(len(dataset))):
        return ""
    return fingerprint(predictor.digest, content_digest(dataset), *named.names)


def scored_in_parts(
    predictor: Predictor,
    named: Named,
    batch_size: int | None,
    files: PartFiles | None,
    progress: bool | ProgressCallback,
) -> tuple[ImagesScored, list[Failure]]:
    """The scores of all images, and the images that could not be used.

    Args:
        predictor: what scores.
        named: the images.
        batch_size: as in `memjax.predictor.Predictor.predict`.
        files: of the parts; None: nothing is kept.
        progress: as there.

    Raises:
        InputError: an encoder that is not as it was, or a part that is not as it was written.
    """
    n, ready, failures = len(named.names), None, list(named.dataset.rejected)
    score, outside = np.full(n, np.nan), np.ones(n, bool)
    for start in range(0, n, IMAGES):
        rows = range(start, min(start + IMAGES, n))
        name, stamps = f"{start + 1}-{rows.stop}", stamps_of(named, rows)
        part = files.read(name) if files is not None else None
        if part is not None and part["stamps"] == stamps:
            tell(f"images {start + 1:,} to {rows.stop:,}: scored before", progress)
            values = np.array([np.nan if one is None else one for one in list_of(part["score"])], np.float64)
            found = ImagesScored(values, np.array(part["outside"], bool))
            failed = [Failure(*one) for one in list_of(part["failures"])]
        else:
            ready, failed = ready or predictor.ready(batch_size, progress), []
            found = predictor.score_rows(ready, named, rows, progress, failed)
            if files is not None:
                files.write(name, _record(found, failed, stamps))
        score[start : rows.stop], outside[start : rows.stop] = found.score, found.outside
        failures += failed
    return ImagesScored(score, outside), failures


def _record(found: ImagesScored, failed: list[Failure], stamps: str) -> dict[str, object]:
    """A part as JSON has it."""
    return {
        "score": [None if np.isnan(one) else one for one in found.score.tolist()],
        "outside": found.outside.tolist(),
        "failures": [list(one) for one in failed],
        "stamps": stamps,
    }


def stamps_of(named: Named, rows: range | None = None) -> str:
    """Changes when the file of one of the images does; of all, or of some rows."""
    chosen = range(len(named.names)) if rows is None else rows
    return fingerprint(*(stamp_at(named.dataset.records, row) for row in chosen))
