"""Autoencoders after training, each by itself and on the host."""

import jax
import numpy as np
from flax import struct
from jaxtyping import Int

from memjax.sae.config import SAEConfig
from memjax.sae.grid import Grid
from memjax.sae.member import Member
from memjax.sae.model import SAEParams, SAEState
from memjax.sae.standardiser import Standardiser


@struct.dataclass
class TrainedSAE:
    """One trained autoencoder; its leaves are NumPy arrays.

    Attributes:
        params, state: of `memjax.sae.reconstruction.reconstruct`.
        standardiser: what its inputs go through first (`memjax.sae.standardiser.standardise`).
        config: its architecture.
        layer: coordinate of the layer whose token vectors it was trained on; 0 where there was one array.
        seed: of its first weights and the order of its inputs.
        fold: the fold of the images that it did not see; None where it saw all.
        encoder: name of the encoder that the vectors are of; may be empty.
    """

    params: SAEParams
    state: SAEState
    standardiser: Standardiser
    config: SAEConfig = struct.field(pytree_node=False)
    layer: int = struct.field(pytree_node=False, default=0)
    seed: int = struct.field(pytree_node=False, default=0)
    fold: int | None = struct.field(pytree_node=False, default=None)
    encoder: str = struct.field(pytree_node=False, default="")


def trained_saes(
    members: Member, grid: Grid, config: SAEConfig, layers: Int[np.ndarray, " l"], encoder: str = ""
) -> tuple[TrainedSAE, ...]:
    """The members of an ensemble one by one, in the grid's order.

    Args:
        members: from `memjax.sae.training.fit_members`.
        grid: says which member is of which layer, seed and fold.
        config: their architecture.
        layers: coordinate of each layer of the data.
        encoder: see `TrainedSAE`.
    """
    held = jax.tree.map(np.asarray, jax.device_get((members.params, members.state, members.standardiser)))
    places = zip(layers[grid.layer].tolist(), grid.seed.tolist(), grid.held.tolist(), strict=True)
    found = []
    for place, (layer, seed, fold) in enumerate(places):
        params, state, standardiser = jax.tree.map(lambda a, place=place: a[place], held)
        left_out = fold if grid.folds > 1 else None
        found.append(TrainedSAE(params, state, standardiser, config, layer, seed, left_out, encoder))
    return tuple(found)
