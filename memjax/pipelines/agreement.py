"""What the processes of one run must have in common, and that they write to one place."""

import hashlib
import time
import uuid
from collections.abc import Sequence

import jax

from memjax import __version__, processes
from memjax.datasets import Dataset
from memjax.datasets.content import content_digest
from memjax.encoder import Encoder
from memjax.outputs import plain_json
from memjax.pipelines.identity import HOW
from memjax.pipelines.settings import SweepSettings
from memjax.storage import Place, listing, write_atomically

SEEING = 15
"""Seconds within which the others have to see a file of process 0: network file systems remember what was not there."""


def agree_on_run(dataset: Dataset, encoders: Sequence[Encoder], settings: SweepSettings, predictions: str = "") -> None:
    """Go on if all processes are told the same `facts`. Nothing to do, and no image looked at, with one process.

    Raises:
        InputError: they are not, naming the first that differs from process 0, and in what.
        ProcessLostError: another process has failed.
    """
    if processes.board() is not None:
        processes.agree(facts(dataset, encoders, settings, predictions))


def facts(
    dataset: Dataset, encoders: Sequence[Encoder], settings: SweepSettings, predictions: str = ""
) -> dict[str, str]:
    """Everything that the processes of a run must agree on, by what it is called; the order of the encoders counts.

    Args:
        dataset, encoders, settings: of the run.
        predictions: checksum of those from elsewhere.

    Example:
        >>> import memjax
        >>> found = facts(memjax.open_dataset("demo", limit=5), [memjax.load("memjax/tiny")], memjax.SweepSettings())
        >>> found["models"], found["images"]
        ('memjax/tiny', '5')
    """
    scores = dataset.table["memorability"].to_numpy()
    return {
        "versions of memjax": __version__,
        "versions of jax": jax.__version__,
        "models": ", ".join(encoder.label for encoder in encoders),
        "checkpoints": ", ".join(encoder.checksum[:16] for encoder in encoders),
        "data sets": dataset.name,
        "images": str(len(dataset)),
        "image ids (digest)": _digest("\n".join(map(str, dataset.table.index)).encode("utf-8", "surrogateescape")),
        "scores (digest)": _digest(scores.tobytes()),
        "data (fingerprint)": str(dataset.info["fingerprint"]),
        "images (sizes, and contents of a sample)": content_digest(dataset),
        "predictions (digest)": predictions[:16],
        **{
            f"settings of {name}": str(plain_json(value))
            for name, value in sorted(settings.to_json().items())
            if name not in HOW
        },
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def agree_on_place(out: Place, seconds: float = SEEING) -> None:
    """Go on if ``out`` is one place for all processes: what process 0 writes there, the others can read.

    Raises:
        InputError: it is not.
    """
    board = processes.board()
    if board is None:
        return
    token = f".together-{uuid.uuid4().hex}"
    if board.index == 0:
        write_atomically(out / token, token)
    token = board.shared(token)
    there = _appears(out, token, seconds)
    try:
        board.agree(
            {"places (out)": "one place" if there else f"another place, {out}, where process 0's files are not seen"}
        )
    finally:
        if board.index == 0:
            (out / token).unlink(missing_ok=True)


def _appears(out: Place, name: str, seconds: float) -> bool:
    """Whether a file can be seen, now or within some seconds."""
    end = time.monotonic() + seconds
    while not any(file.name == name for file in listing(out, name)):
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
