"""The paper's protocol, and a sensible start for each other variant."""

from dataclasses import dataclass, replace

from memjax.checks import expected
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.kinds import MODERN
from memjax.sae.variants import VARIANTS

SPACES = ("standardised", "raw")


@dataclass(frozen=True)
class SAEPreset:
    """An architecture, how it is fitted, its learning rate, and the weight of its sparsity penalty."""

    sae: SAEConfig
    fit: FitConfig
    learning_rate: float
    sparsity: float


def paper(width: int) -> SAEPreset:
    """The authors' autoencoder: d -> 100 -> d, batch size 1, AdamW at 1e-4, 5 epochs, 1e-5 x L1 of the pre-activations.

    Example:
        >>> paper(768).fit.batch_size, paper(768).sae.latents
        (1, 100)
    """
    sae = SAEConfig(width=width, latents=100, variant="paper", k=1, pre_bias=False, unit_norm=False)
    return SAEPreset(sae=sae, fit=FitConfig(), learning_rate=1e-4, sparsity=VARIANTS["paper"].sparsity)


def paper_split(width: int) -> SAEPreset:
    """The authors' other regime: the same autoencoder with batches of 4 at 5e-4, on 80 % of the images.

    Example:
        >>> paper_split(768).fit.batch_size, paper_split(768).learning_rate
        (4, 0.0005)
    """
    preset = paper(width)
    return replace(preset, fit=replace(preset.fit, batch_size=4), learning_rate=5e-4)


def modern(
    variant: str, width: int, rows: int, latents: int = 256, epochs: int = 20, batch_size: int = 64
) -> SAEPreset:
    """A variant with warm-up over a twentieth of the steps, cosine decay, and help for dead latents.

    Args:
        variant: a name of `MODERN`.
        width: of the inputs.
        rows: training rows; a latent silent for two passes over them is dead.
        latents: the dictionary's size; ``matryoshka`` nests a quarter, a half and all of them, ``archetypal`` has twice as many
            candidates.
        epochs, batch_size: of the fit.

    Raises:
        InputError: no such variant, or ``paper``.

    Example:
        >>> modern("topk", width=768, rows=2000).sae.k
        16
    """
    if variant not in MODERN:
        raise expected("SAE variant", f"one of {', '.join(MODERN)}", repr(variant), argument="variant")
    row = VARIANTS[variant]
    sae = SAEConfig(
        width=width,
        latents=latents,
        variant=variant,
        k=min(16, latents),
        prefixes=(latents // 4, latents // 2, latents) if row.nested else (),
        aux_k=min(32, latents) if row.budgeted else 0,
        dead_after=2 * rows,
        candidates=min(2 * latents, rows) if row.archetypal else 0,
    )
    batch_size = min(batch_size, rows)
    steps = epochs * (rows // batch_size)
    halves = () if row.budgeted or epochs < 4 else (epochs // 2,)
    fit = FitConfig(
        batch_size=batch_size, epochs=epochs, warmup_steps=steps // 20, decay="cosine", resample_epochs=halves
    )
    return SAEPreset(sae=sae, fit=fit, learning_rate=1e-3, sparsity=row.sparsity)
