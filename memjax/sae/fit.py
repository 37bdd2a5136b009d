"""Fit an ensemble to its end: epochs cut into segments, a checkpoint after each, resumed where the newest one stands.

An epoch is cut the same way whether or not the run is interrupted, so the same programs run on the same numbers: a killed and
resumed run ends with the weights of an uninterrupted one, bit for bit (on the same machine and number of devices).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from memjax.sae.checkpoint import restore, save
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.ensemble import default_at_once, epoch_orders, init_members, placement, resample_members, train_members
from memjax.sae.standardise import Standardiser, fit_standardiser
from memjax.sae.train import Hyper, Member

SEGMENT = 2000
"""Steps between checkpoints."""


def steps_in_all(rows: int, fit: FitConfig) -> int:
    """Updates of one member over the whole fit."""
    return fit.epochs * (rows // fit.batch_size)


def standardisers(data: np.ndarray, layers: np.ndarray, rows: np.ndarray) -> Standardiser:
    """Of each member, on its own training rows: nothing of a held-out image leaks in.

    Args:
        data: ``[l, n, d]``.
        layers: each member's layer ``[m]``.
        rows: each member's training rows ``[m, r]``.
    """
    cache: dict[tuple[int, bytes], Standardiser] = {}
    each = []
    for layer, mine in zip(layers.tolist(), rows):
        key = (layer, mine.tobytes())
        if key not in cache:
            cache[key] = fit_standardiser(data[layer][mine])
        each.append(cache[key])
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


def start_members(
    data: np.ndarray,
    layers: np.ndarray,
    seeds: np.ndarray,
    rows: np.ndarray,
    hyper: Hyper,
    sae: SAEConfig,
    fit: FitConfig,
) -> Member:
    """Members before their first step: ``layers``, ``seeds`` and ``hyper`` are ``[m]``, ``rows`` ``[m, r]``."""
    found = standardisers(data, layers, rows)
    seeds, layers = jnp.asarray(seeds, jnp.int32), jnp.asarray(layers, jnp.int32)
    return init_members(seeds, layers, hyper, found, sae, fit, steps_in_all(rows.shape[1], fit))


def fit_members(
    members: Member,
    data: np.ndarray,
    rows: np.ndarray,
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
        data: ``[l, n, d]`` raw representations.
        rows: training rows of each member ``[m, r]``.
        sae, fit, mesh: static.
        manager, about: where checkpoints go and what they say of this run; None: no checkpoints.
        on_epoch: called as ``(epochs done, members, mean loss [m] of the last segment)`` before the epoch's last checkpoint,
            so after a kill it may be called again for the same epoch, with the same values.
        segment: steps between checkpoints.

    Returns:
        The trained members.

    Raises:
        InputError: the checkpoint is of another run, or damaged.
    """
    total, per_epoch = steps_in_all(rows.shape[1], fit), rows.shape[1] // fit.batch_size
    segments = -(-per_epoch // segment)
    position = 0
    if manager is not None and (found := restore(manager, members, about or {})) is not None:
        position, members = found
    members = jax.device_put(members, placement(rows.shape[0], mesh))
    placed, mine = jax.device_put((data, rows), NamedSharding(mesh, PartitionSpec()))
    at_once = default_at_once(rows.shape[0])
    for place in range(position, fit.epochs * segments):
        epoch, part = divmod(place, segments)
        orders = epoch_orders(members.seed, epoch, mine, fit.batch_size)[:, part * segment : (part + 1) * segment]
        members, losses = train_members(members, placed, orders, sae, fit, total, mesh, at_once)
        if part == segments - 1:
            if epoch + 1 in fit.resample_epochs:
                members = resample_members(members, placed, mine, sae, fit, total, mesh)
            if on_epoch is not None:
                on_epoch(epoch + 1, members, np.asarray(losses))
        if manager is not None:
            save(manager, place + 1, members, about or {})
    if manager is not None:
        manager.wait_until_finished()
    return members
