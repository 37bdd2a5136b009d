"""The settings of training sparse autoencoders. The command's help reads the field docstrings."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from memjax.checks import expected
from memjax.precision import Precision
from memjax.sae.kinds import MODERN, PAPER_SEEDS, SPLIT_PARTS
from memjax.schema import check_bounds, check_settings

if TYPE_CHECKING:  # what a command line is read by stays light; the rest is imported when the settings are used
    from memjax.sae.presets import SAEPreset
    from memjax.sae.stream import Stream

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
"""Of the settings that are numbers; of the folds, which one protocol does not have, `SAESettings` says itself."""

DEFAULT_VARIANT, DEFAULT_FOLDS, DEFAULT_LATENTS = "batchtopk", 5, 256
"""Of the modern protocol."""


@dataclass(frozen=True)
class SAESettings:
    """What is trained, and how; each field has a default.

    Example:
        >>> SAESettings(protocol="modern", variant="topk").prefix
        'sae_topk'
    """

    model: str | None = None
    """Which encoder, where the store holds several."""
    token: Literal["cls", "mean", "pooled", "patches"] = "cls"
    """Which vectors: of each image the cls token, the mean of its patches, the output of the encoder's head (what the paper took
    of SigLIP), or every patch."""
    protocol: Literal["paper", "paper-split", "modern"] = "paper"
    """paper: the authors' autoencoder; unless folds are asked for, it scores images that it was trained on. paper-split: their
    other regime, trained on 80 % of the images with batches of 4 at 5e-4; it scores all. modern: a variant, out of sample."""
    variant: ModernVariant | None = None
    """Kind of autoencoder, under the modern protocol, where the default is batchtopk. The authors' is a kind of its own."""
    layers: tuple[int, ...] | None = None
    """Layers (0: embeddings); the default is the last (paper) or all that vary (modern)."""
    seeds: tuple[int, ...] | None = None
    """The default is 0 42 2025 2 17 (paper, paper-split) or 0 (modern)."""
    epochs: int | None = None
    """The default is 5 (paper, paper-split) or 20 (modern)."""
    folds: int | None = None
    """Each image is scored by the autoencoder of the fold that left it out. The default is 5 (modern) or none (paper);
    paper-split has none."""
    latents: int | None = None
    """Size of the dictionary. The default is 100 (paper, paper-split) or 256 (modern)."""
    batch_size: int | None = None
    """The default is 1 (paper), 4 (paper-split) or 64, for patches 1024 (modern)."""
    block: int = 64
    """For patches: images read at once; two blocks are held."""
    learning_rate: float | None = None
    """The default is 1e-4 (paper), 5e-4 (paper-split) or 1e-3 (modern)."""
    sparsity: float | None = None
    """Weight of the sparsity penalty; the default is the paper's 1e-5, or the variant's."""
    precision: Precision = "highest"
    """Of matrix products, in training and in scoring. highest: the same losses on every device, to rounding; high: three bfloat16
    passes on a TPU; default: the hardware's fastest, one bfloat16 pass on a TPU, TF32 on NVIDIA. On a CPU all are the same."""
    bootstraps: int = 1000
    """Bootstrap resamples behind each 95 % interval."""
    save_saes: bool = True
    """Write each trained autoencoder to a folder of its own below saes/, which memjax.sae.load and SAELens read. They take a
    third of the room of the training state, which is kept beside them."""

    def __post_init__(self) -> None:
        check_settings(self, BOUNDS)
        if self.protocol == "paper-split" and self.folds is not None:
            fix = (
                "it trains on one part of the images; take protocol paper with folds to score images that were left out"
            )
            raise expected("folds under protocol paper-split", "none", self.folds, fix, "folds")
        check_bounds(self, {"folds": (2, 1000)})
        if self.is_paper and self.variant is not None:
            fix = "the authors' autoencoder is a kind of its own; take protocol modern"
            raise expected(f"variant under protocol {self.protocol}", "none", self.variant, fix, "variant")

    @property
    def is_paper(self) -> bool:
        """Whether one of the authors' protocols is asked for."""
        return self.protocol != "modern"

    @property
    def prefix(self) -> str:
        """How the names of the scores begin.

        Example:
            >>> SAESettings(folds=5, token="mean").prefix
            'sae_unseen_mean'
        """
        kind = {"paper": "unseen" if self.folds else "", "paper-split": "split"}
        parts = ("sae", kind.get(self.protocol, self.chosen_variant), "" if self.token == "cls" else self.token)
        return "_".join(filter(None, parts))

    @property
    def chosen_variant(self) -> str:
        """The variant, or the protocol's."""
        return self.variant or ("paper" if self.is_paper else DEFAULT_VARIANT)

    @property
    def chosen_seeds(self) -> tuple[int, ...]:
        """The seeds, or the protocol's."""
        return self.seeds or (PAPER_SEEDS if self.is_paper else (0,))

    @property
    def chosen_folds(self) -> int:
        """Autoencoders of a layer and seed, each of which leaves a part of the images out to score it; 1: it scores all."""
        return self.folds or (1 if self.is_paper else DEFAULT_FOLDS)

    @property
    def parts(self) -> int:
        """Parts that the images are dealt into, of which an autoencoder leaves one out of its training; 1: it leaves none out."""
        return SPLIT_PARTS if self.protocol == "paper-split" else self.chosen_folds

    @property
    def scored(self) -> str:
        """In words, what the autoencoder that scores an image has seen of it."""
        if self.protocol == "paper-split":
            return "trained on four fifths of the images it scores"
        return "trained on the images it scores" if self.chosen_folds == 1 else "out of sample"

    def preset(self, width: int, stream: "Stream") -> "SAEPreset":
        """The protocol's preset, changed as the settings say.

        Args:
            width: of the vectors.
            stream: says how many rows an autoencoder is trained on.
        """
        preset = self._paper_preset(width) if self.is_paper else self._modern_preset(width, stream)
        epochs = preset.fit.epochs if self.epochs is None else self.epochs
        fit = replace(preset.fit, epochs=epochs, precision=self.precision)
        return replace(
            preset,
            fit=fit,
            learning_rate=preset.learning_rate if self.learning_rate is None else self.learning_rate,
            sparsity=preset.sparsity if self.sparsity is None else self.sparsity,
        )

    def _paper_preset(self, width: int) -> "SAEPreset":
        from memjax.sae.presets import paper, paper_split

        preset = paper(width) if self.protocol == "paper" else paper_split(width)
        sae = replace(preset.sae, latents=self.latents or preset.sae.latents)
        return replace(preset, sae=sae, fit=replace(preset.fit, batch_size=self.batch_size or preset.fit.batch_size))

    def _modern_preset(self, width: int, stream: "Stream") -> "SAEPreset":
        from memjax.sae.presets import modern

        batch = self.batch_size or (1024 if self.token == "patches" else 64)
        rows = [stream.rows(block).shape[1] for block in range(stream.images.blocks)]
        epochs = 20 if self.epochs is None else self.epochs
        latents = self.latents or DEFAULT_LATENTS
        return modern(self.chosen_variant, width, sum(rows), latents, epochs, min(batch, max(rows)))
