"""The settings of training sparse autoencoders. The command's help reads the field docstrings."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from memjax.precision import Precision
from memjax.sae.presets import MODERN, PAPER_SEEDS, SAEPreset, modern, paper
from memjax.sae.stream import Stream
from memjax.schema import check_bounds

if TYPE_CHECKING:
    ModernVariant = str
else:
    ModernVariant = Literal[MODERN]  # the rows themselves, so that a command's help and errors list them

BOUNDS = {
    "layers": (0, 2**10),
    "seeds": (0, 2**32 - 1),
    "epochs": (1, 10**6),
    "latents": (1, 2**20),
    "batch_size": (1, 2**20),
    "block": (1, 2**16),
    "learning_rate": (0.0, math.inf),
    "sparsity": (0.0, math.inf),
    "bootstraps": (1, 10**5),
}
"""Of the settings that are numbers; of the folds, which only the modern protocol has, `SAESettings` says itself."""


@dataclass(frozen=True)
class SAESettings:
    """What is trained, and how; each field has a default.

    Example:
        >>> SAESettings(protocol="modern", variant="topk").prefix
        'sae_topk'
    """

    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean", "patches"] = "cls"
    """Which token vectors: of each image the cls token, the mean of its patches, or every patch."""
    protocol: Literal["paper", "modern"] = "paper"
    """paper: the authors' autoencoder, which scores images that it was trained on; modern: a variant, out of sample."""
    variant: ModernVariant = "batchtopk"
    """Kind of autoencoder, under the modern protocol."""
    layers: tuple[int, ...] | None = None
    """Layers (0: embeddings); the default is the last (paper) or all that vary (modern)."""
    seeds: tuple[int, ...] | None = None
    """The default is 0 42 2025 2 17 (paper) or 0 (modern)."""
    epochs: int | None = None
    """The default is 5 (paper) or 20 (modern)."""
    folds: int = 5
    """Under the modern protocol: each image is scored by the autoencoder of the fold that left it out."""
    latents: int = 256
    """Size of the dictionary, under the modern protocol; the paper's is 100."""
    batch_size: int | None = None
    """Under the modern protocol; the default is 64, for patches 1024. The paper's is 1."""
    block: int = 64
    """For patches: images read at once; two blocks are held."""
    learning_rate: float | None = None
    """The default is 1e-4 (paper) or 1e-3 (modern)."""
    sparsity: float | None = None
    """Weight of the sparsity penalty; the default is the paper's 1e-5, or the variant's."""
    precision: Precision = "highest"
    """Of matrix products, in training and in scoring. highest: the same losses on every device, to rounding; high: three bfloat16
    passes on a TPU; default: the hardware's fastest, one bfloat16 pass on a TPU, TF32 on NVIDIA. On a CPU all are the same."""
    bootstraps: int = 1000
    """Bootstrap resamples behind each 95 % interval."""

    def __post_init__(self) -> None:
        check_bounds(self, BOUNDS)
        if self.protocol == "modern":
            check_bounds(self, {"folds": (2, 1000)})

    @property
    def is_paper(self) -> bool:
        """Whether the authors' protocol is asked for."""
        return self.protocol == "paper"

    @property
    def prefix(self) -> str:
        """How the names of the scores begin."""
        prefix = "sae" if self.is_paper else f"sae_{self.variant}"
        return prefix if self.token == "cls" else f"{prefix}_{self.token}"

    def chosen_seeds(self) -> tuple[int, ...]:
        """The seeds, or the protocol's."""
        return self.seeds or (PAPER_SEEDS if self.is_paper else (0,))

    def chosen_folds(self) -> int:
        """The folds; 1, which holds nothing out, under the paper's protocol."""
        return 1 if self.is_paper else self.folds

    def preset(self, width: int, stream: Stream) -> SAEPreset:
        """The paper's preset or the variant's, changed as the settings say.

        Args:
            width: of the vectors.
            stream: says how many rows an autoencoder is trained on.
        """
        if self.is_paper:
            preset = paper(width)
        else:
            batch = self.batch_size or (1024 if self.token == "patches" else 64)
            rows = [stream.rows(block).shape[1] for block in range(stream.images.blocks)]
            epochs = 20 if self.epochs is None else self.epochs
            preset = modern(self.variant, width, sum(rows), self.latents, epochs, min(batch, max(rows)))
        epochs = preset.fit.epochs if self.epochs is None else self.epochs
        fit = replace(preset.fit, epochs=epochs, precision=self.precision)
        return SAEPreset(
            sae=preset.sae,
            fit=fit,
            learning_rate=preset.learning_rate if self.learning_rate is None else self.learning_rate,
            sparsity=preset.sparsity if self.sparsity is None else self.sparsity,
        )
