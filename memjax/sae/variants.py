"""The kinds of sparse autoencoder: one row a variant. Everything that differs between them is read from here."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array

from memjax.sae import activations, initialisers, losses
from memjax.sae.architecture import Architecture
from memjax.sae.constraints import FREE, HULL, TIED, Constraint
from memjax.sae.model import Reconstruction, SAEParams, SAEState
from memjax.sae.pursuit import matching_pursuit

Initialise = Callable[[Array, Architecture, Array | None], SAEParams]
"""See `memjax.sae.initialisers`."""

Activation = Callable[[SAEParams, Array, Array, SAEState, Architecture, bool], Array]
"""See `memjax.sae.activations`."""

Loss = Callable[[SAEParams, Array, Reconstruction, SAEState, Architecture, Array], Array]
"""See `memjax.sae.losses`."""


@dataclass(frozen=True)
class Variant:
    """One kind of sparse autoencoder.

    Attributes:
        init: starting point.
        activation: from pre-activations to latents.
        loss: what training minimises.
        sparsity: default weight of the penalty; it leaves a few tens of latents active on standardised cls tokens. 0 where the
            budget `k` is the sparsity.
        title: how it is called in figures and tables.
        latents: which latents are active, in words.
        reference: where it was published.
        shares_budget: training shares the budget ``k`` over the batch; afterwards a running threshold takes its place.
        nested: every prefix of the latents (`Architecture.prefixes`) is a dictionary of its own.
        constraint: what its weights are held to (`memjax.sae.constraints`).
        saelens: the architecture of SAELens that encodes the same after training (`memjax.sae.saelens`).
    """

    init: Initialise
    activation: Activation
    loss: Loss
    sparsity: float
    title: str
    latents: str
    reference: str
    saelens: str
    shares_budget: bool = False
    nested: bool = False
    constraint: Constraint = FREE

    @property
    def budgeted(self) -> bool:
        """Whether a budget of latents, not a penalty, makes it sparse."""
        return self.sparsity == 0.0

    @property
    def tied(self) -> bool:
        """Whether the encoder is the decoder's transpose; inputs are then centred, not scaled (`memjax.sae.standardiser`)."""
        return self.constraint is TIED

    @property
    def transcoder(self) -> str:
        """The architecture of a transcoder's file, of which SAELens knows ``transcoder`` and ``jumprelu_transcoder``.

        Empty where there can be none: the decoder is made of what the encoder, or the input, is.
        """
        if self.constraint is not FREE:
            return ""
        return "transcoder" if self.saelens == "standard" else f"{self.saelens}_transcoder"

    @property
    def archetypal(self) -> bool:
        """Whether decoder rows are mixtures of training rows (`memjax.sae.candidates`)."""
        return self.constraint is HULL


VARIANTS: dict[str, Variant] = {
    "paper": Variant(
        init=initialisers.untied,
        activation=activations.relu,
        loss=losses.paper_loss,
        sparsity=1e-5,
        title="the paper's",
        latents="ReLU, L1 on the pre-activations",
        reference="Takmaz, Gatt & Dotlačil 2025, arXiv 2509.01453",
        saelens="standard",
    ),
    "relu": Variant(
        init=initialisers.tied,
        activation=activations.relu,
        loss=losses.relu_loss,
        sparsity=1e-3,
        title="ReLU",
        latents="ReLU, L1 on the latents",
        reference='Bricken et al. 2023, "Towards Monosemanticity"',
        saelens="standard",
    ),
    "topk": Variant(
        init=initialisers.tied,
        activation=activations.topk,
        loss=losses.topk_loss,
        sparsity=0.0,
        title="TopK",
        latents="the k largest of each input",
        reference="Gao et al. 2024, arXiv 2406.04093",
        saelens="topk",
    ),
    "batchtopk": Variant(
        init=initialisers.tied,
        activation=activations.batchtopk,
        loss=losses.topk_loss,
        sparsity=0.0,
        title="BatchTopK",
        latents="the b·k largest of a batch",
        reference="Bussmann et al. 2024, arXiv 2412.06410",
        saelens="jumprelu",
        shares_budget=True,
    ),
    "jumprelu": Variant(
        init=initialisers.tied_with_thresholds,
        activation=activations.jumprelu,
        loss=losses.jumprelu_loss,
        sparsity=3e-3,
        title="JumpReLU",
        latents="above a learnt threshold",
        reference="Rajamanoharan et al. 2024, arXiv 2407.14435",
        saelens="jumprelu",
    ),
    "gated": Variant(
        init=initialisers.tied_with_gate,
        activation=activations.gated,
        loss=losses.gated_loss,
        sparsity=1e-3,
        title="gated",
        latents="a gate and a magnitude",
        reference="Rajamanoharan et al. 2024, arXiv 2404.16014",
        saelens="gated",
    ),
    "matryoshka": Variant(
        init=initialisers.tied,
        activation=activations.batchtopk,
        loss=losses.matryoshka_loss,
        sparsity=0.0,
        title="Matryoshka",
        latents="batchtopk, every prefix reconstructs",
        reference="Bussmann et al. 2025, arXiv 2503.17547",
        saelens="jumprelu",
        shares_budget=True,
        nested=True,
    ),
    "archetypal": Variant(
        init=initialisers.tied_with_mixture,
        activation=activations.topk,
        loss=losses.topk_loss,
        sparsity=0.0,
        title="archetypal",
        latents="the k largest of each input; decoder rows are mixtures of training vectors",
        reference="Fel et al. 2025, arXiv 2502.12892",
        saelens="topk",
        constraint=HULL,
    ),
    "matching_pursuit": Variant(
        init=initialisers.tied,
        activation=matching_pursuit,
        loss=losses.topk_loss,
        sparsity=0.0,
        title="matching-pursuit",
        latents="k steps of matching pursuit",
        reference="Costa et al. 2025, arXiv 2506.03093",
        saelens="matching_pursuit",
        constraint=TIED,
    ),
}
"""Name -> variant. ``paper`` is the authors' autoencoder; it has a preset of its own (`memjax.sae.presets.paper`)."""
