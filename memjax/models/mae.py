"""Masked autoencoding (He et al. 2021): the decoder of ViT-MAE, and the loss of one image under one mask.

The mask comes from a noise vector, one number a patch: the patches with the smallest numbers are kept. So a mask is an
input, and a loss is a pure function.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from memjax.axes import Array, Float, Image, Int, Scalar
from memjax.models import layers
from memjax.models.blocks import init_block, run_blocks
from memjax.models.config import ViTConfig
from memjax.models.positions import sincos_table
from memjax.models.vit import Decoder, ViTParams, embed_patches, patchify
from memjax.precision import Precision, at_its_precision


def decoder_config(config: ViTConfig) -> ViTConfig:
    """The decoder's blocks as a `ViTConfig`: same family, its own width, depth, heads and MLP width."""
    decoder = config.decoder
    if decoder is None:
        raise ValueError(f"{config.family}: expected an encoder with a decoder (ViT-MAE)")
    return dataclasses.replace(
        config, width=decoder.width, depth=decoder.depth, heads=decoder.heads, mlp_width=decoder.mlp_width, decoder=None
    )


def init_decoder(key: Array, config: ViTConfig, position: Float[Array, "t d"] | None = None) -> Decoder:
    """Fresh decoder parameters.

    Args:
        key: a JAX random key.
        config: an architecture with a decoder.
        position: the position table; by default the fixed sin-cos one, as in the paper.
    """
    inner = decoder_config(config)
    keys = jax.random.split(key, 4)
    return Decoder(
        embed=layers.init_linear(keys[0], config.width, inner.width),
        mask_token=0.02 * jax.random.normal(keys[1], (inner.width,), jnp.float32),
        position=jnp.asarray(sincos_table(*config.grid, inner.width, extra=1)) if position is None else position,
        blocks=jax.vmap(lambda k: init_block(k, inner))(jax.random.split(keys[2], inner.depth)),
        norm=layers.init_norm(inner.width),
        predict=layers.init_linear(keys[3], inner.width, config.patch**2 * 3),
    )


def kept_patches(config: ViTConfig) -> int:
    """How many patches stay visible: ``int(p (1 - mask_ratio))``, rounded down as transformers does."""
    assert config.decoder is not None
    return int(config.grid[0] * config.grid[1] * (1 - config.decoder.mask_ratio))


def encode_visible(params: ViTParams, image: Image, keep: Int[Array, "v"], config: ViTConfig) -> Float[Array, "v1 d"]:
    """The encoder over cls and the patches ``keep``, with the final norm."""
    patches, prefix = embed_patches(params, image, config)
    tokens = jnp.concatenate([params.cls + prefix, patches[keep]])
    last, _ = run_blocks(params.blocks, tokens, config, tap=None)
    return layers.layer_norm(params.final_norm, last, config.eps)


def decode_patches(
    params: Decoder, visible: Float[Array, "v1 d"], restore: Int[Array, "p"], config: ViTConfig
) -> Array:
    """Predicted patches ``[p, patch * patch * 3]`` from the encoder's tokens; ``restore`` undoes the shuffle."""
    inner = decoder_config(config)
    tokens = layers.linear(params.embed, visible)
    hidden = jnp.broadcast_to(params.mask_token, (restore.shape[0] - tokens.shape[0] + 1, inner.width))
    patches = jnp.concatenate([tokens[1:], hidden])[restore]
    tokens = jnp.concatenate([tokens[:1], patches]) + params.position
    last, _ = run_blocks(params.blocks, tokens, inner, tap=None)
    return layers.linear(params.predict, layers.layer_norm(params.norm, last, config.eps))[1:]


@at_its_precision
def mae_loss(
    params: ViTParams, image: Image, noise: Float[Array, "p"], config: ViTConfig, precision: Precision = "highest"
) -> Scalar:
    """Mean squared error over the pixels of the masked patches of one image, under the mask that ``noise`` makes.

    Args:
        params: an encoder with a decoder.
        image: ``[y, x, 3]``, normalised.
        noise: one number a patch; those with the smallest are kept, the rest masked.
        config: its architecture; ``decoder.norm_pix_loss`` standardises each target patch (ddof 1, eps 1e-6).
        precision: as in `memjax.models.vit.forward`.

    Returns:
        A scalar in squared units of normalised pixels. Vmap over images and noise.

    Reference:
        He et al. 2021, "Masked Autoencoders Are Scalable Vision Learners", section 3.
    """
    if params.decoder is None or config.decoder is None:
        raise ValueError(f"mae_loss: {config.family} has no decoder; load a ViT-MAE checkpoint for pre-training")
    order = jnp.argsort(noise)
    kept = kept_patches(config)
    visible = encode_visible(params, image, order[:kept], config)
    predicted = decode_patches(params.decoder, visible, jnp.argsort(order), config).astype(jnp.float32)
    target = patchify(image, config.patch).astype(jnp.float32)
    if config.decoder.norm_pix_loss:
        mean, variance = target.mean(axis=-1, keepdims=True), target.var(axis=-1, keepdims=True, ddof=1)
        target = (target - mean) / jnp.sqrt(variance + 1.0e-6)
    error = jnp.square(predicted - target).mean(axis=-1)
    masked = jnp.ones(noise.shape[0], jnp.float32).at[order[:kept]].set(0.0)
    return (error * masked).sum() / masked.sum()


def seeded_noise(patches: int, seeds: int) -> np.ndarray:
    """Noise ``[seeds, patches]`` in [0, 1), one row a seed (0, 1, ...), the same on every machine."""
    rows = [np.random.default_rng(seed).random(patches, np.float32) for seed in range(seeds)]
    return np.stack(rows) if rows else np.zeros((0, patches), np.float32)


def mean_mae_loss(
    params: ViTParams, image: Image, noises: Float[Array, "g p"], config: ViTConfig, precision: Precision = "highest"
) -> Scalar:
    """`mae_loss` averaged over g masks, to take the mask's chance out."""
    return jax.lax.map(lambda noise: mae_loss(params, image, noise, config, precision), noises).mean()
