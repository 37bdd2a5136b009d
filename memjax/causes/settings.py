"""How parts of an encoder are taken out, and over which images."""

import dataclasses
from typing import Literal

from memjax.schema import check_bounds

BOUNDS = {"most_images": (2, 1_000_000), "seed": (0, 2**32 - 1)}
"""Of the settings that are numbers."""


@dataclasses.dataclass(frozen=True)
class CausesSettings:
    """Each field has a default.

    Example:
        >>> CausesSettings().ablation
        'mean'
    """

    ablation: Literal["mean", "zero"] = "mean"
    """What stands in for what a head or an MLP makes. mean: its mean over the images, token by token, so that only what differs
    between images is lost; zero: nothing, which also takes away what all images share."""
    most_images: int = 400
    """Of more images so many are drawn at random."""
    seed: int = 0
    """Of the images that are drawn."""

    def __post_init__(self) -> None:
        check_bounds(self, BOUNDS)
