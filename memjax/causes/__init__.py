"""What a score hangs on inside an encoder: every head, MLP and block taken out, and what that does to the predicted score.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    "CausesSettings": "memjax.causes.settings",
    "PARTS": "memjax.causes.units",
    "block_effects": "memjax.causes.effects",
    "latent_effects": "memjax.causes.latent_effects",
    "measure_effects": "memjax.causes.measuring",
    "measure_latents": "memjax.causes.latent_measuring",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
