"""A score for a new image: a readout refitted on all images, calibrated, saved, and explained.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    "Predictor": "memjax.predictor.predictor",
    "PredictorSettings": "memjax.predictor.settings",
    "PredictorRecord": "memjax.predictor.record",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
