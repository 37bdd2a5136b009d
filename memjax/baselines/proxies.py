"""Measures of an image among others that were published as correlates of memorability: one row a measure.

``function(x [n, d], options) -> [n]``: one value an image, from one layer's vectors of all images. To add one: write its
function, add its row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from memjax.baselines.neighbours import nearest_neighbours
from memjax.baselines.sparse_coding import (
    SparseCodingConfig,
    learn_dictionary,
    reconstruction_error,
    sample_units,
)


@dataclass(frozen=True)
class ProxyOptions:
    """What a measure may depend on beside the vectors.

    Attributes:
        seed: of everything drawn at random.
        coding: of the sparse coding.
    """

    seed: int = 0
    coding: SparseCodingConfig = field(default_factory=SparseCodingConfig)


@dataclass(frozen=True)
class Proxy:
    """One measure.

    Attributes:
        function: see the module.
        title: how it is called in figures and tables.
        unit: of its values.
        reference: where it was published as a correlate of memorability.
    """

    function: Callable[[Float[np.ndarray, "n d"], ProxyOptions], Float[np.ndarray, " n"]]
    title: str
    unit: str
    reference: str


def nn_distance(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Euclidean distance of each image to the nearest of the others.

    Example:
        >>> nn_distance(np.array([[0.0], [1.0], [3.0]], np.float32), ProxyOptions()).tolist()
        [1.0, 1.0, 2.0]
    """
    return nearest_neighbours(x).distance


def sparse_coding_error(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Squared error of each image's reconstruction from sparse codes of a dictionary that is learnt on the same images.

    Raises:
        InputError: nearly all activations are 0.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
        >>> sparse_coding_error(x, ProxyOptions(coding=SparseCodingConfig(codewords=4, batches=5))).shape
        (20,)
    """
    sample, learn = jax.random.split(jax.random.key(options.seed))
    units = sample_units(sample, jnp.asarray(x), options.coding)
    dictionary, _ = learn_dictionary(learn, units, options.coding)
    return np.asarray(reconstruction_error(units, dictionary, options.coding))


PROXIES: dict[str, Proxy] = {
    "nn_distance": Proxy(
        function=nn_distance,
        title="Distance to the nearest neighbour",
        unit="activation units",
        reference="Lin et al. 2024, Nature Human Behaviour (distinctiveness)",
    ),
    "sparse_coding_error": Proxy(
        function=sparse_coding_error,
        title="Reconstruction error of sparse coding",
        unit="sum of squares, after scaling to the 0.95 quantile",
        reference="Lin et al. 2024, Nature Human Behaviour (reconstruction error)",
    ),
}
"""Name -> measure; in a store the token's name follows: ``nn_distance_cls``."""
