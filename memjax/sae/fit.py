"""Fit an ensemble to its end: epochs cut into segments, a checkpoint after each, resumed where the newest one stands.

An epoch is cut the same way whether or not the run is interrupted, so the same programs run on the same numbers: a killed and
resumed run ends with the weights of an uninterrupted one, bit for bit (on the same machine and number of devices).
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from memjax.checks import expected
from memjax.sae.checkpoint import restore, save
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.ensemble import (
    default_at_once,
    epoch_orders,
    init_members,
    placement,
    resample_members,
    split_batches,
    train_members,
)
from memjax.sae.standardise import Moments, Standardiser, moments, standardiser_of
from memjax.sae.stream import Stream, ahead
from memjax.sae.train import Hyper, Member

SEGMENT = 2000
"""Steps between checkpoints."""


def steps_in_all(stream: Stream, fit: FitConfig) -> int:
    """Updates of one member over the whole fit."""
    return fit.epochs * sum(stream.steps(fit.batch_size))


def standardisers(stream: Stream, layers: np.ndarray) -> Standardiser:
    """Of each member, on its own training rows: nothing of a held-out image leaks in.

    Args:
        stream: read once.
        layers: each member's layer ``[m]``.
    """
    found: list[Moments | None] = [None] * len(layers)
    for block, data in ahead(stream.images.block, range(stream.images.blocks)):
        cache: dict[tuple[int, bytes], Moments] = {}
        for member, (layer, mine) in enumerate(zip(layers.tolist(), stream.rows(block), strict=True)):
            key = (layer, mine.tobytes())
            if len(mine) and key not in cache:
                cache[key] = moments(data[layer][mine])
            if len(mine):
                before = found[member]
                found[member] = cache[key] if before is None else before + cache[key]
    each = [standardiser_of(m or Moments(0, np.zeros(0), np.zeros(0))) for m in found]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


def start_members(
    stream: Stream, layers: np.ndarray, seeds: np.ndarray, hyper: Hyper, sae: SAEConfig, fit: FitConfig
) -> Member:
    """Members before their first step: ``layers``, ``seeds`` and ``hyper`` are ``[m]``."""
    found = standardisers(stream, layers)
    seeds, layers = jnp.asarray(seeds, jnp.int32), jnp.asarray(layers, jnp.int32)
    return init_members(seeds, layers, hyper, found, sae, fit, steps_in_all(stream, fit))


def fit_members(
    members: Member,
    stream: Stream,
    sae: SAEConfig,
    fit: FitConfig,
    mesh: Mesh,
    manager: ocp.CheckpointManager | None = None,
    about: dict[str, Any] | None = None,
    on_epoch: Callable[[int, Member, np.ndarray], None] | None = None,
    segment: int = SEGMENT,
) -> Member:
    """Train to the end, from the newest checkpoint where there is one.

    Args:
        members: from `start_members`.
        stream: raw representations, and each member's training rows.
        sae, fit, mesh: static.
        manager, about: where checkpoints go and what they say of this run; None: no checkpoints.
        on_epoch: called as ``(epochs done, members, mean loss [m] of the last segment)`` before the epoch's last checkpoint,
            so after a kill it may be called again for the same epoch, with the same values.
        segment: steps between checkpoints.

    Returns:
        The trained members.

    Raises:
        InputError: the checkpoint is of another run, or damaged; the stream has no full batch.
    """
    steps = stream.steps(fit.batch_size)
    visits = [visit for epoch in range(fit.epochs) for visit in _visits(stream.order(epoch), epoch, steps, segment)]
    if not visits:
        raise expected("batch size", "at most the training rows of a block", fit.batch_size)
    position = 0
    if manager is not None and (found := restore(manager, members, about or {})) is not None:
        position, members = found
    count, total = members.seed.shape[0], steps_in_all(stream, fit)
    members = jax.device_put(members, placement(count, mesh))
    everywhere, at_once = NamedSharding(mesh, PartitionSpec()), default_at_once(count)
    split = split_batches(count, fit.batch_size, mesh)
    for place, (visit, data) in enumerate(_placed(stream, visits[position:], everywhere), position):
        mine = jax.device_put(stream.rows(visit.block), everywhere)
        number = visit.epoch * stream.images.blocks + visit.block
        orders = epoch_orders(members.seed, number, mine, fit.batch_size)[:, visit.start : visit.start + segment]
        members, losses = train_members(members, data, orders, sae, fit, total, mesh, at_once, split)
        if visit.ends_epoch:
            if visit.epoch + 1 in fit.resample_epochs:
                members = resample_members(members, data, mine, sae, fit, total, mesh)
            if on_epoch is not None:
                on_epoch(visit.epoch + 1, members, np.asarray(losses))
        if manager is not None:
            save(manager, place + 1, members, about or {})
    if manager is not None:
        manager.wait_until_finished()
    return members


class _Visit(NamedTuple):
    """A segment of a block of an epoch; ``start`` is its first step inside the block."""

    epoch: int
    block: int
    start: int
    ends_epoch: bool


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
