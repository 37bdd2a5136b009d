"""One autoencoder in training: its state (`Member`), one step, a run of steps. Pure functions; jit and vmap them outside."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, Int

from memjax.axes import Leaf, Scalar
from memjax.precision import products_at
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.constraints import tangent
from memjax.sae.dead import observe
from memjax.sae.init import init_params, init_state
from memjax.sae.initialisers import at_candidates
from memjax.sae.model import SAEParams, SAEState
from memjax.sae.optimise import make_optimiser, update
from memjax.sae.reconstruction import objective
from memjax.sae.standardiser import Standardiser, standardise

SEGMENT = 2000
"""Steps between checkpoints."""


@dataclass(frozen=True)
class Recipe:
    """What is trained, how, and for how long; hashable, and static under jit.

    Attributes:
        sae: the architecture and its variant.
        fit: batch size, epochs, schedule.
        total_steps: updates of one autoencoder in all: where the learning rate's decay ends.
        segment: updates of one program call; a checkpoint may be written after each.
    """

    sae: SAEConfig
    fit: FitConfig
    total_steps: int
    segment: int = SEGMENT

    def optimiser(self, learning_rate: float | Scalar) -> optax.GradientTransformation:
        """AdamW with the fit's schedule (`memjax.sae.optimise`)."""
        return make_optimiser(learning_rate, self.fit, self.total_steps)


@struct.dataclass
class Hyper:
    """What may differ between the members of one ensemble."""

    learning_rate: Leaf  # one number
    sparsity: Leaf  # one number


@struct.dataclass
class Member:
    """Everything that one autoencoder's training carries; an ensemble is the same with a leading axis ``m``.

    ``layer`` says which layer of the data it reads, ``step`` how many updates it has had.
    """

    params: SAEParams
    opt_state: optax.OptState
    state: SAEState
    hyper: Hyper
    standardiser: Standardiser
    layer: Leaf  # one number
    seed: Leaf  # one number
    step: Leaf  # one number


def init_member(
    seed: Int[Array, ""],
    layer: Int[Array, ""],
    hyper: Hyper,
    standardiser: Standardiser,
    recipe: Recipe,
    points: Float[Array, "c d"] | None = None,
) -> Member:
    """A member before its first step; inputs are standardised, so the decoder's bias starts at 0.

    ``points`` are the candidates of ``archetypal`` (`memjax.sae.candidates`).
    """
    params, state = init_params(jax.random.key(seed), recipe.sae), init_state(recipe.sae)
    if points is not None:
        params, state = at_candidates(params, points), state.replace(points=points)
    return Member(
        params=params,
        opt_state=recipe.optimiser(hyper.learning_rate).init(params),
        state=state,
        hyper=hyper,
        standardiser=standardiser,
        layer=layer,
        seed=seed,
        step=jnp.zeros((), jnp.int32),
    )


def train_step(member: Member, x: Float[Array, "b w"], recipe: Recipe) -> tuple[Member, Float[Array, ""]]:
    """One AdamW update on one batch of standardised inputs.

    Args:
        member: from `init_member` or an earlier step.
        x: standardised inputs; of a transcoder, each with its standardised target behind it.
        recipe: static.

    Returns:
        The member after the update, and the loss before it.
    """
    params, sae = member.params, recipe.sae
    value_and_grad = jax.value_and_grad(objective, has_aux=True)
    (loss, out), grads = value_and_grad(params, x, member.state, sae, member.hyper.sparsity, recipe.fit.precision)
    if sae.unit_norm:
        grads = tangent(grads, params)
    params, opt_state = update(recipe.optimiser(member.hyper.learning_rate), grads, member.opt_state, params)
    with products_at(recipe.fit.precision):
        params = sae.row.constraint.derive(sae.row.constraint.project(params, sae), member.state)
    state = observe(member.state, out, sae)
    return member.replace(params=params, opt_state=opt_state, state=state, step=member.step + 1), loss


def train_steps(
    member: Member,
    data: Float[Array, "l n d"],
    order: Int[Array, "s b"],
    recipe: Recipe,
    place: Callable[[Array], Array] | None = None,
) -> tuple[Member, Float[Array, ""]]:
    """A scan of `train_step` over the rows of ``order``.

    Args:
        member: one member.
        data: raw representations of all layers; the member reads ``data[member.layer]`` through its standardiser.
        order: rows of ``data`` for each step.
        recipe: static.
        place: says on which devices the rows of a batch are computed.

    Returns:
        The member after the last step, and the mean loss over the steps.
    """

    def body(carry: Member, rows: Int[Array, " b"]) -> tuple[Member, Float[Array, ""]]:
        raw = data[carry.layer, rows]
        return train_step(carry, standardise(carry.standardiser, raw if place is None else place(raw)), recipe)

    member, losses = jax.lax.scan(body, member, order)
    return member, jnp.mean(losses)


def epoch_order(
    seed: Int[Array, ""], epoch: Int[Array, ""], rows: Int[Array, " r"], batch_size: int
) -> Int[Array, "s b"]:
    """The training rows in a fresh order, cut into batches; a last batch that is not full is left out.

    The order depends on the seed and the epoch alone, so a resumed run sees what an uninterrupted one does.
    """
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), epoch)
    steps = rows.shape[0] // batch_size
    return jax.random.permutation(key, rows)[: steps * batch_size].reshape(steps, batch_size)
