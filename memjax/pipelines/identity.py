"""What a sweep's results depend on, as one number, and its encoders as run.json has them."""

import hashlib
import json
from collections.abc import Sequence

from memjax import __version__
from memjax.datasets import Dataset
from memjax.encoder import Encoder
from memjax.models.untrained import UNTRAINED
from memjax.outputs import ModelRecord
from memjax.pipelines.settings import SweepSettings

HOW = ("workers", "cache_images", "preprocessing", "predictions")
"""Settings that say how a run is done, and leave its results as they are, or stand in its identity by what they name."""


def run_identity(settings: SweepSettings, dataset: Dataset, encoders: Sequence[Encoder], predictions: str = "") -> str:
    """SHA-256 of what a sweep's results depend on: settings, data (how many of its images too), encoders, the version; of
    ``predictions`` from elsewhere the checksum."""
    changing = {name: value for name, value in settings.to_json().items() if name not in HOW}
    weights = [
        {"name": encoder.label, "checksum": encoder.checksum, "preprocessing": encoder.preprocessing.to_json()}
        for encoder in encoders
    ]
    parts = [changing, dataset.info["fingerprint"], len(dataset), weights, __version__, predictions]
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()


def model_record(encoder: Encoder, tokens: Sequence[str] = ()) -> ModelRecord:
    """An encoder as run.json has it, where ``tokens`` were asked for."""
    notes = (
        UNTRAINED_NOTE if encoder.revision == UNTRAINED else "",
        _assumed(encoder) if encoder.preprocessing.origin == "assumed" else "",
        without_output(encoder) if "pooled" in tokens and not encoder.config.has_output else "",
    )
    return ModelRecord(
        model=encoder.label,
        name=encoder.name,
        revision=encoder.revision,
        sha256=encoder.checksum,
        family=encoder.config.family,
        preprocessing=encoder.preprocessing.to_json(),
        note="; ".join(filter(None, notes)),
    )


UNTRAINED_NOTE = "not trained: the weights are drawn at random, as a control"
"""What has to be said of an encoder without training."""


def without_output(encoder: Encoder) -> str:
    """What has to be said of an encoder of which a pooled output was asked for."""
    return f"no pooled output is kept of {encoder.label}: it has no head that makes one of the last layer"


def _assumed(encoder: Encoder) -> str:
    """What has to be said of pixels that are made in the family's way because nothing says how."""
    pre = encoder.preprocessing
    how = f"resize {pre.resize}, crop {pre.crop}, mean {pre.mean}, std {pre.std}"
    return (
        f"no preprocessor_config.json says how its pixels are made; assumed is the published way of {encoder.config.family} "
        f"({how})"
    )
