"""What the weights of a variant are held to: which of them follow from others, and what is put right after each step.

A `Constraint` is three functions. ``derive(params, state) -> params`` computes weights from those that are learnt, inside the
gradient; ``project(params, config) -> params`` puts what is learnt back to where it may be, after each step, before the weights
are derived anew; ``redraw(params, rows [f, d], state) -> params`` starts every decoder row afresh in the directions of ``rows``.
`memjax.sae.variants` says which variant has which.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from memjax.sae.architecture import Architecture
from memjax.sae.model import ArchetypalParams, ArchetypalState, SAEParams, SAEState


class Constraint(NamedTuple):
    """See the module."""

    derive: Callable[[SAEParams, SAEState], SAEParams]
    project: Callable[[SAEParams, Architecture], SAEParams]
    redraw: Callable[[SAEParams, Array, SAEState], SAEParams]


def unit_rows(params: SAEParams) -> SAEParams:
    """Decoder rows at length 1."""
    length = jnp.linalg.norm(params.w_dec, axis=-1, keepdims=True)
    return params.replace(w_dec=params.w_dec / jnp.maximum(length, 1e-12))


def tangent(grads: SAEParams, params: SAEParams) -> SAEParams:
    """Without the part of the decoder's gradient that would only change its rows' length."""
    along = jnp.sum(grads.w_dec * params.w_dec, axis=-1, keepdims=True)
    return grads.replace(w_dec=grads.w_dec - along * params.w_dec)


def _as_they_are(params: SAEParams, state: SAEState) -> SAEParams:
    return params


def _unit_where_asked(params: SAEParams, config: Architecture) -> SAEParams:
    return unit_rows(params) if config.unit_norm else params


def _pointed(params: SAEParams, rows: Float[Array, "f d"], state: SAEState) -> SAEParams:
    return params.replace(w_dec=rows)


FREE = Constraint(_as_they_are, _unit_where_asked, _pointed)
"""Encoder and decoder are each learnt; decoder rows have length 1 where the config asks for it."""


def tied_encoder(params: SAEParams, state: SAEState) -> SAEParams:
    """The encoder is the decoder's transpose, without a bias."""
    return params.replace(w_enc=params.w_dec.T, b_enc=jnp.zeros_like(params.b_enc))


TIED = Constraint(tied_encoder, _unit_where_asked, _pointed)
"""The decoder is learnt, the encoder is its transpose."""


def mixed_decoder(params: SAEParams, state: SAEState) -> SAEParams:
    """``w_dec = mixture @ points + relaxation``."""
    assert isinstance(params, ArchetypalParams)
    assert isinstance(state, ArchetypalState)
    return params.replace(w_dec=params.mixture @ state.points + params.relaxation)


def into_relaxed_hull(params: SAEParams, config: Architecture) -> SAEParams:
    """Rows of the mixture not negative and of sum 1, rows of the relaxation no longer than ``delta``, as Fel et al. do it.

    What is negative becomes 0, and each row is divided by its sum; a row without a positive number weighs all candidates alike.
    """
    assert isinstance(params, ArchetypalParams)
    positive = jnp.maximum(params.mixture, 0)
    total = jnp.sum(positive, axis=1, keepdims=True)
    mixture = jnp.where(total > 0, positive / jnp.where(total > 0, total, 1), 1 / positive.shape[1])
    length = jnp.linalg.norm(params.relaxation, axis=1, keepdims=True)
    shrunk = params.relaxation * jnp.minimum(1.0, config.delta / jnp.maximum(length, 1e-12))
    return params.replace(mixture=mixture, relaxation=shrunk)


def _nearest_candidates(params: SAEParams, rows: Float[Array, "f d"], state: SAEState) -> SAEParams:
    """Each row at the candidate whose direction is nearest to the one asked for."""
    assert isinstance(params, ArchetypalParams)
    assert isinstance(state, ArchetypalState)
    lengths = jnp.maximum(jnp.linalg.norm(state.points, axis=1), 1e-12)
    nearest = jnp.argmax(rows @ state.points.T / lengths[None], axis=1)
    return mixed_decoder(
        params.replace(
            mixture=jax.nn.one_hot(nearest, len(state.points)), relaxation=jnp.zeros_like(params.relaxation)
        ),
        state,
    )


HULL = Constraint(mixed_decoder, into_relaxed_hull, _nearest_candidates)
"""Decoder rows lie in the convex hull of candidate points, or at most ``delta`` beside it: a mixture of them (not negative, sum
1) and a relaxation are learnt."""
