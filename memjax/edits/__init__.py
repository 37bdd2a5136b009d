"""Ready-made edits: ablation, patching from another image, directions taken out or added, latents of an autoencoder changed.

Each is a `memjax.models.edits.Edit` to pass as ``edit`` to `memjax.encode`, and a pytree: its numbers are traced, so edits of one
kind stack, and `jax.vmap` runs them in one program.
"""

from memjax.lazy import attach

_NAMES = {
    "Replace": "memjax.edits.replacing",
    "Several": "memjax.edits.replacing",
    "ablate_head": "memjax.edits.replacing",
    "ablate_heads": "memjax.edits.replacing",
    "ablate_mlp": "memjax.edits.replacing",
    "ablate_tokens": "memjax.edits.replacing",
    "patch": "memjax.edits.replacing",
    "ProjectOut": "memjax.edits.directions",
    "Steer": "memjax.edits.directions",
    "EditLatent": "memjax.edits.latents",
    "PLACES": "memjax.models.edits",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
