"""The blocks of a vision transformer: parameters, initialisation, and one image through all of them or some."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from memjax.axes import Array, Hidden, Leaf, Pytree
from memjax.models import layers
from memjax.models.attention import OpenBlock, attend_open
from memjax.models.config import ViTConfig
from memjax.models.edits import BlockIndex, Change, Edit, changes_in, left_alone
from memjax.models.layers import Rotation
from memjax.traces import BlockTrace

Tap = Callable[[BlockTrace], Pytree]


class Entering(NamedTuple):
    """Where a pass through some blocks begins.

    Attributes:
        block: layer coordinate of the first that is run, 1 or more; traced, so that one program serves all.
        stream: what enters it, ``[t, d]``.
        tapped: what the tap has returned of the whole pass before, ``[l, ...]``.
    """

    block: BlockIndex
    stream: Hidden
    tapped: Pytree


@struct.dataclass
class Block:
    """Parameters of one block; in `ViTParams.blocks` every leaf has a leading axis ``l``."""

    norm1: layers.Norm
    attention: layers.SelfAttention
    scale1: Annotated[Leaf, "*l d"]
    norm2: layers.Norm
    mlp: layers.Mlp
    scale2: Annotated[Leaf, "*l d"]


def init_block(key: Array, config: ViTConfig) -> Block:
    """One block; stack them with ``jax.vmap`` over keys."""
    keys = jax.random.split(key, 2)
    biases = (config.query_bias, config.key_bias, config.value_bias, config.out_bias)
    scale = jnp.ones(config.width, jnp.float32) if config.layer_scale else None
    return Block(
        norm1=layers.init_norm(config.width),
        attention=layers.init_attention(keys[0], config.width, config.heads, biases),
        scale1=scale,
        norm2=layers.init_norm(config.width),
        mlp=layers.init_mlp(keys[1], config.width, config.mlp_width, config.gated, config.mlp_bias),
        scale2=scale,
    )


def run_block(
    params: Block, x: Hidden, config: ViTConfig, rotation: Rotation = None, edit: Change | None = None
) -> BlockTrace:
    """One pre-norm block (Dosovitskiy et al. 2021, eq. 2-3) and what is seen of it.

    The stream stays float32 whatever the parameters' type: rounding it to bfloat16 at every block would add up.
    """
    change = edit or left_alone
    before = change("before", x)
    attended = attend_open(params.attention, layers.layer_norm(params.norm1, before, config.eps), rotation, edit)
    middle = add_branch(before, attended.out, params.scale1)
    inner = layers.mlp_hidden(params.mlp, layers.layer_norm(params.norm2, middle, config.eps), config.activation)
    branch = change("mlp", layers.linear(params.mlp.down, inner))
    after = change("after", add_branch(middle, branch, params.scale2))
    return OpenBlock(before, after, attended, inner, branch)


def add_branch(x: Hidden, branch: Hidden, scale: Array | None) -> Hidden:
    """The residual stream with what a branch adds, times its layer scale where the encoder has one."""
    return x + (branch if scale is None else branch * scale[None, :]).astype(x.dtype)


def run_blocks(
    blocks: Block,
    tokens: Hidden,
    config: ViTConfig,
    tap: Tap | None,
    rotation: Rotation = None,
    edit: Edit | None = None,
) -> tuple[Hidden, Pytree]:
    """All blocks, scanned: what leaves the last one, and what the tap returned for each, stacked ``[l, ...]``."""

    def step(x: Hidden, row: tuple[Block, BlockIndex | None]) -> tuple[Hidden, Pytree]:
        block, index = row
        seen = run_block(block, x, config, rotation, changes_in(edit, index))
        return seen.after, None if tap is None else tap(seen)

    depth = jax.tree.leaves(blocks)[0].shape[0]
    indices = None if edit is None else jnp.arange(1, depth + 1)
    return jax.lax.scan(step, tokens.astype(jnp.float32), (blocks, indices))


def resume_blocks(
    blocks: Block, entering: Entering, config: ViTConfig, tap: Tap, rotation: Rotation, edit: Edit
) -> tuple[Hidden, Pytree]:
    """The blocks from one on, edited; those before it are not run again.

    Args:
        blocks: of the encoder.
        entering: where the pass begins, and what was seen before.
        config: the architecture.
        tap: the same as before.
        rotation: rotary positions, where the encoder has them.
        edit: what is changed.

    Returns:
        As `run_blocks`: of blocks before the first one the rows of ``entering.tapped``.
    """

    def step(place: BlockIndex, carried: tuple[Hidden, Pytree]) -> tuple[Hidden, Pytree]:
        x, tapped = carried
        block = jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, place, keepdims=False), blocks)
        seen = run_block(block, x, config, rotation, changes_in(edit, place + 1))
        return seen.after, jax.tree.map(lambda rows, row: rows.at[place].set(row), tapped, tap(seen))

    depth = jax.tree.leaves(blocks)[0].shape[0]
    return jax.lax.fori_loop(entering.block - 1, depth, step, (entering.stream, entering.tapped))
