"""Mean and standard deviation of representations, as the paper takes them: over images, with ``ddof=1``."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Shaped

from memjax.checks import expected


@struct.dataclass
class Standardiser:
    """``(x - mean) / std`` per column of the width."""

    mean: Any  # [d]
    std: Any  # [d]


def fit_standardiser(x: Shaped[np.ndarray | jax.Array, "n d"]) -> Standardiser:
    """Mean and ddof-1 standard deviation of the rows, summed in float64; a constant column gets std 1, so it becomes 0.

    The paper's scripts would divide by zero there; CLIP's and DINOv2's cls token at layer 0 is such an input.

    Args:
        x: representations, at least two rows, all finite.

    Returns:
        Statistics in float32.

    Raises:
        InputError: with fewer than two rows, or values that are not finite.

    Example:
        >>> fit_standardiser(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32)).std.tolist()
        [1.4142135381698608, 1.0]
    """
    rows = np.asarray(x)
    if len(rows) < 2:
        raise expected("standardiser", "at least two rows", len(rows))
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    if bad:
        raise expected("representations", "finite numbers", f"{bad} rows with NaN or infinity", "drop those images")
    mean = rows.mean(axis=0, dtype=np.float64)
    std = rows.std(axis=0, ddof=1, dtype=np.float64)
    # A constant column has a std of rounding errors, not of exactly 0.
    flat = std <= 1e-7 * np.abs(mean)
    return Standardiser(
        mean=jnp.asarray(mean, jnp.float32), std=jnp.asarray(np.where(flat | (std == 0), 1.0, std), jnp.float32)
    )


def standardise(standardiser: Standardiser, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """Standardised rows."""
    return (x - standardiser.mean[None]) / standardiser.std[None]
