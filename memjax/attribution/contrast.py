"""What is explained: an image beside the baseline that stands for the absence of what it shows.

The baseline is a choice, and every map depends on it (Sturmfels, Lundberg & Lee 2020). ``"mean"`` is the mean colour that the
encoder's preprocessing takes away, so 0 in normalised pixels: neutral, but a flat patch is itself something to see. ``"blur"``
keeps the image's coarse layout and colours and takes away its detail: what is then explained is what the detail adds.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import struct

from memjax.axes import Array, Bool, Float, Image, Leaf, Pytree, Scalar

ImageScore = Callable[[Pytree, Image], Scalar]
"""The score of an image from one encoder: pure, differentiable; the image float32, normalised."""

BaselineChoice = Literal["mean", "blur"]
BLUR = 1 / 16
"""Standard deviation of the blur, as a share of the image's shorter side: about a patch."""


@struct.dataclass
class Contrast:
    """An image and its baseline.

    Attributes:
        image: ``[y, x, c]``, normalised, float32.
        baseline: the same shape.
        patch: side of a patch in pixels.
    """

    image: Annotated[Leaf, "y x c"]
    baseline: Annotated[Leaf, "y x c"]
    patch: int = struct.field(pytree_node=False)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of whole patches."""
        return self.image.shape[0] // self.patch, self.image.shape[1] // self.patch

    def without(self, hidden: Bool[Array, "gy gx"]) -> Image:
        """The image with the baseline in the patches where ``hidden`` is true."""
        whole = jnp.repeat(jnp.repeat(hidden, self.patch, axis=0), self.patch, axis=1)
        short = [(0, side - covered) for side, covered in zip(self.image.shape, whole.shape)]
        return jnp.where(jnp.pad(whole, short)[:, :, None], self.baseline, self.image)


def contrast_of(image: Image, patch: int, baseline: BaselineChoice = "mean") -> Contrast:
    """An image beside one of the baselines.

    Args:
        image: ``[y, x, 3]``, normalised, float32.
        patch: side of a patch in pixels.
        baseline: ``"mean"`` colour, or the image's own ``"blur"``.

    Example:
        >>> contrast = contrast_of(jnp.ones((8, 8, 3)), patch=4)
        >>> contrast.grid, float(contrast.baseline.max())
        ((2, 2), 0.0)
    """
    image = jnp.asarray(image, jnp.float32)
    if baseline == "mean":
        return Contrast(image, jnp.zeros_like(image), patch)
    return Contrast(image, blurred(image, BLUR * min(image.shape[:2])), patch)


def blurred(image: Image, deviation: float) -> Image:
    """The image through a Gaussian filter; its edges are continued outwards.

    Args:
        image: ``[y, x, c]``.
        deviation: standard deviation of the filter in pixels.

    Example:
        >>> flat = jnp.full((6, 6, 3), 0.5)
        >>> bool(jnp.allclose(blurred(flat, 2.0), flat, atol=1e-6))
        True
    """
    radius = max(1, round(3 * deviation))
    kernel = jnp.exp(-0.5 * (jnp.arange(-radius, radius + 1, dtype=jnp.float32) / max(deviation, 1e-6)) ** 2)
    kernel = kernel / kernel.sum()

    def filtered(line: Float[Array, "y"]) -> Float[Array, "y"]:
        return jnp.convolve(jnp.pad(line, radius, mode="edge"), kernel, mode="valid", precision="highest")

    down = jax.vmap(jax.vmap(filtered, in_axes=1, out_axes=1), in_axes=2, out_axes=2)
    return down(down(jnp.asarray(image, jnp.float32)).swapaxes(0, 1)).swapaxes(0, 1)


def by_patch(attribution: Float[Array, "y x c"], patch: int) -> Float[Array, "gy gx"]:
    """Sums over the pixels and channels of each patch, which keep the total; pixels outside whole patches have no part in it."""
    rows, columns = attribution.shape[0] // patch, attribution.shape[1] // patch
    whole = attribution[: rows * patch, : columns * patch]
    return whole.reshape(rows, patch, columns, patch, -1).sum(axis=(1, 3, 4))
