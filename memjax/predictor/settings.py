"""How a predictor is fitted."""

import dataclasses
from typing import Literal

from memjax.schema import check_settings

BOUNDS = {"folds": (3, 100), "repeats": (1, 100), "most_images": (50, 20_000), "seed": (0, 2**32 - 1)}
"""Of the settings that are numbers."""


@dataclasses.dataclass(frozen=True)
class PredictorSettings:
    """How a predictor is fitted and calibrated; each field has a default.

    Example:
        >>> PredictorSettings(folds=10).source is None
        True
    """

    source: Literal["vectors", "measures"] | None = None
    """What is read: the token vectors that the sweep kept, of all layers, or its measures; by default the vectors where there
    are any."""
    folds: int = 5
    """Of the cross-validation, which chooses the penalty and gives rho, the intervals and the bound of out_of_domain."""
    repeats: int = 10
    """Partitions into folds."""
    most_images: int = 4_000
    """Of more images so many are drawn at random: all pairs of them are held in memory, and time grows with their cube."""
    seed: int = 0
    """Of images drawn and of folds."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
