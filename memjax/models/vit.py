"""One vision transformer for every family: parameters, initialisation, and the forward pass of one image.

A **tap** is a pure function of one block's `BlockTrace`, applied inside the ``lax.scan`` over blocks; what it returns
is stacked over blocks. So a sweep never holds more than one layer's attention. Batches: ``jax.vmap`` outside.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import struct

from memjax.axes import Array, Float, Hidden, Image, Leaf, Pytree
from memjax.checks import check_kind, expected, what_is
from memjax.models import layers, positions
from memjax.models.attention import attend
from memjax.models.blocks import Block, Tap, init_block, run_blocks
from memjax.models.config import ViTConfig
from memjax.models.edits import Edit
from memjax.models.layers import Rotation
from memjax.pixels import check_image
from memjax.precision import Precision, at_its_precision
from memjax.showing import short_repr
from memjax.traces import BlockTrace


@struct.dataclass
class AttentionPool:
    """SigLIP's head: a learned probe attends to the normed tokens, then an MLP with a residual."""

    probe: Annotated[Leaf, "1 d"]
    attention: layers.SelfAttention
    norm: layers.Norm
    mlp: layers.Mlp


@struct.dataclass
class Decoder:
    """ViT-MAE's decoder: embed, mask token, positions, blocks, norm, prediction of a patch's pixels."""

    embed: layers.Linear
    mask_token: Annotated[Leaf, "d"]
    position: Annotated[Leaf, "t d"]
    blocks: Block
    norm: layers.Norm
    predict: layers.Linear


@struct.dataclass
class ViTParams:
    """Everything that is learnt. A field is None where the config says that the part is absent."""

    patch: layers.Linear
    cls: Annotated[Leaf, "1 d"]
    distillation: Annotated[Leaf, "1 d"]
    registers: Annotated[Leaf, "r d"]
    position: Annotated[Leaf, "t d"]
    pre_norm: layers.Norm | None
    blocks: Block
    final_norm: layers.Norm | None
    head: layers.Linear | AttentionPool | None
    decoder: Decoder | None

    __repr__ = short_repr


@struct.dataclass
class Output:
    """One image through an encoder.

    Attributes:
        embedded: what enters block 1, ``[t, d]``.
        last: what leaves the last block, ``[t, d]``, before the final norm.
        tapped: what the tap returned, stacked over blocks, ``[l, ...]``.
    """

    embedded: Annotated[Leaf, "t d"]
    last: Annotated[Leaf, "t d"]
    tapped: Pytree


def init_head(key: Array, config: ViTConfig) -> layers.Linear | AttentionPool | None:
    if config.pool in ("none", "cls"):
        return None
    if config.pool == "attention":
        keys = jax.random.split(key, 3)
        return AttentionPool(
            probe=jax.random.normal(keys[0], (1, config.width), jnp.float32),
            attention=layers.init_attention(keys[1], config.width, config.heads, (True,) * 4),
            norm=layers.init_norm(config.width),
            mlp=layers.init_mlp(keys[2], config.width, config.mlp_width, gated=False),
        )
    return layers.init_linear(key, config.width, config.pool_width, bias=config.pool == "pooler")


def init_vit(key: Array, config: ViTConfig) -> ViTParams:
    """Fresh parameters (float32): Xavier-uniform kernels, normal(0.02) tokens and positions.

    The decoder, if the config has one, is made by `memjax.models.mae.init_decoder`; here it is None.

    Args:
        key: a JAX random key.
        config: the architecture.
    """
    keys = jax.random.split(key, 7)
    d = config.width

    def tokens(i: int, rows: int) -> Float[Array, "r d"] | None:
        return 0.02 * jax.random.normal(keys[i], (rows, d), jnp.float32) if rows else None

    return ViTParams(
        patch=layers.init_linear(keys[0], config.patch**2 * 3, d, config.patch_bias),
        cls=tokens(1, int(config.cls)),
        distillation=tokens(2, int(config.distillation)),
        registers=tokens(3, config.registers),
        position=tokens(4, config.positions if config.position == "learned" else 0),
        pre_norm=layers.init_norm(d) if config.pre_norm else None,
        blocks=jax.vmap(lambda k: init_block(k, config))(jax.random.split(keys[5], config.depth)),
        final_norm=layers.init_norm(d) if config.final_norm else None,
        head=init_head(keys[6], config),
        decoder=None,
    )


def patchify(image: Image, patch: int) -> Float[Array, "p q"]:
    """Non-overlapping patches, row-major, each flattened as ``(y, x, c)``: ``[p, patch * patch * 3]``.

    Rows and columns that do not fill a patch are left out, as a strided convolution does.
    """
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    whole = image[: rows * patch, : columns * patch]
    return rearrange(whole, "(rows y) (columns x) c -> (rows columns) (y x c)", y=patch, x=patch)


def embed_patches(
    params: ViTParams, image: Image, config: ViTConfig
) -> tuple[Float[Array, "p d"], Float[Array, "..."]]:
    """Patch tokens with their positions, and the positions of the prefix tokens (empty where there are none).

    Raises:
        InputError: if the image's size is not the encoder's and its positions do not stretch, or it is less than a patch.
    """
    grid = config.grid_of(image.shape)
    if 0 in grid:
        raise expected("image", f"at least one patch, {config.patch} x {config.patch} pixels", image.shape[:2])
    patches = layers.linear(params.patch, patchify(image, config.patch).astype(params.patch.kernel.dtype))
    if params.position is None:
        return patches, jnp.zeros((0, config.width), patches.dtype)
    if image.shape[:2] != config.image and not config.interpolate:
        fix = "memjax.read_images makes them of this size with the encoder's own preprocessing"
        raise expected("image", f"{config.image} pixels (y, x) for this {config.family}", image.shape[:2], fix)
    prefix = config.positions - config.grid[0] * config.grid[1]
    table = positions.stretch(params.position[prefix:], config.grid, grid, config.antialias)
    return patches + table, params.position[:prefix]


def embed(params: ViTParams, image: Image, config: ViTConfig) -> Hidden:
    """What enters block 1, float32: cls, distillation, registers, patches; positions added; pre-norm applied (CLIP)."""
    patches, prefix_positions = embed_patches(params, image, config)
    prefix = [x for x in (params.cls, params.distillation) if x is not None]
    registers = [] if params.registers is None else [params.registers]
    if config.placed == "all":
        prefix, registers = prefix + registers, []
    head = jnp.concatenate(prefix) if prefix else jnp.zeros((0, config.width), patches.dtype)
    if prefix_positions.shape[0]:
        head = head + prefix_positions
    tokens = jnp.concatenate([head, *registers, patches])  # registers here have no position
    entering = tokens if params.pre_norm is None else layers.layer_norm(params.pre_norm, tokens, config.eps)
    return entering.astype(jnp.float32)


def rotation_of(image: Image, config: ViTConfig) -> Rotation:
    """Rotary positions of an image's patches; None for an encoder without."""
    if config.position != "rotary":
        return None
    return layers.rotary(*config.grid_of(image.shape), config.head_width, config.rope_theta)


def keep_all(block: BlockTrace) -> BlockTrace:
    """The default tap: everything."""
    return block


@at_its_precision
def forward(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    tap: Tap | None = keep_all,
    precision: Precision = "highest",
    edit: Edit | None = None,
) -> Output:
    """One image through the encoder.

    Args:
        params: as `init_vit` makes them or `memjax.load` reads them. Their dtype is the compute dtype.
        image: ``[y, x, 3]``, normalised as the encoder's preprocessing says.
        config: the architecture (static under jit).
        tap: a pure function of one block's trace; None where only the last layer is wanted.
        precision: of every product of float32 in it, the tap's too (`memjax.precision`; static under jit).
        edit: a pure function that changes what is inside, see `memjax.models.edits`.

    Returns:
        `Output`: what entered, what left, and what the tap returned, stacked ``[l, ...]``.
    """
    tokens, rotation = embed(params, image, config), rotation_of(image, config)
    last, tapped = run_blocks(params.blocks, tokens, config, tap, rotation, edit)
    return Output(embedded=tokens, last=last, tapped=tapped)


def encode(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    tap: Tap = keep_all,
    precision: Precision = "highest",
    edit: Edit | None = None,
) -> Pytree:
    """What ``tap`` returns for every block of one image, stacked ``[l, ...]``; see `forward`.

    The parameters carry their type, but not their precision: pass ``precision=encoder.precision`` for an encoder that was
    loaded with another than ``"highest"``.

    Raises:
        InputError: an encoder instead of its parameters or its config, a batch, or something else that is not one image.

    Example:
        >>> import jax, jax.numpy as jnp, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> image = jnp.zeros((*encoder.config.image, 3), jnp.float32)
        >>> peaks = memjax.encode(encoder.params, image, encoder.config, tap=lambda block: block.attention.max())
        >>> peaks.shape == (encoder.config.depth,)
        True

        With an edit, what is inside is changed on the way (`memjax.edits` has those that are used most):

        >>> def no_mlp(block, place, values):
        ...     return jnp.where(block == 2, 0.0, values) if place == "mlp" else values
        >>> peaks = memjax.encode(encoder.params, image, encoder.config, lambda block: abs(block.mlp).max(), edit=no_mlp)
        >>> [bool(peak > 0) for peak in peaks[:3]]
        [True, False, True]
    """
    check_kind(params, ViTParams, "params", "an encoder's parameters", "write encoder.params")
    check_kind(config, ViTConfig, "config", "an encoder's architecture", "write encoder.config")
    check_image(image)
    if not callable(tap):
        raise expected(
            "tap", "a function of one block's trace", what_is(tap), "such as lambda block: block.after", "tap"
        )
    return forward(params, image, config, tap, precision, edit).tapped


def pooled_token(norm: layers.Norm, last: Hidden, config: ViTConfig) -> Float[Array, "d"]:
    """The normed token that is pooled, as `ViTConfig.pooled_from` and `ViTConfig.norm_last` have it."""
    if config.pooled_from == "cls":
        return layers.layer_norm(norm, last, config.eps)[0]
    tokens = {"pair": last[:2], "patches": last[config.before_patches :], "all": last}[config.pooled_from]
    if config.norm_last:
        return layers.layer_norm(norm, tokens.mean(axis=0, keepdims=True), config.eps)[0]
    return layers.layer_norm(norm, tokens, config.eps).mean(axis=0)


@at_its_precision
def pool(
    params: ViTParams, last: Hidden, config: ViTConfig, precision: Precision = "highest"
) -> tuple[Float[Array, "e"] | None, Float[Array, "h 1 s"] | None]:
    """What the family's head makes of the last layer.

    Args:
        params: the encoder's.
        last: `Output.last`, ``[t, d]``.
        config: the architecture.
        precision: as in `forward`.

    Returns:
        ``pooled [e]`` (None without a head), and for attention pooling its probabilities ``[h, 1, s]``, else None.
    """
    if not config.has_output or params.final_norm is None:
        return None, None
    if isinstance(params.head, AttentionPool):
        head, first = params.head, config.before_patches if config.pooled_from == "patches" else 0
        normed = layers.layer_norm(params.final_norm, last, config.eps)[first:]
        mixed, attention = attend(head.attention, normed, queries=head.probe)
        out = mixed + layers.mlp(head.mlp, layers.layer_norm(head.norm, mixed, config.eps), config.activation)
        return out[0], attention
    token = pooled_token(params.final_norm, last, config)
    if config.pool == "cls" or params.head is None:
        return token, None
    out = layers.linear(params.head, token)
    return (layers.activate("tanh", out) if config.pool == "pooler" else out), None
