"""Many autoencoders at once: layers x seeds x hyper-parameters x folds of one encoder, in one jitted program.

The members are independent, so they are shared out over the devices of a one-axis mesh without any exchange; where they are
fewer than the devices and batches are large, each batch is shared out instead (`split_batches`). On each device
``at_once`` of them run side by side (`jax.vmap`), one such group after the other (`jax.lax.map`): on a CPU one at a time, so
that a member's weights and moments stay in the core's cache for all of its steps; on an accelerator all together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, PyTree

from memjax.precision import Precision
from memjax.sae.config import SAEConfig
from memjax.sae.member import Hyper, Member, Recipe, epoch_order, init_member, train_steps
from memjax.sae.resampling import resample
from memjax.sae.score import ImageScores, firing_frequency, score_images
from memjax.sae.standardiser import Standardiser, standardise

Tree = TypeVar("Tree")

SPLIT_FROM = 256
"""Rows per device from which sharing out a batch is worth the sums of gradients between devices."""


@dataclass(frozen=True)
class Schedule:
    """Where and in which groups the members of an ensemble run; hashable, and static under jit.

    Attributes:
        mesh: the devices, on one axis.
        at_once: members that run side by side on a device.
        split: share out the rows of each batch over the devices, not the members.
    """

    mesh: Mesh
    at_once: int = 1
    split: bool = False


def schedule_for(members: int, batch_size: int, mesh: Mesh) -> Schedule:
    """The schedule that was measured best for so many members (see the module)."""
    return Schedule(mesh, default_at_once(members), split_batches(members, batch_size, mesh))


def default_at_once(members: int) -> int:
    """One on CPU, all on accelerators (see the module)."""
    return 1 if jax.default_backend() == "cpu" else members


def split_batches(members: int, batch_size: int, mesh: Mesh) -> bool:
    """Whether to share out each batch over the devices instead of the members: few members, and batches worth it."""
    return members < mesh.size and batch_size % mesh.size == 0 and batch_size >= SPLIT_FROM * mesh.size


def placement(members: int, mesh: Mesh) -> NamedSharding:
    """Where arrays with a leading member axis live: shared out, if they divide evenly, else on every device."""
    return NamedSharding(mesh, PartitionSpec("data") if members % mesh.size == 0 else PartitionSpec())


@partial(jax.jit, static_argnames="recipe")
def init_members(
    seeds: Int[Array, " m"],
    layers: Int[Array, " m"],
    hyper: Hyper,
    standardisers: Standardiser,
    recipe: Recipe,
    points: Float[Array, "m c d"] | None = None,
) -> Member:
    """All members before their first step; a member's weights depend on its seed and its ``points``, not on its place."""
    one = partial(init_member, recipe=recipe)
    return jax.vmap(one)(seeds, layers, hyper, standardisers, points=points)


@partial(jax.jit, static_argnames="batch_size")
def epoch_orders(
    seeds: Int[Array, " m"], epoch: int | Int[Array, ""], rows: Int[Array, "m r"], batch_size: int
) -> Int[Array, "m s b"]:
    """`memjax.sae.member.epoch_order` of every member; ``rows`` are each member's training rows (equally many)."""
    return jax.vmap(lambda seed, mine: epoch_order(seed, jnp.asarray(epoch, jnp.int32), mine, batch_size))(seeds, rows)


def _pad(tree: Tree, size: int) -> Tree:
    """Repeat the last member until there are ``size``."""
    return jax.tree.map(lambda a: jnp.concatenate([a, jnp.repeat(a[-1:], size - len(a), axis=0)]), tree)


def over_members(
    one: Callable[..., Tree], data: Array, members: Member, *each: Array, mesh: Mesh, at_once: int = 1
) -> Tree:
    """Apply ``one(data, member, *rows)`` to all members, shared out over the mesh; ``each`` has a leading member axis too."""
    count = members.seed.shape[0]
    padded = -(-count // mesh.size) * mesh.size
    trees = (members, *each) if padded == count else _pad((members, *each), padded)

    def local(shared: Array, mine: PyTree) -> Tree:
        size = None if at_once == 1 else at_once
        return jax.lax.map(lambda args: one(shared, *args), mine, batch_size=size)

    specs = PartitionSpec(), PartitionSpec("data")
    out = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=specs[1], check_vma=False)(data, trees)
    # Placed as the inputs are, so that the next call is not compiled anew.
    return jax.lax.with_sharding_constraint(jax.tree.map(lambda a: a[:count], out), placement(count, mesh))


@partial(jax.jit, static_argnames=("recipe", "schedule"), donate_argnames="members")
def train_members(
    members: Member, data: Float[Array, "l n d"], orders: Int[Array, "m s b"], recipe: Recipe, schedule: Schedule
) -> tuple[Member, Float[Array, " m"]]:
    """A run of steps of every member.

    Args:
        members: donated: use the returned ones afterwards.
        data: raw representations ``[l, n, d]``, float32; or one streamed block of them.
        orders: rows of ``data`` for each member, step and place in the batch (`epoch_orders`).
        recipe, schedule: static.

    Returns:
        The members after their last step, and each one's mean loss over these steps.
    """
    shared = NamedSharding(schedule.mesh, PartitionSpec("data"))

    def one(data: Array, member: Member, order: Int[Array, "s b"]) -> tuple[Member, Float[Array, ""]]:
        place = partial(jax.lax.with_sharding_constraint, shardings=shared) if schedule.split else None
        return train_steps(member, data, order, recipe, place)

    if schedule.split:
        return jax.lax.map(lambda args: one(data, *args), (members, orders))
    return over_members(one, data, members, orders, mesh=schedule.mesh, at_once=schedule.at_once)


@partial(jax.jit, static_argnames=("sae", "space", "mesh", "precision"))
def score_members(
    members: Member,
    data: Float[Array, "l n d"],
    sae: SAEConfig,
    space: str,
    mesh: Mesh,
    precision: Precision = "highest",
) -> ImageScores:
    """Every image under every member, ``[m, n]`` per score; ``space`` is ``standardised`` or ``raw`` (see the paper)."""

    def one(data: Array, member: Member) -> ImageScores:
        x = data[member.layer]
        x = standardise(member.standardiser, x) if space == "standardised" else x
        return score_images(member.params, member.state, x, sae, precision)

    return over_members(one, data, members, mesh=mesh)


@partial(jax.jit, static_argnames=("recipe", "mesh"))
def resample_members(
    members: Member, data: Float[Array, "l n d"], rows: Int[Array, "m r"], recipe: Recipe, mesh: Mesh
) -> Member:
    """Dead latents of every member drawn anew from its training rows (`memjax.sae.resampling.resample`)."""

    def one(data: Array, member: Member, mine: Int[Array, " r"]) -> Member:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(member.seed), 2), member.step)
        x = standardise(member.standardiser, data[member.layer, mine])
        return resample(key, member, x, recipe)

    return over_members(one, data, members, rows, mesh=mesh)


@partial(jax.jit, static_argnames=("sae", "mesh", "precision"))
def firing_members(
    members: Member, data: Float[Array, "l n d"], sae: SAEConfig, mesh: Mesh, precision: Precision = "highest"
) -> Float[Array, "m f"]:
    """`memjax.sae.score.firing_frequency` of every member over the rows, in its standardised space."""

    def one(data: Array, member: Member) -> Float[Array, " f"]:
        x = standardise(member.standardiser, data[member.layer])
        return firing_frequency(member.params, member.state, x, sae, precision)

    return over_members(one, data, members, mesh=mesh)
