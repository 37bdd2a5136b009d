"""How well an autoencoder reconstructs: scores per image (``[n]``) and per autoencoder.

All scores are in the space of the inputs given: standardise first to score in the standardised space, do not to score in the
raw space (the authors' training script did the latter). Every function scores what it is given; that an image was not trained
on is the caller's to see to (`memjax.sae.folds`). ``precision`` is that of the autoencoder's products.
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from memjax.axes import Leaf
from memjax.precision import Precision
from memjax.sae.config import SAEConfig
from memjax.sae.model import SAEParams, SAEState, pair_of
from memjax.sae.reconstruction import reconstruct
from memjax.showing import short_repr


@struct.dataclass
class ImageScores:
    """Per image; of a transcoder, errors and lengths are those of the target.

    Attributes:
        error: sum of squared errors over the width (the paper's loss; input units squared).
        error_mean: the same, divided by the width.
        error_normalised: the same sum, divided by the squared length of the input (1: no better than zero; no units).
        l0: latents above 0 (a count).
        l1: sum of the latents (input units).
        magnitude: mean of |pre-activation| over latents (the paper's latent magnitude; input units).
        squared_length: of the input (input units squared); what is left of the error once it is held constant is the
            autoencoder's own contribution.
    """

    error: Leaf  # [n]
    error_mean: Leaf  # [n]
    error_normalised: Leaf  # [n]
    l0: Leaf  # [n]
    l1: Leaf  # [n]
    magnitude: Leaf  # [n]
    squared_length: Leaf  # [n]

    __repr__ = short_repr


@struct.dataclass
class SAEScores:
    """Per autoencoder: share of variance explained (at most 1), share of latents that never fire, firing rate of each."""

    explained_variance: Leaf  # one number
    dead_fraction: Leaf  # one number
    firing_frequency: Leaf  # [f]


def score_images(
    params: SAEParams, state: SAEState, x: Float[Array, "n w"], config: SAEConfig, precision: Precision = "highest"
) -> ImageScores:
    """Scores of each row of ``x``, out of training mode (``batchtopk`` uses its threshold).

    ``x`` are the inputs; of a transcoder, each with its target behind it (`memjax.sae.model.pair_of`).

    Example:
        >>> import jax
        >>> from memjax.sae.init import init_params, init_state
        >>> config = SAEConfig(width=4, latents=6, variant="topk", k=2)
        >>> params = init_params(jax.random.key(0), config)
        >>> score_images(params, init_state(config), jnp.eye(4), config).l0.shape
        (4,)
    """
    inputs, target = pair_of(x, config)
    out = reconstruct(params, inputs, state, config, precision=precision)
    error, length = jnp.sum((out.recons - target) ** 2, axis=1), jnp.sum(target**2, axis=1)
    return ImageScores(
        error=error,
        error_mean=error / target.shape[1],
        error_normalised=error / jnp.maximum(length, jnp.finfo(x.dtype).tiny),
        l0=jnp.sum(out.latents > 0, axis=1).astype(x.dtype),
        l1=jnp.sum(out.latents, axis=1),
        magnitude=jnp.mean(jnp.abs(out.pre), axis=1),
        squared_length=length,
    )


def firing_frequency(
    params: SAEParams, state: SAEState, x: Float[Array, "n w"], config: SAEConfig, precision: Precision = "highest"
) -> Float[Array, " f"]:
    """Share of the rows of ``x`` that make each latent fire; rows as in `score_images`."""
    out = reconstruct(params, pair_of(x, config)[0], state, config, precision=precision)
    return jnp.mean((out.latents > 0).astype(x.dtype), axis=0)


def score_sae(
    params: SAEParams, state: SAEState, x: Float[Array, "n w"], config: SAEConfig, precision: Precision = "highest"
) -> SAEScores:
    """Scores of the autoencoder over all rows of ``x``, as in `score_images`; a latent is dead if no row makes it fire.

    ``explained_variance = 1 - sum of squared errors / sum of squared deviations from the mean row``; NaN where the rows do not
    vary.
    """
    error = jnp.sum(score_images(params, state, x, config, precision).error)
    target = pair_of(x, config)[1]
    total = jnp.sum((target - jnp.mean(target, axis=0)[None]) ** 2)
    return summary(error, total, firing_frequency(params, state, x, config, precision))


def summary(error: Float[Array, "..."], total: Float[Array, "..."], firing: Float[Array, "... f"]) -> SAEScores:
    """Scores of an autoencoder from sums over its rows: squared errors, squared deviations from the mean row, firing."""
    explained = jnp.where(total > 0, 1 - error / jnp.where(total > 0, total, 1.0), jnp.nan)
    dead = jnp.mean((firing == 0).astype(jnp.float32), axis=-1)
    return SAEScores(explained_variance=explained, dead_fraction=dead, firing_frequency=firing)
