"""The settings of the baselines. The command's help reads the field docstrings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memjax.baselines.kinds import MEASURES
from memjax.checks import expected
from memjax.schema import check_settings

QUICK = tuple(name for name in MEASURES if not name.startswith("sparse_coding"))
"""Measures that take seconds a layer; sparse coding takes minutes."""

if TYPE_CHECKING:  # what a command line is read by stays light; the rest is imported when the settings are used
    from memjax.baselines.proxies import ProxyOptions

    ProxyName = str
else:
    ProxyName = Literal[MEASURES]  # the rows themselves, so that a command's help and errors list them

BOUNDS = {
    "layers": (0, 2**10),
    "units": (1, 2**20),
    "codewords": (1, 2**16),
    "batches": (1, 10**7),
    "seed": (0, 2**32 - 1),
    "bootstraps": (1, 10**5),
    "folds": (2, 1000),
    "neighbours": (1, 2**20),
    "components": (1, 2**20),
    "variance": (0.001, 0.9999),
}
"""Of the settings that are numbers."""


@dataclass(frozen=True)
class BaselineSettings:
    """What is measured, and how; each field has a default.

    Example:
        >>> BaselineSettings(batches=100).options().coding.batches
        100
    """

    measures: tuple[ProxyName, ...] = QUICK
    """Which measures; the default is all that take seconds a layer. Sparse coding takes a minute a layer, out of sample as many
    as there are folds."""
    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean", "both"] = "cls"
    """Which token vectors: of each image the cls token, the mean of its patches, or each of the two."""
    layers: tuple[int, ...] | None = None
    """Layers (0: embeddings; of VGG-16 1 to 7: five blocks, fc1, fc2); the default is all that vary."""
    units: int = 1000
    """Units of a layer that sparse coding takes, a random sample where there are more; with VGG-16 for all measures."""
    codewords: int = 500
    """Size of the sparse coding's dictionary."""
    batches: int = 1000
    """Batches of 250 images that the dictionary is learnt on; the time grows with it."""
    folds: int = 5
    """Of the measures that are out of sample by folds: each image is scored by a model of the images of the other folds."""
    neighbours: int = 10
    """Nearest images whose distance knn_distance averages, and that the bandwidth of local_density reaches."""
    components: int | None = None
    """Principal axes of pca_residual; the default is as many as have the share `variance`."""
    variance: float = 0.9
    """Share of the variance of the images that the axes are fitted on, which the axes have."""
    seed: int = 0
    """Of the sample of units, the dictionary and the folds."""
    bootstraps: int = 1000
    """Bootstrap resamples behind each 95 % interval."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        if not self.measures:
            raise expected("measures", f"some of {', '.join(MEASURES)}", "none", argument="measures")
        if unknown := sorted(set(self.measures) - set(MEASURES)):
            raise expected("measures", f"among {', '.join(MEASURES)}", unknown, argument="measures")

    def options(self) -> "ProxyOptions":
        """What the measures are told."""
        from memjax.baselines.proxies import ProxyOptions
        from memjax.baselines.sparse_coding import SparseCodingConfig

        coding = SparseCodingConfig(units=self.units, codewords=self.codewords, batches=self.batches)
        return ProxyOptions(self.seed, coding, self.folds, self.neighbours, self.components, self.variance)

    def tokens(self) -> tuple[str, ...]:
        """The token vectors, one by one."""
        return ("cls", "mean") if self.token == "both" else (self.token,)
