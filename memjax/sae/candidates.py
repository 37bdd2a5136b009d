"""Candidate points: the training rows that the decoder rows of ``archetypal`` are mixtures of."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from memjax.checks import expected
from memjax.sae.standardiser import Standardiser
from memjax.sae.stream import Stream, ahead


def candidate_points(
    stream: Stream, layers: Int[np.ndarray, " m"], standardisers: Standardiser, count: int
) -> Float[Array, "m c d"]:
    """Of each member, standardised: evenly spaced among its training rows, so the same for every seed.

    Args:
        stream: read once.
        layers: each member's layer.
        standardisers: of the members, fields ``[m, d]``.
        count: how many, ``c``.

    Raises:
        InputError: more than there are training rows.

    Example:
        >>> from memjax.sae.stream import whole
        >>> data, rows = np.arange(8, dtype=np.float32).reshape(1, 4, 2), np.arange(4, dtype=np.int32)[None]
        >>> raw = Standardiser(mean=np.zeros((1, 2)), std=np.ones((1, 2)))
        >>> candidate_points(whole(data, rows), np.array([0]), raw, 2).tolist()
        [[[0.0, 1.0], [4.0, 5.0]]]
    """
    sizes = [stream.rows(block).shape[1] for block in range(stream.images.blocks)]
    total = sum(sizes)
    if count > total:
        raise expected("SAE candidates", f"at most the {total} training rows", count, argument="candidates")
    wanted, starts = np.arange(count) * total // count, np.cumsum([0, *sizes])
    found = []
    for block, data in ahead(stream.images.block, range(stream.images.blocks)):
        here = wanted[(wanted >= starts[block]) & (wanted < starts[block + 1])] - starts[block]
        found.append(
            np.stack([data[layer][mine[here]] for layer, mine in zip(layers, stream.rows(block), strict=True)])
        )
    mean, std = np.asarray(standardisers.mean), np.asarray(standardisers.std)
    return jnp.asarray((np.concatenate(found, axis=1) - mean[:, None]) / std[:, None], jnp.float32)
