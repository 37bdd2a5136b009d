"""The measures of the years before transformers: what reconstructs badly, and what has no near neighbour, is remembered.

The public names; each is imported when first used.
"""

from memjax.lazy import attach

_NAMES = {
    # The measures, one row each
    "PROXIES": "memjax.baselines.proxies",
    "Proxy": "memjax.baselines.proxies",
    "ProxyOptions": "memjax.baselines.proxies",
    # Features of a convolutional network
    "VGGParams": "memjax.baselines.vgg",
    "load_vgg": "memjax.baselines.vgg",
    "vgg_features": "memjax.baselines.vgg",
    # An autoencoder of images that sees each of them once
    "EXPOSED": "memjax.baselines.rows",
    "ImageAutoencoder": "memjax.baselines.autoencoder",
    "load_autoencoder": "memjax.baselines.autoencoder_weights",
    "reconstruct_image": "memjax.baselines.autoencoder",
    # Reconstruction error of sparse coding
    "SparseCodingConfig": "memjax.baselines.sparse_coding",
    "sample_units": "memjax.baselines.sparse_coding",
    "learn_dictionary": "memjax.baselines.sparse_coding",
    "reconstruction_error": "memjax.baselines.sparse_coding",
    # Distance to the nearest neighbour
    "Neighbours": "memjax.baselines.neighbours",
    "nearest_neighbours": "memjax.baselines.neighbours",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, _NAMES)
