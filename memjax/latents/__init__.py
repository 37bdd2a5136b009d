"""Every latent of autoencoders by itself: when it fires, whether that goes with people's scores, which images it fires for.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    "AtlasSettings": "memjax.latents.settings",
    "scored_images": "memjax.latents.seen",
    "pooled_latents": "memjax.latents.encoding",
    "score_latents": "memjax.latents.scoring",
    "match_latents": "memjax.latents.matching",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
