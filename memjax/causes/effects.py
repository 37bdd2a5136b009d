"""What the score of one image becomes when parts of its encoder are taken out: all of them in one program."""

import functools
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import struct

from memjax import devices
from memjax.axes import Array, Float, Hidden, Image, Leaf, Levels, Scalar
from memjax.causes.plain import plain_pass
from memjax.causes.units import Masks, masks_of, units_of
from memjax.edits.replacing import Replace, Several
from memjax.levels import normalise_levels
from memjax.measure import Values
from memjax.models.vit import ViTParams, forward
from memjax.precision import products_at
from memjax.predictor.linear import weighted_sum
from memjax.predictor.scoring import Reading, Scorer
from memjax.preprocessing import Preprocessing
from memjax.traces import BlockTrace

SCORE, EFFECTS, HEADS, MLPS = "score", "effects", "heads", "mlps"
PLAIN, CHANGES = "plain", "changes"
"""What the programs give of an image."""


OF_DONORS = 5
"""Axes of heads of several donors, ``[donor, l, h, t, k]``."""


@struct.dataclass
class Filling:
    """What stands in for what is taken out: of heads ``[l, h, t, k]``, of MLPs ``[l, t, d]``; or numbers ``[l]``.

    Of several donors each has one more axis, the first.
    """

    heads: Annotated[Leaf, "l ..."]
    mlps: Annotated[Leaf, "l ..."]


def nothing(depth: int) -> Filling:
    """Zeros for every block."""
    return Filling(jnp.zeros(depth), jnp.zeros(depth))


def block_effects(
    scorer: Scorer, image: Image, filling: Filling, reading: Reading, measured: tuple[str, ...] = ()
) -> dict[str, Array]:
    """What one image's score gains when each unit of each block is taken out.

    A unit of block ``i`` leaves all blocks before it as they were: the plain pass is run once, and each unit's pass begins at its
    own block.

    Args:
        scorer: an encoder, and the weights of what it makes.
        image: ``[y, x, 3]``, normalised.
        filling: what stands in for a unit.
        reading: how what the weights weigh is made, and the metrics.
        measured: metrics whose change is given too.

    Returns:
        ``score``: what the encoder adds to the image's score; ``effects [l, u]``: that of the edited encoder less it, in the
        order of `memjax.causes.units.unit_table`. With metrics ``plain [m, l+1]``, and ``changes [l, u, m, l+1]``, those of the
        edited encoder less it.

    Reference:
        Michel, Levy & Neubig 2019, Are Sixteen Heads Really Better than One?; Wang et al. 2023, Interpretability in the Wild
        (mean ablation).
    """
    config = reading.config

    def read(values: Values) -> tuple[Scalar, Array]:
        metrics = [values[name].astype(jnp.float32) for name in measured]
        return weighted_sum(scorer.weights, values), jnp.stack(metrics) if metrics else jnp.zeros((0, 0))

    with products_at(reading.precision):
        plain = plain_pass(scorer.encoder, image, reading)

        def of_unit(unit: Masks, block: Array) -> tuple[Scalar, Array]:
            return read(plain.edited(without(unit, block, filling, plain.streams[block - 1]), block))

        masks, (before, metrics) = masks_of(units_of(config.heads), config.heads), read(plain.values)
        blocks = jnp.arange(1, config.depth + 1)
        after, changed = jax.lax.map(lambda block: jax.vmap(of_unit, (0, None))(masks, block), blocks)
    found = {SCORE: before, EFFECTS: after - before}
    return found | {PLAIN: metrics, CHANGES: changed - metrics[None, None]} if measured else found


def without(unit: Masks, block: Array, filling: Filling, entered: Hidden) -> Several:
    """The edit that takes one unit out of a block into which ``entered`` enters."""
    heads, mlp = filling.heads[block - 1], filling.mlps[block - 1]
    return Several(
        (
            Replace(heads, block, unit.heads[:, None, None], "heads"),
            Replace(mlp, block, unit.mlp, "mlp"),
            Replace(entered, block, unit.block, "after"),
        )
    )


@functools.lru_cache(maxsize=8)
def compiled_effects(
    reading: Reading, mesh: jax.sharding.Mesh, levels: Preprocessing, measured: tuple[str, ...] = ()
) -> Callable[[tuple[Scorer, Filling], Levels], dict[str, Float[Array, "b ..."]]]:
    """The data-parallel program ``((scorer, filling), grey levels) -> block_effects`` of every image, means over donors."""

    def one(params: tuple[Scorer, Filling], image: Array) -> dict[str, Array]:
        scorer, filling = params
        pixels = normalise_levels(image, levels)
        if filling.heads.ndim < OF_DONORS:
            return block_effects(scorer, pixels, filling, reading, measured)
        each = jax.lax.map(lambda donor: block_effects(scorer, pixels, donor, reading, measured), filling)
        return jax.tree.map(lambda x: x.mean(axis=0), each)

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


@functools.lru_cache(maxsize=8)
def compiled_makings(
    reading: Reading, mesh: jax.sharding.Mesh, levels: Preprocessing
) -> Callable[[ViTParams, Levels], dict[str, Float[Array, "b ..."]]]:
    """The program that gives what the heads and MLPs of every image make, ``[b, l, h, t, k]`` and ``[b, l, t, d]``."""

    def one(params: ViTParams, image: Array) -> dict[str, Array]:
        pixels = normalise_levels(image, levels).astype(params.patch.kernel.dtype)

        def tap(block: BlockTrace) -> dict[str, Array]:
            return {HEADS: block.heads.astype(jnp.float32), MLPS: block.mlp.astype(jnp.float32)}

        return forward(params, pixels, reading.config, tap, reading.precision).tapped

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)
