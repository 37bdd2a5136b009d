"""Distinctiveness: the distance of each image to its nearest neighbour among the others (Lin et al. 2024).

Exact search in tiles: of each tile of candidates the closest by the matrix-product form of the distance is taken, its distance
then computed from the difference itself, so that cancellation never reaches a reported number. Memory is that of one tile
(``rows x columns``), whatever the number of images.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Shaped

from memjax.checks import expected


@struct.dataclass
class Neighbours:
    """Nearest other row of each row, int32 ``[n]``, and the Euclidean distance to it ``[n]`` (units of the features)."""

    index: np.ndarray
    distance: np.ndarray


@jax.jit
def _nearest(
    queries: Float[Array, "r d"], places: Array, candidates: Float[Array, "g c d"], lengths: Float[Array, "g c"]
) -> tuple[Array, Array]:
    """Best over the candidate tiles ``g`` for one tile of queries; ``places`` are the queries' own rows, left out."""
    columns = candidates.shape[1]

    def body(best: tuple[Array, Array], tile: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        rows, squares, first = tile
        score = squares[None] - 2 * jnp.matmul(queries, rows.T, precision="highest")
        own = places[:, None] == (first + jnp.arange(columns, dtype=jnp.int32))[None]
        local = jnp.argmin(jnp.where(own, jnp.inf, score), axis=1).astype(jnp.int32)
        found = jnp.sum((queries - rows[local]) ** 2, axis=1)
        usable = jnp.isfinite(squares[local]) & (first + local != places)
        better = usable & (found < best[1])
        return (jnp.where(better, first + local, best[0]), jnp.where(better, found, best[1])), None

    firsts = jnp.arange(candidates.shape[0], dtype=jnp.int32) * columns
    start = (jnp.full(places.shape, -1, jnp.int32), jnp.full(places.shape, jnp.inf, queries.dtype))
    (index, square), _ = jax.lax.scan(body, start, (candidates, lengths, firsts))
    return index, square


def nearest_neighbours(x: Shaped[np.ndarray | jax.Array, "n d"], rows: int = 1024, columns: int = 8192) -> Neighbours:
    """Nearest other row of every row, by Euclidean distance.

    Args:
        x: features, at least two rows, finite; computed in float32 after subtracting the mean row.
        rows, columns: the tile; memory is about ``4 rows columns`` bytes beside the features.

    Returns:
        Index and distance; among equal distances any of the nearest may be named.

    Raises:
        InputError: with fewer than two rows or values that are not finite.

    Example:
        >>> found = nearest_neighbours(np.array([[0.0], [1.0], [3.0]], np.float32))
        >>> found.index.tolist(), found.distance.tolist()
        ([1, 0, 1], [1.0, 1.0, 2.0])
    """
    features = np.asarray(x, np.float32)
    n, d = features.shape
    if n < 2 or not np.isfinite(features).all():
        raise expected("nearest neighbours", "two rows or more, all finite", f"{n} rows, some perhaps not finite")
    features = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows, columns = min(rows, n), min(columns, n)
    tiles = -(-n // columns)
    candidates = np.zeros((tiles * columns, d), np.float32)
    candidates[:n] = features
    lengths = np.full(tiles * columns, np.inf, np.float32)
    lengths[:n] = np.einsum("nd,nd->n", features, features)
    placed = jnp.asarray(candidates.reshape(tiles, columns, d)), jnp.asarray(lengths.reshape(tiles, columns))
    index, square = np.empty(n, np.int32), np.empty(n, np.float32)
    for start in range(0, n, rows):
        # The last tile of queries starts early enough to be full: one shape, one compilation.
        first = min(start, n - rows)
        places = jnp.arange(first, first + rows, dtype=jnp.int32)
        found = _nearest(jnp.asarray(features[first : first + rows]), places, *placed)
        index[first : first + rows], square[first : first + rows] = np.asarray(found[0]), np.asarray(found[1])
    return Neighbours(index=index, distance=np.sqrt(square))
