"""Low-level statistics of one image, the usual nuisances in memorability: contrast, colourfulness, edge density.

Each takes an RGB image ``[y, x, c]`` in [0, 255] (any dtype; the image as shown, before an encoder's
normalisation) and returns a float32 scalar. `jax.vmap` over a batch. They serve as controls in `memjax.stats.partial`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green, blue in the brightness (ITU-R BT.601)."""

EDGE_THRESHOLD = 0.1
"""Gradient of brightness per pixel, as a share of the full range, from which a pixel counts as an edge."""


def brightness(image: Shaped[Array, "y x c"]) -> Float[Array, "y x"]:
    """Brightness of each pixel in [0, 1]: 0.299 R + 0.587 G + 0.114 B, over 255."""
    return jnp.matmul(image.astype(jnp.float32), jnp.asarray(LUMA, jnp.float32), precision="highest") / 255


def contrast(image: Shaped[Array, "y x c"]) -> Float[Array, ""]:
    """Root-mean-square contrast: standard deviation of the brightness (ddof 0), in [0, 0.5].

    Reference: Peli 1990, J. Opt. Soc. Am. A 7.
    """
    return brightness(image).std()


def colourfulness(image: Shaped[Array, "y x c"]) -> Float[Array, ""]:
    """sqrt(var(rg) + var(yb)) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2), rg = R - G, yb = (R + G) / 2 - B; 0 for grey
    images.

    Reference: Hasler & Suesstrunk 2003, Measuring colourfulness in natural images.
    """
    red, green, blue = jnp.moveaxis(image.astype(jnp.float32), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    return jnp.sqrt(rg.var() + yb.var()) + 0.3 * jnp.hypot(rg.mean(), yb.mean())


def edge_density(image: Shaped[Array, "y x c"]) -> Float[Array, ""]:
    """Share of inner pixels whose gradient of brightness (3 x 3 Sobel, divided by 8) reaches `EDGE_THRESHOLD`: [0,
    1]."""
    b = brightness(image)
    smooth = jnp.asarray([1.0, 2.0, 1.0], jnp.float32)

    def derivative(rows: Array) -> Array:
        blurred = smooth[0] * rows[:-2] + smooth[1] * rows[1:-1] + smooth[2] * rows[2:]
        return (blurred[:, 2:] - blurred[:, :-2]) / 8

    gradient = jnp.hypot(derivative(b), derivative(b.T).T)
    return (gradient >= EDGE_THRESHOLD).astype(jnp.float32).mean()


LOWLEVEL = {"contrast": contrast, "colourfulness": colourfulness, "edge_density": edge_density}
"""Name -> function of one image."""


def lowlevel(image: Shaped[Array, "y x c"]) -> dict[str, Float[Array, ""]]:
    """Every statistic of `LOWLEVEL` for one image."""
    return {name: jax.jit(statistic)(image) for name, statistic in LOWLEVEL.items()}
