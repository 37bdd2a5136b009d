"""From pixels to scores: an encoder's pass and the weighted sum of what it makes, as one jitted, data-parallel program."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memjax import devices
from memjax.axes import Array, Image, Levels, Scalar
from memjax.encoder import Encoder
from memjax.levels import normalise_levels
from memjax.measure import Values, image_features
from memjax.metrics import METRICS
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams
from memjax.precision import Precision
from memjax.predictor.linear import Weights, weighted_sum
from memjax.predictor.places import Place, image_values_at
from memjax.preprocessing import Preprocessing
from memjax.selection import Selection
from memjax.traces import Layout

SCORE, DOMAIN = "score", "domain"
"""What the program gives of an image: what the encoder adds to its score, and its columns of the domain."""


class Scorer(NamedTuple):
    """What a program computes with: an encoder's parameters, and the weights of what it makes."""

    encoder: ViTParams
    weights: dict[str, Array]


@dataclass(frozen=True)
class Reading:
    """What is static under jit.

    Attributes:
        config, layout, precision: of the encoder.
        selection: what is made of an image.
        domain: places of the domain, of this encoder.
    """

    config: ViTConfig
    layout: Layout
    precision: Precision
    selection: Selection
    domain: tuple[Place, ...]


def reading_of(encoder: Encoder, names: tuple[str, ...], protocol: str, domain: tuple[Place, ...]) -> Reading:
    """How variables of some names are made of an image.

    Args:
        encoder: whose.
        names: token vectors and metrics.
        protocol: see `memjax.traces.Layout.under`.
        domain: its places of the domain.
    """
    metrics = tuple((name, METRICS[name]) for name in names if name in METRICS)
    tokens = tuple(name for name in names if name not in METRICS)
    layout = encoder.config.layout.under(protocol)
    return Reading(encoder.config, layout, encoder.precision, Selection(metrics, tokens), domain)


def image_values(params: ViTParams, image: Image, reading: Reading) -> Values:
    """Everything that is read of one image; pure."""
    return image_features(params, image, reading.config, reading.layout, reading.selection, reading.precision)


def score_function(weights: Weights, reading: Reading) -> Callable[[ViTParams, Image], Scalar]:
    """The pure function ``(params, image) -> what the encoder adds to the score``, for `jax.grad`, `jax.vmap` and `jax.jit`.

    Args:
        weights: of this encoder.
        reading: how what they weigh is made.
    """

    def score(params: ViTParams, image: Image) -> Scalar:
        return weighted_sum(weights, image_values(params, image, reading))

    return score


@functools.lru_cache(maxsize=16)
def compiled_scorer(
    reading: Reading, mesh: jax.sharding.Mesh, levels: Preprocessing
) -> Callable[[Scorer, Levels], dict[str, Array]]:
    """The program ``(scorer, grey levels) -> {"score": [b], "domain": [b, k]}``."""

    def one(scorer: Scorer, image: Array) -> dict[str, Array]:
        values = image_values(scorer.encoder, normalise_levels(image, levels), reading)
        seen = image_values_at(values, reading.domain)
        columns = jnp.concatenate(seen) if seen else jnp.zeros((0,))
        return {SCORE: weighted_sum(scorer.weights, values), DOMAIN: columns.astype(jnp.float32)}

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


def scorer_of(encoder: Encoder, weights: Weights) -> Scorer:
    """An encoder with the weights of what it makes, in float32."""
    return Scorer(encoder.params, {name: jnp.asarray(np.asarray(w, np.float32)) for name, w in weights.items()})
