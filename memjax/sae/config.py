"""What an autoencoder is (`SAEConfig`) and how it is fitted (`FitConfig`): frozen, hashable, checked."""

import math
from dataclasses import asdict, dataclass

from memjax.checks import expected
from memjax.precision import Precision, check_precision
from memjax.sae.architecture import Architecture
from memjax.sae.variants import VARIANTS, Variant

DECAYS = ("none", "linear", "cosine")
LATER = ("candidates", "delta", "tolerance", "stop_on_repeat", "target_width")
"""Fields of an architecture that only some variants have, or only transcoders."""


@dataclass(frozen=True)
class SAEConfig(Architecture):
    """One autoencoder: its `Architecture`, and the variant, which says how it starts, which latents fire and what it minimises.

    Attributes:
        variant: a name of `memjax.sae.variants.VARIANTS`.

    Raises:
        InputError: no such variant, or sizes that make no sense.
    """

    variant: str = "relu"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise expected("SAE variant", f"one of {', '.join(VARIANTS)}", repr(self.variant), argument="variant")
        if self.width < 1 or self.latents < 1:
            raise expected("SAE width and latents", "positive numbers", f"{self.width} and {self.latents}")
        if self.target_width < 0:
            raise expected("SAE target_width", "a number from 0", self.target_width)
        if self.transcodes and not self.row.transcoder:
            able = ", ".join(name for name, row in VARIANTS.items() if row.transcoder)
            raise expected("SAE variant of a transcoder", f"one of {able}", repr(self.variant), argument="variant")
        if self.transcodes and self.pre_bias:
            raise expected("SAE pre_bias of a transcoder", "false: its decoder's bias is of the target", "true")
        if not 1 <= self.k <= self.latents and not (self.row.tied and self.k > 0):  # steps may choose a latent again
            raise expected("SAE k", f"between 1 and the {self.latents} latents", self.k)
        if not 0 <= self.aux_k <= self.latents:
            raise expected("SAE aux_k", f"between 0 and the {self.latents} latents", self.aux_k)
        steps = self.prefixes
        if self.row.nested and (
            not steps or steps[-1] != self.latents or any(b <= a for a, b in zip((0, *steps), steps))
        ):
            raise expected("SAE prefixes", f"increasing sizes that end at {self.latents}", steps)
        if self.row.archetypal and self.candidates < 1:
            raise expected("SAE candidates", "a positive number", self.candidates, argument="candidates")
        if self.row.tied and not self.pre_bias:
            raise expected(f"SAE pre_bias of {self.variant}", "true", "false")
        if not (0 <= self.delta < math.inf and 0 <= self.tolerance < math.inf):
            raise expected("SAE delta and tolerance", "numbers from 0", f"{self.delta} and {self.tolerance}")

    @property
    def row(self) -> Variant:
        """The variant's row of `VARIANTS`."""
        return VARIANTS[self.variant]

    @property
    def saelens(self) -> str:
        """The architecture of its file (`memjax.sae.saelens`)."""
        return self.row.transcoder if self.transcodes else self.row.saelens

    def to_json(self) -> dict[str, object]:
        """The fields as JSON holds them (tuples become lists); those of `LATER` where they are not their default.

        Checkpoints from before these were fields do not name them, and are gone on with.
        """
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in fields.items() if key not in LATER or value != getattr(Architecture, key)}


@dataclass(frozen=True)
class FitConfig:
    """How an autoencoder is fitted; the learning rate and the sparsity weight are per member (`memjax.sae.member.Hyper`).

    Attributes:
        batch_size: inputs per step.
        epochs: passes over the training rows.
        weight_decay: of AdamW, decoupled, on every parameter (as torch's AdamW does).
        warmup_steps: steps of linear warm-up of the learning rate.
        decay: ``none``, ``linear`` or ``cosine`` to zero at the last step.
        resample_epochs: after which epochs (counted from 1) dead latents are drawn anew.
        precision: of matrix products, in training and in scoring (`memjax.precision`).
    """

    batch_size: int = 1
    epochs: int = 5
    weight_decay: float = 0.01
    warmup_steps: int = 0
    decay: str = "none"
    resample_epochs: tuple[int, ...] = ()
    precision: Precision = "highest"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.epochs < 1:
            raise expected("batch size and epochs", "positive numbers", f"{self.batch_size} and {self.epochs}")
        if self.decay not in DECAYS:
            raise expected("learning-rate decay", f"one of {', '.join(DECAYS)}", repr(self.decay))
        check_precision(self.precision)

    def to_json(self) -> dict[str, object]:
        """The fields as JSON holds them (tuples become lists); ``precision`` where it is not ``highest``.

        Checkpoints from before it was a setting do not name it, and are gone on with.
        """
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in fields.items() if (key, value) != ("precision", "highest")}
