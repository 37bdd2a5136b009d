"""The settings of the baselines. The command's help reads the field docstrings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memjax.baselines.proxies import PROXIES, ProxyOptions
from memjax.baselines.sparse_coding import SparseCodingConfig
from memjax.checks import expected
from memjax.schema import check_bounds

NAMES = tuple(PROXIES)

if TYPE_CHECKING:
    ProxyName = str
else:
    ProxyName = Literal[NAMES]  # the rows themselves, so that a command's help and errors list them

BOUNDS = {
    "layers": (0, 2**10),
    "units": (1, 2**20),
    "codewords": (1, 2**16),
    "batches": (1, 10**7),
    "seed": (0, 2**32 - 1),
    "bootstraps": (1, 10**5),
}
"""Of the settings that are numbers."""


@dataclass(frozen=True)
class BaselineSettings:
    """What is measured, and how; each field has a default.

    Example:
        >>> BaselineSettings(batches=100).options().coding.batches
        100
    """

    measures: tuple[ProxyName, ...] = NAMES
    """Which measures."""
    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean"] = "cls"
    """Which token vectors: of each image the cls token, or the mean of its patches."""
    layers: tuple[int, ...] | None = None
    """Layers (0: embeddings; of VGG-16 1 to 7: five blocks, fc1, fc2); the default is all that vary."""
    units: int = 1000
    """Units of a layer that sparse coding takes, a random sample where there are more; with VGG-16 for all measures."""
    codewords: int = 500
    """Size of the sparse coding's dictionary."""
    batches: int = 1000
    """Batches of 250 images that the dictionary is learnt on; the time grows with it."""
    seed: int = 0
    """Of the sample of units and of the dictionary."""
    bootstraps: int = 1000
    """Bootstrap resamples behind each 95 % interval."""

    def __post_init__(self) -> None:
        check_bounds(self, BOUNDS)
        if not self.measures:
            raise expected("measures", f"some of {', '.join(PROXIES)}", "none", argument="measures")
        if unknown := sorted(set(self.measures) - set(PROXIES)):
            raise expected("measures", f"among {', '.join(PROXIES)}", unknown, argument="measures")

    def options(self) -> ProxyOptions:
        """What the measures are told."""
        coding = SparseCodingConfig(units=self.units, codewords=self.codewords, batches=self.batches)
        return ProxyOptions(self.seed, coding)
