"""What an autoencoder is (`SAEConfig`) and how it is fitted (`FitConfig`): frozen, hashable, checked.

A *variant* names a pair of activation and loss (`memjax.sae.activations`, `memjax.sae.loss`):

==============  =======================================  ==============================================================
variant         latents                                  reference
==============  =======================================  ==============================================================
``paper``       ReLU, L1 on the pre-activations          Takmaz, Gatt & Dotlačil 2025, arXiv 2509.01453
``relu``        ReLU, L1 on the latents                  Bricken et al. 2023, "Towards Monosemanticity"
``topk``        the k largest of each input              Gao et al. 2024, arXiv 2406.04093
``batchtopk``   the b·k largest of a batch               Bussmann et al. 2024, arXiv 2412.06410
``jumprelu``    above a learnt threshold                 Rajamanoharan et al. 2024, arXiv 2407.14435
``gated``       a gate and a magnitude                   Rajamanoharan et al. 2024, arXiv 2404.16014
``matryoshka``  batchtopk, every prefix reconstructs     Bussmann et al. 2025, arXiv 2503.17547
==============  =======================================  ==============================================================
"""

from dataclasses import asdict, dataclass

from memjax.checks import expected

VARIANTS = ("paper", "relu", "topk", "batchtopk", "jumprelu", "gated", "matryoshka")
DECAYS = ("none", "linear", "cosine")


@dataclass(frozen=True)
class SAEConfig:
    """One autoencoder's architecture.

    Attributes:
        width: inputs, ``d``.
        latents: latents, ``f``.
        variant: see the module's table.
        k: latents kept per input (``topk``, ``batchtopk``, ``matryoshka``).
        prefixes: for ``matryoshka``, how many latents each nested dictionary has; the last is ``latents``.
        pre_bias: subtract the decoder's bias from the input first.
        unit_norm: keep every decoder row at length 1, and its gradient orthogonal to it.
        aux_k: dead latents that reconstruct the residual in the auxiliary loss (0: none); TopK kinds only.
        aux_coefficient: weight of that loss.
        dead_after: inputs after which a latent that never fired counts as dead.
        bandwidth: width of the straight-through kernel of ``jumprelu``.
        threshold_decay: of the running inference threshold of ``batchtopk`` and ``matryoshka``.
    """

    width: int
    latents: int
    variant: str = "relu"
    k: int = 16
    prefixes: tuple[int, ...] = ()
    pre_bias: bool = True
    unit_norm: bool = True
    aux_k: int = 0
    aux_coefficient: float = 1 / 32
    dead_after: int = 10_000
    bandwidth: float = 0.03
    threshold_decay: float = 0.99

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise expected("SAE variant", f"one of {', '.join(VARIANTS)}", repr(self.variant))
        if self.width < 1 or self.latents < 1:
            raise expected("SAE width and latents", "positive numbers", f"{self.width} and {self.latents}")
        if not 1 <= self.k <= self.latents:
            raise expected("SAE k", f"between 1 and the {self.latents} latents", self.k)
        if not 0 <= self.aux_k <= self.latents:
            raise expected("SAE aux_k", f"between 0 and the {self.latents} latents", self.aux_k)
        steps = self.prefixes
        if self.variant == "matryoshka" and (
            not steps or steps[-1] != self.latents or any(b <= a for a, b in zip((0, *steps), steps))
        ):
            raise expected("SAE prefixes", f"increasing sizes that end at {self.latents}", steps)

    def to_json(self) -> dict:
        """The fields as JSON holds them (tuples become lists)."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class FitConfig:
    """How an autoencoder is fitted; the learning rate and the sparsity weight are per member (`memjax.sae.train.Hyper`).

    Attributes:
        batch_size: inputs per step.
        epochs: passes over the training rows.
        weight_decay: of AdamW, decoupled, on every parameter (as torch's AdamW does).
        warmup_steps: steps of linear warm-up of the learning rate.
        decay: ``none``, ``linear`` or ``cosine`` to zero at the last step.
        resample_epochs: after which epochs (counted from 1) dead latents are drawn anew.
    """

    batch_size: int = 1
    epochs: int = 5
    weight_decay: float = 0.01
    warmup_steps: int = 0
    decay: str = "none"
    resample_epochs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.epochs < 1:
            raise expected("batch size and epochs", "positive numbers", f"{self.batch_size} and {self.epochs}")
        if self.decay not in DECAYS:
            raise expected("learning-rate decay", f"one of {', '.join(DECAYS)}", repr(self.decay))

    def to_json(self) -> dict:
        """The fields as JSON holds them (tuples become lists)."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
