"""Latents of images from their token vectors, a bounded number of rows at a time."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from memjax.latents.settings import Pool
from memjax.sae.trained import TrainedSAE

BYTES = 64
"""Of one latent of one row while it is encoded and its firings are listed: what XLA holds, the dense value, two positions."""


def rows_at_once(sae: TrainedSAE, memory: int) -> int:
    """Rows whose latents fit into so many bytes; at least one."""
    return max(1, memory // (BYTES * sae.config.latents))


def pooled_latents(sae: TrainedSAE, x: Float[np.ndarray, "b p d"], pool: Pool, rows: int) -> Float[np.ndarray, "b f"]:
    """Each latent of each image: the largest value over its tokens, or the mean.

    Args:
        sae: takes raw vectors.
        x: token vectors of images; one token, or every patch.
        pool: of the tokens.
        rows: that are encoded at once.

    Example:
        >>> from memjax import sae
        >>> x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        >>> one = sae.fit(x, sae.modern("topk", width=6, rows=40, latents=8, epochs=1, batch_size=10), progress=False).saes[0]
        >>> whole = np.asarray(one.encode(x)).reshape(10, 4, 8).max(axis=1)
        >>> np.allclose(pooled_latents(one, x.reshape(10, 4, 6), "max", 6), whole, atol=1e-5)
        True
    """
    tokens, found = x.shape[1], np.empty((len(x), sae.config.latents), np.float32)
    images = min(max(1, rows // tokens), _power_of_two(len(x)))
    step = tokens if tokens <= rows else rows
    for start in range(0, len(x), images):
        part = x[start : start + images]
        few = np.zeros((images - len(part), *x.shape[1:]), np.float32)  # one shape, so one compiled program
        part = np.concatenate([part, few]) if len(few) else part
        pieces = [_reduced(sae, part[:, at : at + step], pool) for at in range(0, tokens, step)]
        whole = np.max(pieces, axis=0) if pool == "max" else np.sum(pieces, axis=0) / np.float32(tokens)
        found[start : start + images] = whole[: len(found) - start]
    return found


def token_latents(sae: TrainedSAE, x: Float[np.ndarray, "p d"], latents: np.ndarray) -> Float[np.ndarray, "p g"]:
    """Some latents of each token of one image."""
    return np.asarray(sae.encode(x)[:, jnp.asarray(latents)])


def _reduced(sae: TrainedSAE, x: Float[np.ndarray, "b p d"], pool: Pool) -> np.ndarray:
    """Over the tokens given: the largest, or the sum."""
    latents: Array = sae.encode(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:2], -1)
    return np.asarray(latents.max(axis=1) if pool == "max" else latents.sum(axis=1))


def _power_of_two(count: int) -> int:
    return 1 << max(count - 1, 0).bit_length()
