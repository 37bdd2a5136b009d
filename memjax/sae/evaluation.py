"""Every image under every member of an ensemble, whether its tokens fit in memory or are read block by block."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from memjax.precision import Precision
from memjax.sae.config import SAEConfig
from memjax.sae.ensemble import firing_members, score_members
from memjax.sae.member import Member
from memjax.sae.presets import SPACES
from memjax.sae.score import ImageScores, SAEScores, summary
from memjax.sae.standardiser import Moments, moments
from memjax.sae.stream import ImageTokens, ahead


class Evaluation(NamedTuple):
    """Scores of an ensemble's members.

    Attributes:
        images: space (``standardised``, ``raw``) -> per-image scores, NumPy ``[m, n]`` each; means over an image's tokens.
        members: per autoencoder, over all rows in its standardised space, ``[m]``.
    """

    images: dict[str, ImageScores]
    members: SAEScores


def evaluate(
    members: Member, images: ImageTokens, sae: SAEConfig, mesh: Mesh, precision: Precision = "highest"
) -> Evaluation:
    """One pass over the images.

    Args:
        members: an ensemble.
        images: all of them, trained on or not.
        sae, mesh: static.
        precision: of the autoencoders' products, that of the fit; what is summed over rows is float64.

    Returns:
        The scores; where an image has several tokens, the mean over them.
    """
    found: dict[str, list[ImageScores]] = {space: [] for space in SPACES}
    spread: list[Moments] | None = None
    firing: list[np.ndarray] = []
    for _, data in ahead(images.block, range(images.blocks)):
        placed = jax.device_put(data, NamedSharding(mesh, PartitionSpec()))
        for space in SPACES:
            scores = score_members(members, placed, sae, space, mesh, precision)
            found[space].append(jax.tree.map(lambda a: _by_image(np.asarray(a), images.tokens), scores))
        firing.append(np.asarray(firing_members(members, placed, sae, mesh, precision)))
        mine = [moments(rows) for rows in data]
        spread = mine if spread is None else [a + b for a, b in zip(spread, mine, strict=True)]
    assert spread is not None, "an ensemble is trained on images"
    scores = {s: jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *parts) for s, parts in found.items()}
    share = np.array([images.span(block).stop - images.span(block).start for block in range(images.blocks)]) / images.n
    error = scores["standardised"].error.sum(axis=1, dtype=np.float64) * images.tokens
    total = _deviations(members, spread, sae)
    rates = np.einsum("b,bmf->mf", share, np.stack(firing))
    return Evaluation(scores, summary(*(jnp.asarray(a, jnp.float32) for a in (error, total, rates))))


def _by_image(rows: np.ndarray, tokens: int) -> np.ndarray:
    return rows if tokens == 1 else rows.reshape(len(rows), -1, tokens).mean(axis=2)


def _deviations(members: Member, spread: list[Moments], sae: SAEConfig) -> np.ndarray:
    """Sum of squared deviations of what is decoded from its mean, in each member's standardised space, ``[m]``."""
    squares = np.stack([moments.squares for moments in spread])[np.asarray(members.layer)]
    scaled = squares / np.asarray(members.standardiser.std, np.float64) ** 2
    return scaled[:, -sae.decoded_width :].sum(axis=1)
