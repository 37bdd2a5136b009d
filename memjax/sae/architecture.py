"""The sizes and constants of an autoencoder: what its activation, its loss and its starting point read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """Sizes and constants, unchecked; `memjax.sae.config.SAEConfig` adds the variant's name and checks them.

    Attributes:
        width: inputs, ``d``.
        latents: latents, ``f``.
        target_width: of a transcoder, the width of its targets; 0: an autoencoder, whose target is its input.
        k: latents kept per input (``topk``, ``batchtopk``, ``matryoshka``, ``archetypal``), or steps (``matching_pursuit``).
        prefixes: for ``matryoshka``, how many latents each nested dictionary has; the last is ``latents``.
        pre_bias: subtract the decoder's bias from the input first; ``matching_pursuit`` has to, a transcoder can't.
        unit_norm: keep every decoder row at length 1, and its gradient orthogonal to it; those of ``archetypal`` are held to the
            candidates instead.
        aux_k: dead latents that reconstruct the residual in the auxiliary loss (0: none); TopK kinds only.
        aux_coefficient: weight of that loss.
        dead_after: inputs after which a latent that never fired counts as dead.
        bandwidth: width of the straight-through kernel of ``jumprelu``.
        threshold_decay: of the running inference threshold of ``batchtopk`` and ``matryoshka``.
        candidates: for ``archetypal``, how many training rows decoder rows are mixtures of, ``c``.
        delta: for ``archetypal``, how far a decoder row may be from their convex hull, in the units of the standardised input.
        tolerance: for ``matching_pursuit``, the length of a residual below which an input is done; 0: none is.
        stop_on_repeat: for ``matching_pursuit``, an input is done once a step chooses a latent that it has.
    """

    width: int
    latents: int
    k: int = 16
    prefixes: tuple[int, ...] = ()
    pre_bias: bool = True
    unit_norm: bool = True
    aux_k: int = 0
    aux_coefficient: float = 1 / 32
    dead_after: int = 10_000
    bandwidth: float = 0.03
    threshold_decay: float = 0.99
    candidates: int = 0
    delta: float = 1.0
    tolerance: float = 0.0
    stop_on_repeat: bool = False
    target_width: int = 0

    @property
    def transcodes(self) -> bool:
        """Whether it is a transcoder: what is decoded is a target of its own, not the input."""
        return self.target_width > 0

    @property
    def decoded_width(self) -> int:
        """Width of what is decoded, ``o``: of the target, or of the input."""
        return self.target_width or self.width
