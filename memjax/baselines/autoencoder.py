"""A VGG-16 autoencoder of images, one image at a time: the network of Bagheri & Mohsenzadeh 2024.

The encoder is VGG-16's five blocks of convolutions; the latent is what leaves the last pool. The decoder mirrors it: each block
doubles rows and columns by a transposed convolution (2 x 2, stride 2), then as many convolutions as the encoder's block has; a
sigmoid ends it. A layer has a batch norm where its weights have one: in training its statistics are over the rows and columns of
the one image, afterwards the running ones are used, as torch has it. Images are ``[y, x, 3]`` from 0 to 1.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from memjax.axes import Array, Float, Image, Leaf
from memjax.baselines.convolutions import Convolution
from memjax.baselines.vgg import convolve_linear, max_pool
from memjax.precision import full_precision
from memjax.preprocessing import IMAGENET_MEAN, IMAGENET_STD

EPSILON, MOMENTUM = 1e-5, 0.1
"""Torch's of a batch norm: added to the variance; the share that an image has in the running statistics."""


@struct.dataclass
class BatchNorm:
    """A batch norm: what is learnt, and the running statistics, which are not."""

    scale: Annotated[Leaf, "c"]
    offset: Annotated[Leaf, "c"]
    mean: Annotated[Leaf, "c"]
    variance: Annotated[Leaf, "c"]


@struct.dataclass
class NormedConvolution:
    """A 3 x 3 convolution, and its batch norm where there is one."""

    convolution: Convolution
    norm: BatchNorm | None


@struct.dataclass
class DecoderBlock:
    """A transposed convolution, kernel ``[2, 2, i, o]``, and the convolutions after it."""

    up: Convolution
    layers: tuple[NormedConvolution, ...]


@struct.dataclass
class ImageAutoencoder:
    """All weights.

    Attributes:
        encoder: its blocks.
        decoder: its blocks, the mirror of the encoder's.
        normalised: whether the encoder takes images less ImageNet's mean, over its deviation, as torchvision's VGG-16 does.
    """

    encoder: tuple[tuple[NormedConvolution, ...], ...]
    decoder: tuple[DecoderBlock, ...]
    normalised: bool = struct.field(pytree_node=False, default=False)


@struct.dataclass
class Reconstructed:
    """Of one image: the latent, the image that is made of it, and the weights with running statistics that have seen it."""

    latent: Float[Array, "y2 x2 o"]
    image: Image
    moved: ImageAutoencoder


def apply_norm(
    norm: BatchNorm | None, x: Float[Array, "y x c"], training: bool
) -> tuple[Float[Array, "y x c"], BatchNorm | None]:
    """Normalised by the image's own statistics in training, else by the running ones; and the running ones afterwards."""
    if norm is None:
        return x, None
    mean, variance = norm.mean, norm.variance
    if training:
        mean, variance = x.mean(axis=(0, 1)), x.var(axis=(0, 1))
        n = x.shape[0] * x.shape[1]
        norm = norm.replace(
            mean=(1 - MOMENTUM) * norm.mean + MOMENTUM * mean,
            variance=(1 - MOMENTUM) * norm.variance + MOMENTUM * variance * (n / max(n - 1, 1)),
        )
    factor = norm.scale * jax.lax.rsqrt(variance + EPSILON)
    return (x - mean[None, None]) * factor[None, None] + norm.offset[None, None], norm


def upsample(params: Convolution, x: Float[Array, "y x i"]) -> Float[Array, "y2 x2 o"]:
    """A transposed convolution, 2 x 2 with stride 2: each place becomes four, which no other place reaches."""
    out = jnp.einsum("yxi,abio->yaxbo", x, params.kernel)
    return out.reshape(2 * x.shape[0], 2 * x.shape[1], -1) + params.bias[None, None]


@full_precision
def encode_image(
    params: ImageAutoencoder, image: Image, training: bool = False
) -> tuple[Float[Array, "y2 x2 o"], ImageAutoencoder]:
    """The latent of one image.

    Args:
        params: all weights.
        image: ``[y, x, 3]`` from 0 to 1, its sides multiples of 32.
        training: see `apply_norm`.

    Returns:
        ``[y / 32, x / 32, 512]``, and the weights with the encoder's running statistics afterwards.
    """
    x = jnp.asarray(image)
    if params.normalised:
        mean, deviation = (jnp.asarray(np.array(v, np.float32)) for v in (IMAGENET_MEAN, IMAGENET_STD))
        x = (x - mean[None, None]) / deviation[None, None]
    blocks = []
    for block in params.encoder:
        layers = []
        for layer in block:
            x, norm = apply_norm(layer.norm, convolve_linear(layer.convolution, x), training)
            x = jax.nn.relu(x)
            layers.append(layer.replace(norm=norm))
        x = max_pool(x)
        blocks.append(tuple(layers))
    return x, params.replace(encoder=tuple(blocks))


@full_precision
def decode_latent(
    params: ImageAutoencoder, latent: Float[Array, "y2 x2 o"], training: bool = False
) -> tuple[Image, ImageAutoencoder]:
    """The image that is made of a latent, from 0 to 1, and the weights with the decoder's running statistics afterwards."""
    x, blocks = latent, []
    for block in params.decoder:
        x, layers = upsample(block.up, x), []
        for layer in block.layers:
            x, norm = apply_norm(layer.norm, x, training)
            x = convolve_linear(layer.convolution, jax.nn.relu(x))
            layers.append(layer.replace(norm=norm))
        blocks.append(block.replace(layers=tuple(layers)))
    return jax.nn.sigmoid(x), params.replace(decoder=tuple(blocks))


def reconstruct_image(params: ImageAutoencoder, image: Image, training: bool = False) -> Reconstructed:
    """One image through the autoencoder.

    Args:
        params, image, training: as in `encode_image`.

    Example:
        >>> params = seeded_decoder(0, ((NormedConvolution(Convolution(jnp.ones((3, 3, 3, 4)) / 27,
        ...     jnp.zeros(4)), None),),))
        >>> reconstruct_image(params, jnp.ones((32, 32, 3)) / 2).image.shape
        (32, 32, 3)
    """
    latent, moved = encode_image(params, image, training)
    made, moved = decode_latent(moved, latent, training)
    return Reconstructed(latent, made, moved)


def seeded_decoder(
    seed: int, encoder: tuple[tuple[NormedConvolution, ...], ...], normalised: bool = False
) -> ImageAutoencoder:
    """An encoder, and the decoder that mirrors it with weights drawn at random, a batch norm before each convolution.

    Kernels are normal with variance 2 over the number of inputs (He et al. 2015); biases are 0.

    Args:
        seed: of the draw.
        encoder: its blocks.
        normalised: see `ImageAutoencoder`.
    """
    blocks, rng = [], np.random.default_rng(seed)
    for block in reversed(encoder):
        inner = block[0].convolution.kernel.shape
        wide = block[-1].convolution.kernel.shape[3]
        up = Convolution(_he(rng, (2, 2, wide, wide), wide), jnp.zeros(wide))
        layers = []
        for i in range(len(block)):
            narrow = inner[2] if i == len(block) - 1 else wide
            convolution = Convolution(_he(rng, (3, 3, wide, narrow), 9 * wide), jnp.zeros(narrow))
            layers.append(NormedConvolution(convolution, fresh_norm(wide)))
        blocks.append(DecoderBlock(up, tuple(layers)))
    return ImageAutoencoder(encoder, tuple(blocks), normalised)


def fresh_norm(width: int) -> BatchNorm:
    """A batch norm that has seen nothing."""
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    return BatchNorm(*map(jnp.asarray, (ones, zeros, zeros, ones)))


def _he(rng: np.random.Generator, shape: tuple[int, ...], inputs: int) -> Array:
    return jnp.asarray(rng.normal(0, (2 / inputs) ** 0.5, shape).astype(np.float32))
