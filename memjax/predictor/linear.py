"""A score that is linear in what an encoder makes of an image: token vectors of its layers, or measures of them."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from memjax.precision import full_precision

Weights = Mapping[str, Float[np.ndarray | Array, "..."]]
"""Variable (``cls``, ``mean``, ``pooled``, a metric) -> weights in the shape of one image's values; 0 where it is not read."""

ByEncoder = Mapping[str, Weights]
"""Encoder -> its weights."""


@full_precision
def weighted_sum(weights: Weights, values: Mapping[str, Float[np.ndarray | Array, "..."]]) -> Float[Array, ""]:
    """What one encoder adds to the score of an image; values that have no weight may be NaN.

    Args:
        weights: of the encoder.
        values: of one image, as `memjax.measure.image_features` gives them.

    Example:
        >>> float(weighted_sum({"cls": np.array([[0.0], [2.0]])}, {"cls": np.array([[np.nan], [3.0]])}))
        6.0
    """
    parts = [jnp.where(w == 0, 0, w * values[name]).sum() for name, w in weights.items()]
    return jnp.sum(jnp.stack(parts)) if parts else jnp.zeros(())


def weighted_sums(weights: Weights, values: Mapping[str, Float[np.ndarray, "n ..."]]) -> Float[np.ndarray, " n"]:
    """As `weighted_sum`, in float64, of many images whose values are stored.

    Example:
        >>> weighted_sums({"cls": np.array([[0.0], [2.0]])}, {"cls": np.array([[[np.nan], [3.0]]])}).tolist()
        [6.0]
    """
    total = np.zeros(len(next(iter(values.values()))))
    for name, w in weights.items():
        read = np.asarray(w) != 0
        total += values[name][:, read].astype(np.float64) @ np.asarray(w, np.float64)[read]
    return total
