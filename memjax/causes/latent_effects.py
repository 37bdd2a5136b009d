"""What the score of one image becomes when latents of a sparse autoencoder are taken out of the stream, one at a time."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from memjax import devices
from memjax.axes import Array, Bool, Float, Image, Int, Levels, Scalar
from memjax.causes.effects import EFFECTS, SCORE
from memjax.causes.plain import plain_pass
from memjax.edits.latents import EditLatent
from memjax.levels import normalise_levels
from memjax.precision import products_at
from memjax.predictor.linear import weighted_sum
from memjax.predictor.scoring import Reading, Scorer
from memjax.preprocessing import Preprocessing
from memjax.sae.trained import TrainedSAE
from memjax.traces import Layout

SIZES = "sizes"
"""Of an image's latents, as lengths in the stream."""
AT_ONCE = 8
"""Latents that go through the encoder together, for an image."""


def read_tokens(token: str, layout: Layout, tokens: int) -> Bool[np.ndarray, " t"]:
    """True for the tokens whose vectors an autoencoder reads: the cls, or the patches.

    Example:
        >>> import memjax
        >>> layout = memjax.load("memjax/tiny").config.layout
        >>> read_tokens("cls", layout, 4).tolist(), int(read_tokens("patches", layout, 4).sum()) == 4 - layout.prefix
        ([True, False, False, False], True)
    """
    places = np.arange(tokens)
    return places == 0 if token == "cls" else places >= layout.prefix


def latent_sizes(scorer: Scorer, sae: TrainedSAE, image: Image, reading: Reading, token: str) -> Float[Array, "f"]:
    """Each latent's largest value over the tokens that it reads, as the length of what it adds to the stream.

    Args:
        scorer: the encoder.
        sae: of a layer of it.
        image: ``[y, x, 3]``, normalised.
        reading: how the encoder computes.
        token: ``cls`` or ``patches``.
    """
    stream = plain_pass(scorer.encoder, image, reading).streams[sae.layer]
    read = read_tokens(token, reading.layout, stream.shape[0])
    vectors = stream[np.flatnonzero(read)]
    lengths = jnp.linalg.norm(jnp.asarray(sae.params.w_dec) * jnp.asarray(sae.standardiser.std)[None], axis=1)
    return sae.encode(vectors).max(axis=0) * lengths


def latent_effects(
    scorer: Scorer, sae: TrainedSAE, latents: Int[Array, "k"], image: Image, reading: Reading, token: str
) -> dict[str, Array]:
    """What one image's score gains when each of some latents is taken out, the error of the reconstruction kept.

    Args:
        scorer, sae, image, reading, token: as in `latent_sizes`; the scorer's weights too.
        latents: which.

    Returns:
        ``score``: what the encoder adds to the image's score; ``effects [k]``: that of the edited encoder less it.

    Reference:
        Templeton et al. 2024, Scaling Monosemanticity (feature ablation, error term kept); Marks et al. 2024, Sparse Feature
        Circuits.
    """
    first = jnp.int32(max(sae.layer, 1))
    with products_at(reading.precision):
        plain = plain_pass(scorer.encoder, image, reading)
        read = jnp.asarray(read_tokens(token, reading.layout, plain.streams.shape[1]))

        def without(latent: Array) -> Scalar:
            return weighted_sum(scorer.weights, plain.edited(EditLatent(sae, latent, times=0.0, tokens=read), first))

        before = weighted_sum(scorer.weights, plain.values)
        edited = jax.lax.map(without, latents, batch_size=AT_ONCE)
    return {SCORE: before, EFFECTS: edited - before}


@functools.lru_cache(maxsize=8)
def compiled_sizes(
    reading: Reading, mesh: jax.sharding.Mesh, levels: Preprocessing, token: str
) -> Callable[[tuple[Scorer, TrainedSAE], Levels], dict[str, Float[Array, "b ..."]]]:
    """The data-parallel program ``((scorer, sae), grey levels) -> latent_sizes`` of every image."""

    def one(params: tuple[Scorer, TrainedSAE], image: Array) -> dict[str, Array]:
        return {SIZES: latent_sizes(*params, normalise_levels(image, levels), reading, token)}

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


@functools.lru_cache(maxsize=8)
def compiled_latent_effects(
    reading: Reading, mesh: jax.sharding.Mesh, levels: Preprocessing, token: str
) -> Callable[[tuple[Scorer, TrainedSAE, Array], Levels], dict[str, Float[Array, "b ..."]]]:
    """The data-parallel program ``((scorer, sae, latents), grey levels) -> latent_effects`` of every image."""

    def one(params: tuple[Scorer, TrainedSAE, Array], image: Array) -> dict[str, Array]:
        return latent_effects(*params, normalise_levels(image, levels), reading, token)

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)
