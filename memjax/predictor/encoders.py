"""The encoders of a predictor, loaded as they were when it was fitted."""

import dataclasses

from memjax.checks import InputError, expected
from memjax.encoder import Encoder, load
from memjax.models.untrained import UNTRAINED
from memjax.outputs import ModelRecord
from memjax.precision import Precision
from memjax.preprocessing import Preprocessing

WITHOUT_COMMIT = ("", "local", "packaged", UNTRAINED)
"""Revisions that the hub does not know."""


@dataclasses.dataclass(frozen=True)
class Computing:
    """How an encoder computes."""

    dtype: str
    precision: Precision


def load_encoder(record: ModelRecord, given: str | Encoder | None, computing: Computing) -> Encoder:
    """An encoder that a predictor reads: of the same weights, with pixels made in the same way.

    Args:
        record: what the predictor says of it.
        given: the encoder, or where it lies now; None: where it was.
        computing: type and precision.

    Raises:
        InputError: it is not there, has other weights, or computes in another type.
    """
    name = record.name if record.revision in WITHOUT_COMMIT else f"{record.name}@{record.revision}"
    try:
        found = given if isinstance(given, Encoder) else load(given or name, computing.dtype, None, computing.precision)
    except InputError as error:
        fix = f"say where encoder {record.model} lies: encoders={{{record.model!r}: FOLDER}}"
        raise InputError(f"{error}; {fix}" if given is None else str(error), "encoders") from error
    where = f"encoder {record.model} of the predictor"
    if found.checksum != record.sha256:
        came = f"others ({found.checksum[:12]}.., not {record.sha256[:12]}..)"
        raise expected(f"{where}, weights", "those that it was fitted on", came, argument="encoders")
    if (found.dtype, found.precision) != (computing.dtype, computing.precision):
        wanted, came = f"{computing.dtype}, {computing.precision}", f"{found.dtype}, {found.precision}"
        raise expected(f"{where}, type and precision", wanted, came, argument="encoders")
    pixels = Preprocessing.from_json(record.preprocessing, f"{where}, preprocessing")
    return dataclasses.replace(found, preprocessing=pixels)
