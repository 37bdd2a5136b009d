"""Latents of a sparse autoencoder, changed inside the encoder that they are read from."""

from typing import Annotated

import jax.numpy as jnp
from flax import struct

from memjax.axes import Leaf
from memjax.checks import expected
from memjax.models.edits import BlockIndex, Place, Values
from memjax.sae.normalisation import NORMALISATIONS
from memjax.sae.reconstruction import reconstruct
from memjax.sae.standardiser import standardise
from memjax.sae.trained import TrainedSAE


@struct.dataclass
class EditLatent:
    """A latent of an autoencoder is multiplied and set, at every token or at some; what the autoencoder misses stays.

    The stream gains ``(new - old)`` times the latent's decoder row, in units of the stream: the error of the reconstruction is
    kept as it is, so an edit that changes no latent changes nothing.

    Attributes:
        sae: an autoencoder trained on the token vectors of a layer, `memjax.sae.trained.TrainedSAE`.
        latent: which, from 0.
        times: factor of the latent; 0 takes it out.
        plus: what is then added to it; with ``times`` 0 the value that it is held at.
        tokens: True, or 1, for a token at which it is changed, ``[t]``; None for all.
        block: the layer coordinate of the stream that leaves the block; None for the autoencoder's own layer, of which 0 is what
            enters the first block.

    Raises:
        InputError: (when it is applied) a transcoder, whose latents stand for what is added elsewhere.

    Reference:
        Templeton et al. 2024, Scaling Monosemanticity (clamping of features, error term kept).

    Example:
        >>> import jax, numpy as np, memjax
        >>> vectors = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
        >>> sae = memjax.sae.fit(vectors, preset="topk", progress=False).saes[0].replace(layer=2)
        >>> stream = jnp.asarray(vectors[:3])
        >>> same = EditLatent(sae, latent=0)(jnp.int32(2), "after", stream)
        >>> more = EditLatent(sae, latent=0, plus=1.0)(jnp.int32(2), "after", stream)
        >>> np.allclose(same, stream), np.allclose(more - stream, sae.params.w_dec[0] * sae.standardiser.std, atol=1e-5)
        (True, True)
    """

    sae: TrainedSAE
    latent: Annotated[Leaf, ""]
    times: Annotated[Leaf, ""] = 1.0
    plus: Annotated[Leaf, ""] = 0.0
    tokens: Annotated[Leaf, "t"] = None
    block: Annotated[Leaf, ""] = None

    def __call__(self, block: BlockIndex, place: Place, values: Values) -> Values:
        sae = self.sae
        if sae.config.transcodes:
            raise expected(
                "sae", "an autoencoder, which decodes into the vectors that it reads", repr(sae), argument="sae"
            )
        embedded = self.block is None and sae.layer == 0
        if place != ("before" if embedded else "after"):
            return values
        scaled = NORMALISATIONS[sae.normalisation](values)
        inputs = standardise(sae.standardiser, scaled.x)
        latents = reconstruct(sae.params, inputs, sae.state, sae.config).latents[:, self.latent]
        gained = (jnp.asarray(self.times) - 1.0) * latents + jnp.asarray(self.plus)
        if self.tokens is not None:
            gained = gained * jnp.asarray(self.tokens, gained.dtype)
        row = jnp.asarray(sae.params.w_dec)[self.latent] * jnp.asarray(sae.standardiser.std)
        gained = gained * scaled.factor[:, 0]  # a vector whose own scale was taken off gains in that scale
        wanted = max(sae.layer, 1) if self.block is None else self.block
        return jnp.where(block == wanted, values + gained[:, None] * row[None, :], values)
