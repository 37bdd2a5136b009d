"""Which images an autoencoder has not seen: those that its latents are to be correlated on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from memjax.sae.folds import k_folds_in_blocks
from memjax.sae.origin import images_digest
from memjax.sae.trained import TrainedSAE

OUT_OF_SAMPLE, IN_SAMPLE, OTHER, UNKNOWN = "out of sample", "in sample", "other data set", "not known"
"""How images relate to an autoencoder: left out of its training; trained on; of another data set; nothing says."""


@dataclass(frozen=True)
class SeenImages:
    """The images that an autoencoder's latents are correlated on, and how they relate to it."""

    images: Bool[np.ndarray, " n"]
    how: str


def scored_images(sae: TrainedSAE, dataset: str, ids: np.ndarray, token: str) -> SeenImages:
    """The images that an autoencoder left out, where it left some out; all of them otherwise.

    Args:
        sae: from `memjax.train_saes`, or read.
        dataset: name of the data set that the images are of.
        ids: of the images with token vectors and a score, in the order of the store.
        token: that the vectors are of.

    Example:
        >>> from memjax import sae
        >>> x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        >>> one = sae.fit(x, sae.modern("topk", width=6, rows=40, latents=8, epochs=1, batch_size=10), progress=False).saes[0]
        >>> scored_images(one, "mine", np.array(["a", "b"]), "cls").how
        'not known'
    """
    origin, everything = sae.origin, np.ones(len(ids), bool)
    if origin.dataset and origin.dataset != dataset:
        return SeenImages(everything, OTHER)
    same = origin.images == len(ids) and origin.images_sha256 in ("", images_digest(ids))
    if not origin.dataset or not same:
        return SeenImages(everything, UNKNOWN)
    if origin.parts < 2:
        return SeenImages(everything, IN_SAMPLE)
    block = origin.block or (None if token == "patches" else len(ids))
    if block is None:
        return SeenImages(everything, UNKNOWN)
    part = k_folds_in_blocks(len(ids), origin.parts, block)
    return SeenImages(part == (sae.fold or 0), OUT_OF_SAMPLE)
