"""One exposure: an autoencoder sees each image once, one at a time, and is changed by it (Bagheri & Mohsenzadeh 2024).

Images are uint8 ``[y, x, 3]``; the loss is the mean squared difference of pixels from 0 to 1. Adam as torch has it. All of it is
pure: weights and the optimiser's state go in and come out, and the memory of what went in is used again.
"""

import functools
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import UInt8

from memjax.axes import Array, Float, Image, Int, Leaf, Levels, Scalar
from memjax.baselines.autoencoder import ImageAutoencoder, encode_image, reconstruct_image
from memjax.precision import full_precision


@struct.dataclass
class Exposed:
    """An autoencoder on its way through the images.

    Attributes:
        params: its weights.
        optimiser: Adam's moments.
        loss: of the last image, before it was learnt from.
    """

    params: ImageAutoencoder
    optimiser: optax.OptState
    loss: Annotated[Leaf, ""]


class ExposedScores(NamedTuple):
    """Of one image.

    Attributes:
        pixel_error: mean squared difference of its pixels and its reconstruction's.
        latent_error: mean squared difference of its latent and its reconstruction's.
        latent: the units of it that are kept.
    """

    pixel_error: Scalar
    latent_error: Scalar
    latent: Float[Array, " u"]


def as_unit(levels: UInt8[Array | np.ndarray, "y x c"]) -> Image:
    """Grey levels from 0 to 1, float32."""
    return jnp.asarray(levels).astype(jnp.float32) / np.float32(255)


def begin(params: ImageAutoencoder, rate: float) -> Exposed:
    """Before the first image; the weights are copied, for they are overwritten."""
    own = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), params)
    return Exposed(own, optax.adam(rate).init(own), jnp.zeros((), jnp.float32))


def pixel_loss(params: ImageAutoencoder, image: Image) -> tuple[Scalar, ImageAutoencoder]:
    """Mean squared difference of an image and its reconstruction in training, and the weights with new running statistics."""
    found = reconstruct_image(params, image, training=True)
    return jnp.mean((found.image - image) ** 2), found.moved


@functools.partial(jax.jit, donate_argnums=0)
@full_precision
def expose(state: Exposed, levels: UInt8[Array | np.ndarray, "y x c"], rate: Scalar) -> Exposed:
    """One image, one step.

    Args:
        state: from `begin` or the image before; its memory is used again.
        levels: the image.
        rate: the learning rate.
    """
    (loss, moved), grads = jax.value_and_grad(pixel_loss, has_aux=True)(state.params, as_unit(levels))
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer counts
        updates, optimiser = optax.adam(rate).update(grads, state.optimiser)
    # Running statistics have no gradient in training: their update is 0, and they stay as the image moved them.
    return Exposed(optax.apply_updates(moved, updates), optimiser, loss)


@full_precision
def score_one_exposed(
    params: ImageAutoencoder, levels: UInt8[Array | np.ndarray, "y x c"], units: Int[Array | np.ndarray, " u"]
) -> ExposedScores:
    """How well one image is reconstructed, and where it lies.

    Args:
        params: the weights.
        levels: the image.
        units: which of the latent's are kept, of its flattened form.
    """
    image = as_unit(levels)
    found = reconstruct_image(params, image)
    again, _ = encode_image(params, found.image)
    return ExposedScores(
        jnp.mean((found.image - image) ** 2),
        jnp.mean((again - found.latent) ** 2),
        found.latent.reshape(-1)[units],
    )


def score_exposed(params: ImageAutoencoder, levels: Levels, units: Int[Array | np.ndarray, " u"]) -> ExposedScores:
    """`score_one_exposed` of a batch."""
    return jax.vmap(lambda one: score_one_exposed(params, one, units))(levels)


def latents_of(params: ImageAutoencoder, levels: Levels, units: Int[Array | np.ndarray, " u"]) -> Float[Array, "b u"]:
    """The latents of a batch alone, a third of the work of `score_exposed`."""
    return jax.vmap(lambda one: encode_image(params, as_unit(one))[0].reshape(-1)[units])(levels)


def latent_size(params: ImageAutoencoder, image: tuple[int, int]) -> int:
    """How many units the latent of an image of this size has.

    Example:
        >>> from memjax.baselines.autoencoder import NormedConvolution, seeded_decoder
        >>> from memjax.baselines.convolutions import Convolution
        >>> block = (NormedConvolution(Convolution(jnp.ones((3, 3, 3, 4)), jnp.zeros(4)), None),)
        >>> latent_size(seeded_decoder(0, (block,)), (8, 6))
        48
    """
    shape = jax.ShapeDtypeStruct((*image, 3), jnp.float32)
    return jax.eval_shape(lambda params, one: encode_image(params, one)[0].reshape(-1), params, shape).size
