"""Starting points, one function per kind, all of one signature: torch's ``Linear``, or a decoder of unit rows with the encoder
as its transpose, which in a transcoder is drawn by itself.

``initialise(key, config, centre [o] or None) -> SAEParams`` in float32. ``centre`` is where the decoder's bias starts (the mean
of what is decoded, say), zero when left out; `untied` draws its bias and does not use it.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.architecture import Architecture
from memjax.sae.model import ArchetypalParams, SAEParams

FIRST_THRESHOLD = 0.1
"""Where ``jumprelu`` starts; low enough that nothing is cut off at first on standardised input."""


def torch_linear(key: Array, fan_in: int, shape: tuple[int, ...]) -> Array:
    """Uniform on ``±1/sqrt(fan_in)``: what ``torch.nn.Linear`` draws for its weight and for its bias.

    torch calls ``kaiming_uniform_(a=sqrt(5))`` for the weight, whose bound is ``sqrt(6 / ((1 + 5) fan_in))``: the same.
    """
    bound = 1 / math.sqrt(fan_in)
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


def untied(key: Array, config: Architecture, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """Encoder and decoder each as torch's Linear."""
    d, f, o = config.width, config.latents, config.decoded_width
    keys = jax.random.split(key, 4)
    return SAEParams(
        w_enc=torch_linear(keys[0], d, (d, f)),
        b_enc=torch_linear(keys[1], d, (f,)),
        w_dec=torch_linear(keys[2], f, (f, o)),
        b_dec=torch_linear(keys[3], f, (o,)),
    )


def directions(key: Array, count: int, width: int) -> Array:
    """Rows of length 1 in random directions."""
    rows = jax.random.normal(key, (count, width), jnp.float32)
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)


def tied(key: Array, config: Architecture, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """Decoder rows of length 1 in random directions, the encoder their transpose, biases 0 (the decoder's: ``centre``).

    A transcoder's encoder and decoder are in spaces of their own, so each has its own directions.
    """
    f, o, keys = config.latents, config.decoded_width, jax.random.split(key, 4)
    rows = directions(keys[0], f, config.width)
    decoder = directions(keys[1], f, o) if config.transcodes else rows
    bias = jnp.zeros((o,), jnp.float32) if centre is None else centre
    return SAEParams(w_enc=rows.T, b_enc=jnp.zeros((f,), jnp.float32), w_dec=decoder, b_dec=bias)


def tied_with_thresholds(key: Array, config: Architecture, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """`tied`, and every threshold at `FIRST_THRESHOLD`."""
    start = jnp.full((config.latents,), math.log(FIRST_THRESHOLD), jnp.float32)
    return tied(key, config, centre).replace(log_threshold=start)


def tied_with_gate(key: Array, config: Architecture, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """`tied`, and a magnitude that starts equal to the gate."""
    zeros = jnp.zeros((config.latents,), jnp.float32)
    return tied(key, config, centre).replace(r_mag=zeros, b_mag=zeros)


def tied_with_mixture(key: Array, config: Architecture, centre: Float[Array, " o"] | None = None) -> SAEParams:
    """`tied`, and mixtures of candidates that are not known yet (`at_candidates`): each a candidate of its own, drawn.

    Where there are fewer candidates than latents, each further one is the middle of two.
    """
    f, c = config.latents, config.candidates
    drawn, paired = jax.random.split(jax.random.fold_in(key, 1))
    first = jax.nn.one_hot(jax.random.permutation(drawn, c)[jnp.arange(f) % c], c)
    second = jax.nn.one_hot(jax.random.randint(paired, (f,), 0, c), c)
    mixture = jnp.where(jnp.arange(f)[:, None] < c, first, (first + second) / 2)
    relaxation = jnp.zeros((f, config.width), jnp.float32)
    return ArchetypalParams(**vars(tied(key, config, centre)), mixture=mixture, relaxation=relaxation)


def at_candidates(params: SAEParams, points: Float[Array, "c d"]) -> SAEParams:
    """`tied_with_mixture` once the candidates are known: decoder rows there, the encoder gives the projection on each row."""
    assert isinstance(params, ArchetypalParams), "only archetypal has candidates"
    rows = params.mixture @ points
    squared = jnp.maximum(jnp.sum(rows**2, axis=1, keepdims=True), 1e-12)
    return params.replace(w_dec=rows, w_enc=(rows / squared).T)
