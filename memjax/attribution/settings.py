"""How an image is explained: which maps, against which baseline, how finely."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from memjax.attribution.contrast import BaselineChoice
from memjax.attribution.gradients import STEPS
from memjax.checks import expected
from memjax.schema import check_settings

Method = Literal["integrated_gradients", "gradient_times_input", "occlusion", "direct", "rollout"]


class Described(NamedTuple):
    """A method in words: the title of its map, what the map answers, and whether it has a sign."""

    title: str
    answers: str
    signed: bool = True


METHODS: Mapping[Method, Described] = MappingProxyType(
    {
        "integrated_gradients": Described("Integrated gradients", "how much each patch adds on the way from the baseline"),
        "gradient_times_input": Described("Gradient × input", "how much a small change of each patch would add"),
        "occlusion": Described("Occlusion", "how much is lost when a window around each patch is covered"),
        "direct": Described("Direct, by mean token", "how much is read at each patch's place, all layers together"),
        "rollout": Described("Attention rollout", "where attention leads, whatever the score", signed=False),
    }
)  # fmt: skip

BOUNDS = {
    "steps": (1, 1024),
    "window": (1, 1024),
    "stride": (1, 1024),
    "points": (2, 1024),
    "orders": (1, 10**4),
    "seed": (0, 2**31),
    "batch_size": (1, 4096),
}
"""Of the settings that are numbers."""


@dataclasses.dataclass(frozen=True)
class AttributionSettings:
    """How an image is explained; each field has a default.

    Example:
        >>> AttributionSettings(methods=("occlusion",), window=2).window
        2
    """

    methods: tuple[Method, ...] = get_args(Method)
    """Maps that are made. `direct` is left out where the score does not read the mean of the patches."""
    baseline: BaselineChoice = "mean"
    """What stands for absence. mean: the mean colour of the encoder's preprocessing, 0 in normalised pixels; blur: the image
    itself without its detail."""
    steps: int = STEPS
    """Points of integrated gradients along the path from the baseline to the image."""
    window: int = 3
    """Side of the window that occlusion covers, in patches; at most the grid's."""
    stride: int = 2
    """Patches between the windows, at most the window's side."""
    points: int = 11
    """Of each deletion and insertion curve, both ends among them."""
    orders: int = 19
    """Random orders of the patches that the maps are compared with; with 19 the smallest p is 0.05."""
    seed: int = 0
    """Of the random orders."""
    batch_size: int = 8
    """Images that occlusion and curves compute together."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        if self.stride > self.window:
            raise expected("stride", f"at most the window's side, {self.window}", self.stride, argument="stride")
