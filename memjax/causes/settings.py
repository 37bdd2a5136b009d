"""How parts of an encoder are taken out, and over which images."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memjax.checks import expected
from memjax.schema import check_settings

if TYPE_CHECKING:
    from memjax.metrics import Metric

BOUNDS = {"most_images": (2, 1_000_000), "donors": (1, 64), "latents": (1, 4096), "seed": (0, 2**32 - 1)}
"""Of the settings that are numbers."""

GROUPS = ("default", "all")
"""Names of several metrics."""


@dataclasses.dataclass(frozen=True)
class CausesSettings:
    """Each field has a default.

    Example:
        >>> CausesSettings().ablation
        'mean'
    """

    ablation: Literal["mean", "zero", "resample"] = "mean"
    """What stands in for what a head or an MLP makes. mean: its mean over the images, token by token, so that only what differs
    between images is lost; zero: nothing, which also takes away what all images share; resample: what it makes of other images,
    so that the block sees nothing that it could not have made."""
    donors: int = 4
    """With resample: other images, drawn at random, whose values stand in; an effect is the mean over them, and they are not
    measured themselves."""
    most_images: int = 400
    """Of more images so many are drawn at random."""
    seed: int = 0
    """Of the images that are drawn."""
    metrics: tuple[str, ...] = ()
    """Metrics whose change is measured too, at every layer: by name, or `default`, those of the paper. Those of single heads and
    of a decoder are no metrics of an edited pass: `default` goes without them."""

    saes: tuple[Path, ...] = ()
    """Folders of sparse autoencoders of cls or patches, as memjax saes writes them: their largest latents are taken out too, one
    at a time, the error of the reconstruction kept."""
    latents: int = 16
    """Latents of each autoencoder: those whose value, as a length in the stream, is largest on average over the images."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        self.measured()

    def measured(self) -> "dict[str, Metric]":
        """The metrics by name.

        Raises:
            InputError: an unknown name, or one that has no value for each layer of an edited pass.
        """
        if not self.metrics:
            return {}
        from memjax.metrics import requested  # loads JAX; not for a command's help

        usable = {name: row for name, row in requested(self.metrics).items() if not row.per_head and not row.needs}
        if lacking := [name for name in self.metrics if name not in usable and name not in GROUPS]:
            raise expected("metrics", f"among {', '.join(usable) or 'those of layers'}", lacking[0], argument="metrics")
        return usable
