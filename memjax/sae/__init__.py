"""Sparse autoencoders, and their loss as a proxy for memorability: plain arrays in, plain arrays out.

The public names; each is imported when first used.

>>> import numpy as np
>>> from memjax import sae
>>> x = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
>>> fitted = sae.fit(x, preset="paper", seeds=(0, 42), progress=False)
>>> fitted.errors.shape
(2, 50)
"""

from memjax.lazy import attach

_NAMES = {
    # One array in one call
    "fit": "memjax.sae.fitted",
    "Fitted": "memjax.sae.fitted",
    "TrainedSAE": "memjax.sae.trained",
    # An autoencoder as a folder
    "save": "memjax.sae.writing",
    "load": "memjax.sae.reading",
    "load_all": "memjax.sae.reading",
    "convert_torch": "memjax.sae.converting",
    "SAEOrigin": "memjax.sae.origin",
    # What is trained
    "VARIANTS": "memjax.sae.variants",
    "Variant": "memjax.sae.variants",
    "SAEConfig": "memjax.sae.config",
    "FitConfig": "memjax.sae.config",
    "SAEPreset": "memjax.sae.presets",
    "paper": "memjax.sae.presets",
    "modern": "memjax.sae.presets",
    # The model
    "SAEParams": "memjax.sae.model",
    "SAEState": "memjax.sae.model",
    "Reconstruction": "memjax.sae.model",
    "init_params": "memjax.sae.init",
    "init_state": "memjax.sae.init",
    "reconstruct": "memjax.sae.reconstruction",
    "objective": "memjax.sae.reconstruction",
    "load_released": "memjax.sae.released",
    # Inputs
    "Standardiser": "memjax.sae.standardiser",
    "fit_standardiser": "memjax.sae.standardiser",
    "standardise": "memjax.sae.standardiser",
    # Scores
    "ImageScores": "memjax.sae.score",
    "SAEScores": "memjax.sae.score",
    "score_images": "memjax.sae.score",
    "score_sae": "memjax.sae.score",
    # Ensembles: layers x seeds x folds
    "Grid": "memjax.sae.grid",
    "grid_of": "memjax.sae.grid",
    "Recipe": "memjax.sae.member",
    "recipe_for": "memjax.sae.training",
    "fit_members": "memjax.sae.training",
    "evaluate": "memjax.sae.evaluation",
    "ImageTokens": "memjax.sae.stream",
    "in_memory": "memjax.sae.stream",
    "Checkpoints": "memjax.sae.checkpoint",
    "open_manager": "memjax.sae.checkpoint",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
