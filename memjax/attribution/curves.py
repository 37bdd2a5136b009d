"""Does a map find what matters? Patches are taken away, or brought back, in the order of the map, beside random orders.

Deletion starts from the image and puts the baseline into the patches that the map ranks highest; insertion starts from the
baseline and brings them back. A map that ranks well makes the score fall soon and rise soon: the area under insertion less that
under deletion is large. For random orders its expected value is exactly 0: what deletion leaves of a random order is as random as
what insertion has brought back.
"""

import dataclasses
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from memjax.attribution.contrast import Contrast, ImageScore
from memjax.axes import Array, Float, Leaf, Pytree


@struct.dataclass
class Curves:
    """The score along the orders of some maps.

    Attributes:
        shares: of the patches that are deleted or inserted, from 0 to 1, ``[q]``.
        deletion: score with that share taken away, ``[r, q]``.
        insertion: score with that share brought back, ``[r, q]``.
    """

    shares: Annotated[Leaf, "q"]
    deletion: Annotated[Leaf, "r q"]
    insertion: Annotated[Leaf, "r q"]

    @property
    def areas(self) -> tuple[Float[np.ndarray, "r"], Float[np.ndarray, "r"]]:
        """Mean score along deletion and along insertion (trapezoids), in units of the score."""
        shares = np.asarray(self.shares, float)
        deletion, insertion = (np.asarray(x, float) for x in (self.deletion, self.insertion))
        return np.trapezoid(deletion, shares, axis=-1), np.trapezoid(insertion, shares, axis=-1)

    @property
    def gains(self) -> Float[np.ndarray, "r"]:
        """Area under insertion less that under deletion; 0 on average for random orders."""
        deletion, insertion = self.areas
        return insertion - deletion


def curves_of(
    score: ImageScore,
    params: Pytree,
    contrast: Contrast,
    maps: Float[Array, "r gy gx"],
    points: int = 11,
    batch: int = 8,
) -> Curves:
    """Deletion and insertion curves in the orders of some maps, highest value first; of equal values the upper left first.

    Args:
        score: what is explained; static under jit.
        params: the encoder's.
        contrast: the image, and what stands in deleted patches.
        maps: a value for each patch.
        points: of each curve, both ends among them; static under jit.
        batch: images that are computed together; static under jit.

    Reference:
        Petsiuk, Das & Saenko 2018, RISE: Randomized Input Sampling for Explanation of Black-box Models.

    Example:
        >>> from memjax.attribution.contrast import contrast_of
        >>> image = jnp.zeros((4, 4, 3)).at[:2, :2].set(1.0)
        >>> found = curves_of(lambda _, x: x.sum(), None, contrast_of(image, 2), jnp.eye(2)[None], points=5)
        >>> found.deletion.tolist(), found.insertion.tolist()
        ([[12.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 12.0, 12.0, 12.0, 12.0]])
    """
    rows, columns = contrast.grid
    counts = np.unique(np.round(np.linspace(0, rows * columns, points)).astype(np.int32))
    ranks = jnp.argsort(jnp.argsort(-maps.reshape(len(maps), -1), axis=-1), axis=-1).reshape(-1, 1, rows, columns)
    taken = ranks < jnp.asarray(counts[1:-1], ranks.dtype)[None, :, None, None]
    hidden = jnp.stack([taken, ~taken])
    inner = jax.lax.map(
        lambda mask: score(params, contrast.without(mask)), hidden.reshape(-1, rows, columns), batch_size=batch
    ).reshape(hidden.shape[:3])
    whole, none = (jnp.broadcast_to(score(params, x), (len(maps), 1)) for x in (contrast.image, contrast.baseline))
    return Curves(
        shares=jnp.asarray(counts / counts[-1], jnp.float32),
        deletion=jnp.concatenate([whole, inner[0], none], axis=1),
        insertion=jnp.concatenate([none, inner[1], whole], axis=1),
    )


def random_orders(count: int, grid: tuple[int, int], seed: int = 0) -> Float[Array, "r gy gx"]:
    """Maps whose orders are random, each from a seed of its own: ``seed``, ``seed + 1``, ..."""
    keys = jax.vmap(jax.random.key)(jnp.arange(seed, seed + count, dtype=jnp.uint32))
    return jax.vmap(lambda key: jax.random.permutation(key, grid[0] * grid[1]).reshape(grid).astype(jnp.float32))(keys)


@dataclasses.dataclass(frozen=True)
class AgainstRandom:
    """One map's curves beside those of random orders, of one image.

    Attributes:
        deletion, insertion: areas, in units of the score.
        gain: insertion less deletion.
        random_deletion, random_insertion: mean areas of random orders.
        random_spread: standard deviation of the gains of random orders.
        p: (1 + random orders that gain as much) / (1 + random orders), one-sided: exact where an order says nothing of the image.
    """

    deletion: float
    insertion: float
    gain: float
    random_deletion: float
    random_insertion: float
    random_spread: float
    p: float


def against_random(curves: Curves, maps: int) -> tuple[AgainstRandom, ...]:
    """The first ``maps`` of the curves, each beside all that follow, which are those of random orders.

    Example:
        >>> ends = jnp.array([0.0, 1.0])
        >>> curves = Curves(ends, jnp.array([[1.0, 0.0], [1.0, 0.5]]), jnp.array([[0.0, 2.0], [0.0, 1.0]]))
        >>> [(found.gain, found.random_insertion, found.p) for found in against_random(curves, 1)]
        [(0.5, 0.5, 0.5)]
    """
    (deletion, insertion), gains = curves.areas, curves.gains
    random = gains[maps:]
    spread = float(random.std(ddof=1)) if len(random) > 1 else float("nan")
    return tuple(
        AgainstRandom(
            deletion=float(deletion[i]),
            insertion=float(insertion[i]),
            gain=float(gains[i]),
            random_deletion=float(deletion[maps:].mean()),
            random_insertion=float(insertion[maps:].mean()),
            random_spread=spread,
            p=float((1 + (~(random < gains[i])).sum()) / (1 + len(random))),  # 1 where a score is NaN
        )
        for i in range(maps)
    )
