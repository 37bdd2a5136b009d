"""What some published autoencoders do to each vector before they encode it, and undo afterwards: one function a kind.

``normalise(x [b, d]) -> Normalised``; a vector without length, or whose values are all equal, has no ``constant_norm_rescale``
or ``layer_norm``. The names are SAELens' and Prisma's. memjax's own autoencoders have none: they standardise by their training
data (`memjax.sae.standardiser`).
"""

from collections.abc import Callable

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from memjax.axes import Leaf

EPSILON = 1e-5
"""Added to the standard deviation in ``layer_norm``, on the way in alone."""


@struct.dataclass
class Normalised:
    """Normalised vectors, and what brings a reconstruction of them back: ``recons * factor + shift``."""

    x: Leaf  # [b, d]
    shift: Leaf  # [b, 1]
    factor: Leaf  # [b, 1]


def unchanged(x: Float[Array, "b d"]) -> Normalised:
    """The vectors as they are."""
    one = jnp.ones_like(x[:, :1])
    return Normalised(x, jnp.zeros_like(one), one)


def layer_normalised(x: Float[Array, "b d"]) -> Normalised:
    """Each vector's own mean taken off, and divided by its own ddof-1 standard deviation (plus `EPSILON`)."""
    mean, std = jnp.mean(x, axis=1, keepdims=True), jnp.std(x, axis=1, keepdims=True, ddof=1)
    return Normalised((x - mean) / (std + EPSILON), mean, std)


def constant_norm(x: Float[Array, "b d"]) -> Normalised:
    """Each vector at the length ``sqrt(d)``."""
    factor = jnp.linalg.norm(x, axis=1, keepdims=True) / jnp.sqrt(jnp.asarray(x.shape[1], x.dtype))
    return Normalised(x / factor, jnp.zeros_like(factor), factor)


NORMALISATIONS: dict[str, Callable[[Float[Array, "b d"]], Normalised]] = {
    "none": unchanged,
    "layer_norm": layer_normalised,
    "constant_norm_rescale": constant_norm,
}
"""Name -> what is done to each vector."""
