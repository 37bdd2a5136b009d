"""What settings and a command's help say of the autoencoders, without their code: it loads no JAX.

The names are those of the rows (`memjax.sae.variants.VARIANTS`), which a test compares.
"""

MODERN = (
    "relu", "topk", "batchtopk", "jumprelu", "gated", "matryoshka", "archetypal", "matching_pursuit",
)  # fmt: skip
"""Variants that `memjax.sae.presets.modern` has a start for; the authors' has a preset of its own, `memjax.sae.presets.paper`."""

PAPER_SEEDS = (0, 42, 2025, 2, 17)
SPLIT_PARTS = 5
"""Of the authors' 80/20 split: parts of equal size, one of which is left out of the training."""
