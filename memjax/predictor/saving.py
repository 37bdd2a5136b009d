"""A predictor as files: predictor.json, predictor.safetensors and a model card. Nothing in them is ever executed."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memjax.checks import InputError, check_file, expected
from memjax.faults import machine_faults_told
from memjax.models.hub import MOST_JSON, all_finite, read_state
from memjax.predictor.calibration import Residuals
from memjax.predictor.card import model_card
from memjax.predictor.domain import Domain
from memjax.predictor.linear import ByEncoder
from memjax.predictor.record import PredictorRecord
from memjax.seals import file_sum, seal_holds, sealed_text
from memjax.storage import read_json, write_atomically
from memjax.tensors import check_replaceable, write_tensors

RECORD, ARRAYS, CARD = "predictor.json", "predictor.safetensors", "README.md"
ARRAYS_SUM = "arrays_sha256"
"""Field of predictor.json: SHA-256 of the arrays' file."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What a predictor is made of."""

    record: PredictorRecord
    weights: ByEncoder
    residuals: Residuals
    domain: Domain


def write_predictor(parts: Parts, folder: Path) -> Path:
    """Write a predictor; the record comes last, so that a folder with one is whole.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    check_replaceable(folder, (ARRAYS, CARD, RECORD), "a predictor")
    with machine_faults_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        digest = write_tensors(folder / ARRAYS, _arrays(parts))
        write_atomically(folder / CARD, model_card(parts.record))
        write_atomically(folder / RECORD, sealed_text(parts.record.to_json() | {ARRAYS_SUM: digest}))
    return folder


def read_predictor(folder: Path) -> Parts:
    """Read a predictor that `write_predictor` wrote.

    Raises:
        InputError: there is none, or it is not as it was written.
    """
    file = check_file(folder / RECORD, "predictor", "name the folder of a saved predictor", argument="predictor")
    found = read_json(file, MOST_JSON)
    arrays = check_file(folder / ARRAYS, "predictor", "the folder is not whole", argument="predictor")
    if not seal_holds(found) or found.get(ARRAYS_SUM) != file_sum(arrays):
        raise InputError(f"{folder}: not as it was written; save the predictor again", "predictor")
    record = PredictorRecord.from_json(found, str(file))
    try:
        return _parts(record, {name: np.asarray(x, np.float64) for name, x in read_state([arrays]).items()})
    except (LookupError, ValueError) as error:
        raise expected(str(arrays), "the arrays of a predictor", f"something else ({error})") from error


def digest_of(parts: Parts) -> str:
    """SHA-256 of all that a predictor's scores depend on; when it was fitted, and by which versions, is left out."""
    told = {name: value for name, value in parts.record.to_json().items() if name not in ("finished", "versions")}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, x in sorted(_arrays(parts).items()):
        digest.update(f"{name}{x.shape}".encode() + x.tobytes())
    return digest.hexdigest()


def _arrays(parts: Parts) -> dict[str, np.ndarray]:
    found = {
        f"weights.{place}.{name}": np.asarray(w)
        for place, one in enumerate(parts.record.encoders)
        for name, w in parts.weights.get(one.model, {}).items()
    }
    found |= {
        "domain.mean": parts.domain.mean,
        "domain.white": parts.domain.white,
        "residuals": parts.residuals.ordered,
    }
    return {name: np.asarray(x, np.float32) for name, x in found.items()}


def _parts(record: PredictorRecord, arrays: dict[str, np.ndarray]) -> Parts:
    """Raises `LookupError` or `ValueError` where they are not a predictor's."""
    weights: dict[str, dict[str, np.ndarray]] = {one.model: {} for one in record.encoders}
    for name, x in arrays.items():
        if not all_finite(x):
            raise ValueError(f"{name} has values that are not finite")
        if name.startswith("weights."):
            _, place, variable = name.split(".", 2)
            weights[record.encoders[int(place)].model][variable] = x
    mean, white, residuals = arrays["domain.mean"], arrays["domain.white"], arrays["residuals"]
    if white.shape != (len(mean), len(mean)) or residuals.ndim != 1 or len(residuals) < record.images:
        raise ValueError("shapes that do not fit together")
    return Parts(record, weights, Residuals(np.sort(residuals), record.images), Domain(mean, white, record.bound))
