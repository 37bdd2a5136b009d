"""What each pixel adds to a score, from gradients through the whole encoder."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from memjax.attribution.contrast import Contrast, ImageScore
from memjax.axes import Array, Float, Leaf, Pytree

STEPS = 64
"""Points of integration along the path (docs/explaining.md tells what is left open by how many)."""


@struct.dataclass
class Integrated:
    """Integrated gradients of one image.

    Attributes:
        attribution: ``[y, x, c]``, in units of the score.
        gap: its sum less the difference that it should explain, score(image) - score(baseline); 0 for an exact integral.
    """

    attribution: Annotated[Leaf, "y x c"]
    gap: Annotated[Leaf, ""]


def integrated_gradients(score: ImageScore, params: Pytree, contrast: Contrast, steps: int = STEPS) -> Integrated:
    """The difference to the baseline, shared out among pixels by the gradient along the straight path between them.

    Points and weights are Gauss-Legendre's. One point is computed after another, so that memory does not grow with ``steps``.

    Args:
        score: what is explained; static under jit.
        params: the encoder's.
        contrast: the image and its baseline.
        steps: points along the path; static under jit.

    Reference:
        Sundararajan, Taly & Yan 2017, Axiomatic Attribution for Deep Networks.

    Example:
        >>> from memjax.attribution.contrast import contrast_of
        >>> found = integrated_gradients(lambda _, image: (image**2).sum(), None, contrast_of(jnp.ones((2, 2, 3)), 1), 2)
        >>> round(float(found.attribution.sum()), 4), abs(float(found.gap)) < 1e-5
        (12.0, True)
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    points = jnp.asarray((nodes + 1) / 2, jnp.float32), jnp.asarray(weights / 2, jnp.float32)
    difference = contrast.image - contrast.baseline

    def add(total: Float[Array, "y x c"], point: tuple[Array, Array]) -> tuple[Float[Array, "y x c"], None]:
        at, weight = point
        return total + weight * jax.grad(score, argnums=1)(params, contrast.baseline + at * difference), None

    mean, _ = jax.lax.scan(add, jnp.zeros_like(difference), points)
    attribution = difference * mean
    change = score(params, contrast.image) - score(params, contrast.baseline)
    return Integrated(attribution, attribution.sum() - change)


def gradient_times_input(score: ImageScore, params: Pytree, contrast: Contrast) -> Float[Array, "y x c"]:
    """The gradient at the image times its difference to the baseline: the first term of a Taylor series, in units of the score.

    Args:
        score, params, contrast: see `integrated_gradients`.

    Reference:
        Shrikumar, Greenside, Shcherbina & Kundaje 2016, Not Just a Black Box.
    """
    return jax.grad(score, argnums=1)(params, contrast.image) * (contrast.image - contrast.baseline)
