"""Measures of an image among others that were published as correlates of memorability, and their rivals: one row a measure.

``function(x [n, d], options) -> [n]``: one value an image, from one layer's vectors of all images. To add one: write its
function, add its row. A measure whose model is fitted on the very images that it scores says so (`MeasureRow.in_sample`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from memjax.baselines.density import log_density, neighbour_distances
from memjax.baselines.held_out import score_held_out, splits
from memjax.baselines.linear import count_components, mahalanobis_distance, pca_error, variance_of
from memjax.baselines.neighbours import nearest_neighbours
from memjax.baselines.rows import EXPOSED, MeasureRow
from memjax.baselines.sparse_coding import (
    SparseCodingConfig,
    activation_scale,
    choose_units,
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
        folds: of the measures that are out of sample by folds.
        neighbours: whose distance counts, and that the density's bandwidth reaches.
        components: principal axes; None: as many as have ``variance``.
        variance: the share of a training part's variance that the principal axes have.
    """

    seed: int = 0
    coding: SparseCodingConfig = field(default_factory=SparseCodingConfig)
    folds: int = 5
    neighbours: int = 10
    components: int | None = None
    variance: float = 0.9


Measure = Callable[[Float[np.ndarray, "n d"], ProxyOptions], Float[np.ndarray, " n"]]
"""One layer's vectors of all images, and the options -> one value an image."""


@dataclass(frozen=True, kw_only=True)
class Proxy(MeasureRow):
    """One measure of vectors.

    Attributes:
        function: see the module.
        note: what an image is measured by, with the sizes that the options and the images decide, in words.
    """

    function: Measure
    note: Callable[[Float[np.ndarray, "n d"], ProxyOptions], str]


def nn_distance(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Euclidean distance of each image to the nearest of the others.

    Example:
        >>> nn_distance(np.array([[0.0], [1.0], [3.0]], np.float32), ProxyOptions()).tolist()
        [1.0, 1.0, 2.0]
    """
    return nearest_neighbours(x).distance


def knn_distance(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Mean Euclidean distance of each image to the nearest few of the others, see `neighbour_distances`."""
    return neighbour_distances(x, options.neighbours)


def local_density(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Logarithm of the density of the other images where each image is, see `log_density`."""
    return log_density(x, options.neighbours)


def pca_residual(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Squared length of what the principal axes of the other folds' images leave of each image, see `pca_error`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        >>> pca_residual(x, ProxyOptions(components=1)).shape
        (50,)
    """

    def score(fitted: Float[np.ndarray, "m d"], scored: Float[np.ndarray, "v d"]) -> Float[np.ndarray, " v"]:
        return pca_error(fitted, scored, options.components, options.variance)

    return score_held_out(x, options.folds, options.seed, score)


def components_used(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> str:
    """How many principal axes `pca_residual` takes.

    Example:
        >>> components_used(np.diag([9.0, 3.0, 1.0, 0.1]), ProxyOptions(components=2))
        '2 components'
    """
    if options.components is not None:
        return f"{options.components} components"
    spread = (variance_of(x[fitted]) for fitted, _ in splits(len(x), options.folds, options.seed))
    found = sorted({count_components(variance, options.variance) for variance in spread})
    counts = str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"
    return f"{counts} components: {100 * options.variance:g} % of the variance of each training part"


def mahalanobis(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """Mahalanobis' distance of each image to the images of the other folds, see `mahalanobis_distance`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        >>> mahalanobis(x, ProxyOptions()).shape
        (50,)
    """
    return score_held_out(x, options.folds, options.seed, mahalanobis_distance)


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


def sparse_coding_held_out(x: Float[np.ndarray, "n d"], options: ProxyOptions) -> Float[np.ndarray, " n"]:
    """As `sparse_coding_error`, with a dictionary that is learnt on the images of the other folds, and in their scale.

    Raises:
        InputError: nearly all activations are 0.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
        >>> coding = SparseCodingConfig(codewords=4, batches=5)
        >>> sparse_coding_held_out(x, ProxyOptions(coding=coding, folds=2)).shape
        (20,)
    """
    sample, learn = jax.random.split(jax.random.key(options.seed))
    units = np.asarray(choose_units(sample, jnp.asarray(x), options.coding))

    def score(fitted: Float[np.ndarray, "m d"], scored: Float[np.ndarray, "v d"]) -> Float[np.ndarray, " v"]:
        scale = activation_scale(jnp.asarray(fitted), options.coding)
        dictionary, _ = learn_dictionary(learn, jnp.asarray(fitted) / scale, options.coding)
        error = reconstruction_error(jnp.asarray(scored) / scale, dictionary, options.coding)
        return np.asarray(error * scale**2)

    return score_held_out(units, options.folds, options.seed, score)


LIN = "Lin et al. 2024, Nature Human Behaviour"

PROXIES: dict[str, Proxy] = {
    "nn_distance": Proxy(
        function=nn_distance,
        title="Distance to the nearest neighbour",
        unit="activation units",
        reference=f"{LIN} (distinctiveness)",
        note=lambda x, options: "1 neighbour",
    ),
    "knn_distance": Proxy(
        function=knn_distance,
        title="Mean distance to the nearest neighbours",
        unit="activation units",
        reference=f"after {LIN} (distinctiveness), several neighbours",
        note=lambda x, options: f"{options.neighbours} neighbours",
    ),
    "local_density": Proxy(
        function=local_density,
        title="Log density of the other images",
        unit="natural logarithm",
        reference="Silverman 1986, Density Estimation (Gaussian kernel)",
        note=lambda x, options: f"bandwidth: median distance to neighbour {options.neighbours}",
        direction=-1,
    ),
    "pca_residual": Proxy(
        function=pca_residual,
        title="Residual of PCA",
        unit="sum of squares, activation units",
        reference="Jolliffe 2002, Principal Component Analysis, section 10.1 (outliers)",
        note=components_used,
        linear=True,
    ),
    "mahalanobis": Proxy(
        function=mahalanobis,
        title="Mahalanobis' distance",
        unit="standard deviations",
        reference="Ledoit & Wolf 2004, J. Multivar. Anal. 88 (covariance)",
        note=lambda x, options: f"{x.shape[1]} units, {options.folds} folds",
        linear=True,
    ),
    "sparse_coding_error": Proxy(
        function=sparse_coding_error,
        title="Reconstruction error of sparse coding",
        unit="sum of squares, after scaling to the 0.95 quantile",
        reference=f"{LIN} (reconstruction error)",
        note=lambda x, options: f"{options.coding.codewords} codewords, learnt on the same images",
        in_sample=True,
    ),
    "sparse_coding_held_out": Proxy(
        function=sparse_coding_held_out,
        title="Reconstruction error of sparse coding, out of sample",
        unit="sum of squares, activation units",
        reference=f"after {LIN} (reconstruction error)",
        note=lambda x, options: f"{options.coding.codewords} codewords, {options.folds} folds",
    ),
}
"""Name -> measure; in a store the token's name follows: ``nn_distance_cls``."""


ROWS: dict[str, MeasureRow] = PROXIES | EXPOSED
"""Of vectors and of images."""


def proxy_of(name: str) -> str:
    """The row that a measure's name in tables or store begins with; empty where there is none.

    Example:
        >>> proxy_of("sparse_coding_error_cls"), proxy_of("cls_norm")
        ('sparse_coding_error', '')
    """
    return max((row for row in ROWS if f"{name}_".startswith(f"{row}_")), key=len, default="")
