"""Where in an image a score comes from, and through which layers and heads: maps, contributions, and curves that compare maps.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    # All of it for one image
    "attribute": "memjax.attribution.explain",
    "Attribution": "memjax.attribution.explain",
    "Target": "memjax.attribution.explain",
    "AttributionSettings": "memjax.attribution.settings",
    "METHODS": "memjax.attribution.settings",
    # What is explained
    "Contrast": "memjax.attribution.contrast",
    "contrast_of": "memjax.attribution.contrast",
    "ImageScore": "memjax.attribution.contrast",
    # Maps over the image
    "integrated_gradients": "memjax.attribution.gradients",
    "gradient_times_input": "memjax.attribution.gradients",
    "occlude": "memjax.attribution.occlusion",
    "square_windows": "memjax.attribution.occlusion",
    "rollout": "memjax.attribution.flow",
    "attention_rollout": "memjax.attribution.flow",
    "by_patch": "memjax.attribution.contrast",
    # Do maps find what matters
    "curves_of": "memjax.attribution.curves",
    "Curves": "memjax.attribution.curves",
    "random_orders": "memjax.attribution.curves",
    "against_random": "memjax.attribution.curves",
    "AgainstRandom": "memjax.attribution.curves",
    # Layers, tokens, heads
    "layer_contributions": "memjax.attribution.direct",
    "patch_contributions": "memjax.attribution.direct",
    "gate_derivatives": "memjax.attribution.heads",
}
__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
