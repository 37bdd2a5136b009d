"""What settings and a command's help say of the baselines, without their code: it loads no JAX.

The names are those of the rows (`memjax.baselines.proxies.PROXIES`), which a test compares.
"""

from typing import Literal

MEASURES = (
    "nn_distance", "knn_distance", "local_density", "pca_residual", "mahalanobis", "sparse_coding_error",
    "sparse_coding_held_out",
)  # fmt: skip
"""Of vectors."""

Origin = Literal["pretrained autoencoder", "VGG-16, decoder from a seed"]
"""What a VGG-16 autoencoder starts from."""
