"""Mean and standard deviation of representations, as the paper takes them: over images, with ``ddof=1``."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Shaped

from memjax.axes import Leaf
from memjax.checks import expected


@struct.dataclass
class Standardiser:
    """``(x - mean) / std`` per column of the width."""

    mean: Leaf  # [d]
    std: Leaf  # [d]


@dataclass(frozen=True)
class Moments:
    """Of rows that need not be in memory together: their number, mean, and sum of squared deviations; float64 ``[d]``."""

    n: int
    mean: np.ndarray
    squares: np.ndarray

    def __add__(self, other: "Moments") -> "Moments":
        """Of both sets of rows (Chan, Golub & LeVeque 1979)."""
        n = self.n + other.n
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * (self.n * other.n / n)
        return Moments(n, self.mean + apart * (other.n / n), squares)


def moments(x: Shaped[np.ndarray | jax.Array, "n d"]) -> Moments:
    """Of the rows of ``x``, at least one.

    Raises:
        InputError: with values that are not finite.
    """
    rows = np.asarray(x)
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    if bad:
        raise expected("representations", "finite numbers", f"{bad} rows with NaN or infinity", "drop those images")
    mean = rows.mean(axis=0, dtype=np.float64)
    return Moments(len(rows), mean, len(rows) * rows.var(axis=0, dtype=np.float64))


def standardiser_of(found: Moments) -> Standardiser:
    """Mean and ddof-1 standard deviation, float32; a constant column gets std 1, so it becomes 0.

    The paper's scripts would divide by zero there; CLIP's and DINOv2's cls token at layer 0 is such an input.

    Raises:
        InputError: with fewer than two rows.
    """
    if found.n < 2:
        raise expected("standardiser", "at least two rows", found.n)
    std = np.sqrt(found.squares / (found.n - 1))
    # A constant column has a std of rounding errors, not of exactly 0.
    flat = std <= 1e-7 * np.abs(found.mean)
    return Standardiser(
        mean=jnp.asarray(found.mean, jnp.float32), std=jnp.asarray(np.where(flat | (std == 0), 1.0, std), jnp.float32)
    )


def parted(both: Standardiser, width: int) -> tuple[Standardiser, Standardiser | None]:
    """Of inputs of this width, and of the targets that stand behind them; None where none do.

    Example:
        >>> mine, targets = parted(Standardiser(mean=np.arange(3.0), std=np.ones(3)), 2)
        >>> mine.mean.tolist(), targets.mean.tolist()
        ([0.0, 1.0], [2.0])
    """
    mine = Standardiser(mean=both.mean[:width], std=both.std[:width])
    return mine, Standardiser(mean=both.mean[width:], std=both.std[width:]) if len(both.mean) > width else None


def centring(standardiser: Standardiser) -> Standardiser:
    """The same mean, and 1 as every standard deviation: for encoders that are their decoder's transpose, of the same vectors.

    Columns scaled by different numbers would leave it the transpose in the standardised space alone.
    """
    return Standardiser(mean=standardiser.mean, std=jnp.ones_like(standardiser.std))


def fit_standardiser(x: Shaped[np.ndarray | jax.Array, "n d"]) -> Standardiser:
    """`standardiser_of` the `moments` of rows that are in memory.

    Example:
        >>> fit_standardiser(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32)).std.tolist()
        [1.4142135381698608, 1.0]
    """
    return standardiser_of(moments(x))


def standardise(standardiser: Standardiser, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """Standardised rows."""
    return (x - standardiser.mean[None]) / standardiser.std[None]
