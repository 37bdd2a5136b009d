"""Fit an ensemble to its end: epochs cut into segments, a checkpoint after each, resumed where the newest one stands.

An epoch is cut the same way whether or not the run is interrupted, so the same programs run on the same numbers: a killed and
resumed run ends with the weights of an uninterrupted one, bit for bit (on the same machine and number of devices).
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from memjax.checks import expected
from memjax.sae.candidates import candidate_points
from memjax.sae.checkpoint import Checkpoints, restore_checkpoint, save_checkpoint
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.divergence import check_finite
from memjax.sae.ensemble import (
    epoch_orders,
    init_members,
    placement,
    resample_members,
    schedule_for,
    train_members,
)
from memjax.sae.member import Hyper, Member, Recipe
from memjax.sae.standardiser import Moments, Standardiser, centring, moments, standardiser_of
from memjax.sae.stream import Stream, ahead

OnEpoch = Callable[[int, Member, np.ndarray], None]
"""``(epochs done, members, mean loss [m] of the last segment)``."""


def recipe_for(stream: Stream, sae: SAEConfig, fit: FitConfig) -> Recipe:
    """The recipe of a whole fit on a stream: its steps are those of ``fit.epochs`` passes over it."""
    return Recipe(sae, fit, fit.epochs * sum(stream.steps(fit.batch_size)))


def standardisers(stream: Stream, layers: Int[np.ndarray, " m"]) -> Standardiser:
    """Of each member, on its own training rows: nothing of a held-out image leaks in.

    Args:
        stream: read once.
        layers: each member's layer.
    """
    found: list[Moments | None] = [None] * len(layers)
    for block, data in ahead(stream.images.block, range(stream.images.blocks)):
        known: dict[tuple[int, bytes], Moments] = {}
        for member, (layer, mine) in enumerate(zip(layers.tolist(), stream.rows(block), strict=True)):
            key = (layer, mine.tobytes())
            if len(mine) and key not in known:
                known[key] = moments(data[layer][mine])
            if len(mine):
                before = found[member]
                found[member] = known[key] if before is None else before + known[key]
    each = [standardiser_of(m or Moments(0, np.zeros(0), np.zeros(0))) for m in found]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


def start_members(
    stream: Stream, layers: Int[np.ndarray, " m"], seeds: Int[np.ndarray, " m"], hyper: Hyper, recipe: Recipe
) -> Member:
    """Members before their first step; the fields of ``hyper`` are ``[m]`` too."""
    found, sae = standardisers(stream, layers), recipe.sae
    found = centring(found) if sae.row.tied else found
    points = candidate_points(stream, layers, found, sae.candidates) if sae.row.archetypal else None
    return init_members(jnp.asarray(seeds, jnp.int32), jnp.asarray(layers, jnp.int32), hyper, found, recipe, points)


def fit_members(
    members: Member,
    stream: Stream,
    recipe: Recipe,
    mesh: Mesh,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
) -> Member:
    """Train to the end, from the newest checkpoint where there is one.

    Args:
        members: from `start_members`.
        stream: raw representations, and each member's training rows.
        recipe, mesh: static.
        checkpoints: where they go, one after each segment; None: there are none.
        on_epoch: called after each epoch, before its last checkpoint is written, so after a kill it may be called again for the
            same epoch, with the same values.

    Returns:
        The trained members.

    Raises:
        InputError: the checkpoint is of another run, or damaged; the stream has no full batch.
        memjax.sae.divergence.DivergedError: a loss is no finite number; no checkpoint of that segment is written.
    """
    position, visits = 0, _visits_of(stream, recipe)
    if checkpoints is not None and (found := restore_checkpoint(checkpoints, members)) is not None:
        position, members = found
    count, size = members.seed.shape[0], recipe.fit.batch_size
    members = jax.device_put(members, placement(count, mesh))
    everywhere, schedule = NamedSharding(mesh, PartitionSpec()), schedule_for(count, size, mesh)
    for place, (visit, data) in enumerate(_placed(stream, visits[position:], everywhere), position):
        mine = jax.device_put(stream.rows(visit.block), everywhere)
        number = visit.epoch * stream.images.blocks + visit.block
        orders = epoch_orders(members.seed, number, mine, size)[:, visit.start : visit.start + recipe.segment]
        members, losses = train_members(members, data, orders, recipe, schedule)
        if visit.ends_epoch or checkpoints is not None:
            check_finite(np.asarray(losses), members, visit.epoch + 1)
        if visit.ends_epoch:
            if visit.epoch + 1 in recipe.fit.resample_epochs:
                members = resample_members(members, data, mine, recipe, mesh)
            if on_epoch is not None:
                on_epoch(visit.epoch + 1, members, np.asarray(losses))
        if checkpoints is not None:
            save_checkpoint(checkpoints, place + 1, members)
    if checkpoints is not None:
        checkpoints.manager.wait_until_finished()
    return members


def epochs_before(stream: Stream, recipe: Recipe, position: int) -> int:
    """How many epochs have ended when so many segments are done: the position of a checkpoint."""
    return sum(visit.ends_epoch for visit in _visits_of(stream, recipe)[:position])


class _Visit(NamedTuple):
    """A segment of a block of an epoch; ``start`` is its first step inside the block."""

    epoch: int
    block: int
    start: int
    ends_epoch: bool


def _visits_of(stream: Stream, recipe: Recipe) -> list[_Visit]:
    """Every segment of the fit, in order.

    Raises:
        InputError: there is none.
    """
    steps = stream.steps(recipe.fit.batch_size)
    epochs = range(recipe.fit.epochs)
    visits = [v for epoch in epochs for v in _visits(stream.order(epoch), epoch, steps, recipe.segment)]
    if not visits:
        size = recipe.fit.batch_size
        raise expected("batch size", "at most the training rows of a block", size, argument="batch_size")
    return visits


def _visits(order: list[int], epoch: int, steps: list[int], segment: int) -> list[_Visit]:
    parts = [(block, start) for block in order for start in range(0, steps[block], segment)]
    return [_Visit(epoch, block, start, i == len(parts) - 1) for i, (block, start) in enumerate(parts)]


def _placed(stream: Stream, visits: list[_Visit], where: NamedSharding) -> Iterator[tuple[_Visit, jax.Array]]:
    """Each visit with its block on the devices; a block is read once for all of its segments, one block only once."""
    read = cache(stream.images.block) if stream.images.blocks == 1 else stream.images.block
    runs = [(block, list(run)) for block, run in groupby(visits, key=lambda visit: visit.block)]
    held: tuple[int, jax.Array] | None = None
    for (_, run), (block, rows) in zip(runs, ahead(read, [block for block, _ in runs]), strict=True):
        if held is None or held[0] != block:
            held = block, jax.device_put(rows, where)
        yield from ((visit, held[1]) for visit in run)
