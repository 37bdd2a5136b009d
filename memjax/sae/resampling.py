"""Dead latents drawn anew, where the fit asks for it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from memjax.sae.member import Member, Recipe
from memjax.sae.model import SAEParams, pair_of
from memjax.sae.reconstruction import reconstruct

ENCODER_SHARE = 0.2
"""Length of a redrawn encoder column, as a share of the living ones' mean (Bricken et al. 2023)."""


def resample(key: Array, member: Member, x: Float[Array, "n w"], recipe: Recipe) -> Member:
    """Point dead latents at inputs that are badly reconstructed, and forget their moments.

    An input is drawn with probability proportional to its squared loss; the decoder row becomes its residual's direction,
    the encoder column the same (of a transcoder: the input's) with a fifth of the living ones' mean length, the bias 0; within
    the variant's constraint (`memjax.sae.constraints`).

    Args:
        key: a JAX key.
        member: one autoencoder in training.
        x: standardised inputs to draw from; of a transcoder, each with its standardised target behind it.
        recipe: says when a latent counts as dead, and has the optimiser.

    Returns:
        The member; unchanged where no latent is dead.

    Reference: Bricken et al. 2023, "Towards Monosemanticity", appendix on neuron resampling.
    """
    params, state, constraint = member.params, member.state, recipe.sae.row.constraint
    dead = state.idle >= recipe.sae.dead_after
    inputs, target = pair_of(x, recipe.sae)
    residual = target - reconstruct(params, inputs, state, recipe.sae, precision=recipe.fit.precision).recons
    loss = jnp.sum(residual**2, axis=1)
    drawn = jax.random.categorical(key, 2 * jnp.log(loss + 1e-30), shape=(recipe.sae.latents,))
    rows = unit_length(residual[drawn])
    read = unit_length(inputs[drawn]) if recipe.sae.transcodes else rows
    lengths = jnp.linalg.norm(params.w_enc, axis=0)
    alive = jnp.maximum(jnp.sum(~dead), 1).astype(lengths.dtype)
    length = ENCODER_SHARE * jnp.sum(jnp.where(dead, 0.0, lengths)) / alive
    new = params.replace(
        w_enc=jnp.where(dead[None], length * read.T, params.w_enc),
        b_enc=jnp.where(dead, 0.0, params.b_enc),
        **_by_latent(
            lambda old, fresh: jnp.where(dead[:, None], fresh, old), params, constraint.redraw(params, rows, state)
        ),
    )
    new = constraint.derive(new, state)
    optimiser = recipe.optimiser(member.hyper.learning_rate)
    kept = living(params, ~dead)
    moments = optax.tree.map_params(optimiser, lambda moment, kept: moment * kept, member.opt_state, kept)
    return member.replace(params=new, opt_state=moments, state=state.replace(idle=jnp.where(dead, 0, state.idle)))


def unit_length(rows: Float[Array, "f d"]) -> Float[Array, "f d"]:
    """Each row at length 1; one without length stays."""
    return rows / jnp.maximum(jnp.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def living(params: SAEParams, live: Bool[Array, " f"]) -> SAEParams:
    """1 for the numbers of living latents (and for what belongs to none), 0 for those of dead ones, in float32."""
    return jax.tree.map(jnp.ones_like, params).replace(
        w_enc=jnp.broadcast_to(live[None], params.w_enc.shape).astype(jnp.float32),
        b_enc=live.astype(jnp.float32),
        **_by_latent(lambda a: jnp.broadcast_to(live[:, None], a.shape).astype(jnp.float32), params),
    )


def _by_latent(change: Callable[..., Array], *each: SAEParams) -> dict[str, Array]:
    """What becomes of the matrices that have a row for each latent, by field."""
    names = [name for name in ("w_dec", "mixture", "relaxation") if hasattr(each[0], name)]
    return {name: change(*(getattr(params, name) for params in each)) for name in names}
