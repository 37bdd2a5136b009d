"""The settings of an atlas of latents. The command's help reads the field docstrings."""

from dataclasses import dataclass
from typing import Literal

from memjax.schema import check_settings

Pool = Literal["max", "mean"]

BOUNDS = {
    "least_firings": (10, 10**6),
    "top": (1, 100),
    "largest": (1, 1024),
    "same_cosine": (0.0, 1.0),
    "cards": (0, 1000),
    "page_mb": (0.1, 1000.0),
    "memory_mb": (16, 2**20),
}


@dataclass(frozen=True)
class AtlasSettings:
    """What is measured of each latent, and what is shown.

    Example:
        >>> AtlasSettings(least_firings=5)
        Traceback (most recent call last):
        memjax.checks.InputError: least_firings: expected a whole number from 10 to 1000000, got 5
    """

    model: str | None = None
    """Which encoder, where the store holds several; by default the autoencoders' own."""
    token: Literal["cls", "mean", "pooled", "patches"] | None = None
    """Which vectors the autoencoders take, where their files do not say."""
    pool: Pool = "max"
    """Of patches: what a latent is for an image, its largest value over the patches or the mean."""
    least_firings: int = 20
    """Images that a latent has to fire for; of fewer no correlation is given, since its interval would not hold what it says."""
    top: int = 9
    """Images, of those that a latent fires for most, that are kept."""
    largest: int = 32
    """Latents, of the largest of an image, that are kept."""
    same_cosine: float = 0.7
    """Cosine of decoder directions from which a latent of another seed or fold counts as the same."""
    cards: int = 60
    """Latents that the page shows with their images."""
    page_mb: float = 16.0
    """Up to this size the page holds its images; beyond it they lie beside it, in a folder."""
    memory_mb: int = 512
    """Memory, about, for token vectors, latents and what is sorted of them at a time."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)

    @property
    def bytes(self) -> int:
        """The memory, in bytes."""
        return self.memory_mb * 10**6
