"""Ridge regression from sums over images: every fold, inner fold, penalty and permutation of the scores at once.

Sums of the images of each fold (`Sums`) are added to those of any union of folds. What a model fitted on some folds does on
another follows from that fold's sums alone, so the images are read once, in any number of pieces, and a cross-validation costs
one eigendecomposition for each set of folds that is fitted on.

Nested: the model for the images of fold i is fitted on the other folds, with the penalty whose models, fitted without i and j,
have the smallest squared error on fold j, summed over all other j. A model without i and j serves both.

All in float64, on the default device where that is a CPU or a GPU; a TPU's host computes it.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from memjax.precision import full_precision

PENALTIES = tuple(np.logspace(-5, 5, 21).tolist())
"""In units of a standardised column's variance: the penalty on a weight's square beside the mean squared error of an image."""


@struct.dataclass
class Sums:
    """Sums over some images, of columns ``x [n, k]`` and scores ``y [n, r]`` (the scores, and permutations of them).

    Attributes:
        count: of the images.
        x, y: sums, ``[k]`` and ``[r]``.
        xx, xy: sums of products, ``[k, k]`` and ``[k, r]``.
        yy: sums of squares, ``[r]``.
    """

    count: Float[Array, "*f"]
    x: Float[Array, "*f k"]
    y: Float[Array, "*f r"]
    xx: Float[Array, "*f k k"]
    xy: Float[Array, "*f k r"]
    yy: Float[Array, "*f r"]


@struct.dataclass
class Path:
    """The models of all penalties, fitted on the same images: in the basis in which the columns are uncorrelated.

    Attributes:
        basis, variances: eigenvectors ``[k, k]`` and eigenvalues ``[k]`` of the columns' covariance.
        covariance: of the scores with the columns, in that basis, ``[k, r]``.
        mean_x, mean_y: of the images.
    """

    basis: Float[Array, "k k"]
    variances: Float[Array, " k"]
    covariance: Float[Array, "k r"]
    mean_x: Float[Array, " k"]
    mean_y: Float[Array, " r"]


@struct.dataclass
class Fits:
    """Models of every outer fold, each fitted on the other folds with the penalty chosen inside them.

    Attributes:
        weights: ``[f, k, r]``.
        intercept: ``[f, r]``.
        chosen: which penalty, ``[f, r]``.
        error: sum of squares over the inner folds at that penalty, ``[f, r]``.
        mean_y: of the images that were fitted on, ``[f, r]``.
    """

    weights: Float[Array, "f k r"]
    intercept: Float[Array, "f r"]
    chosen: Int[Array, "f r"]
    error: Float[Array, "f r"]
    mean_y: Float[Array, "f r"]


@contextmanager
def in_float64() -> Iterator[None]:
    """A block in which JAX computes in float64, on a device that can."""
    device = None if jax.default_backend() in ("cpu", "gpu") else jax.local_devices(backend="cpu")[0]
    with jax.enable_x64(True), jax.default_device(device):
        yield


def sums_of(x: Float[np.ndarray | Array, "n k"], y: Float[np.ndarray | Array, "n r"]) -> Sums:
    """Sums of some images.

    Example:
        >>> sums_of(jnp.ones((3, 2)), jnp.ones((3, 1))).xx.tolist()
        [[3.0, 3.0], [3.0, 3.0]]
    """
    return _sums_of(jnp.asarray(x), jnp.asarray(y))


@jax.jit
@full_precision
def _sums_of(x: Float[Array, "n k"], y: Float[Array, "n r"]) -> Sums:
    return Sums(jnp.asarray(len(x), x.dtype), x.sum(0), y.sum(0), x.T @ x, x.T @ y, (y * y).sum(0))


def stacked(folds: list[Sums]) -> Sums:
    """The sums of each fold, along a first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *folds)


def _path(of: Sums) -> Path:
    mean_x, mean_y = of.x / of.count, of.y / of.count
    variances, basis = jnp.linalg.eigh(of.xx / of.count - jnp.outer(mean_x, mean_x))
    covariance = basis.T @ (of.xy / of.count - jnp.outer(mean_x, mean_y))
    return Path(basis, jnp.maximum(variances, 0), covariance, mean_x, mean_y)


def _errors(path: Path, held: Sums, penalties: Float[Array, " a"]) -> Float[Array, "a r"]:
    """Sum of squared errors of a path's models, at each penalty, on images that they were not fitted on."""
    n, mean_x, mean_y = held.count, path.mean_x, path.mean_y
    across = jnp.outer(held.x, mean_x)
    xx = path.basis.T @ (held.xx - across - across.T + n * jnp.outer(mean_x, mean_x)) @ path.basis
    xy = held.xy - jnp.outer(held.x, mean_y) - jnp.outer(mean_x, held.y) + n * jnp.outer(mean_x, mean_y)
    xy, yy = path.basis.T @ xy, held.yy - 2 * mean_y * held.y + n * mean_y**2

    def at(penalty: Float[Array, ""]) -> Float[Array, " r"]:
        weights = path.covariance / (path.variances + penalty)[:, None]
        return yy - 2 * (weights * xy).sum(0) + (weights * (xx @ weights)).sum(0)

    return jax.lax.map(at, penalties)


def _chosen_models(path: Path, penalty: Float[Array, " r"]) -> tuple[Float[Array, "k r"], Float[Array, " r"]]:
    weights = path.basis @ (path.covariance / (path.variances[:, None] + penalty[None]))
    return weights, path.mean_y - path.mean_x @ weights


def cross_validated(folds: Sums, penalties: tuple[float, ...] = PENALTIES) -> Fits:
    """Nested cross-validation from the sums of each fold, see the module; inside `in_float64`.

    Args:
        folds: with the folds along the first axis, three or more.
        penalties: to choose from.
    """
    return _cross_validated(folds, jnp.asarray(penalties))


@jax.jit
@full_precision
def _cross_validated(folds: Sums, penalties: Float[Array, " a"]) -> Fits:
    count = folds.count.shape[0]
    total = jax.tree.map(lambda leaf: leaf.sum(0), folds)

    def fold(i: Array) -> Sums:
        return jax.tree.map(lambda leaf: leaf[i], folds)

    def without(*out: Sums) -> Sums:
        return jax.tree.map(lambda leaf, *others: leaf - sum(others), total, *out)

    def pair(errors: Array, ij: Array) -> tuple[Array, None]:
        i, j = fold(ij[0]), fold(ij[1])
        path = _path(without(i, j))
        errors = errors.at[ij[0]].add(_errors(path, j, penalties))
        return errors.at[ij[1]].add(_errors(path, i, penalties)), None

    pairs = jnp.asarray(list(itertools.combinations(range(count), 2)))
    shape = (count, len(penalties), folds.y.shape[1])
    errors, _ = jax.lax.scan(pair, jnp.zeros(shape, folds.y.dtype), pairs)
    chosen = errors.argmin(axis=1)

    def outer(i: Array) -> tuple[Array, Array, Array]:
        path = _path(without(fold(i)))
        return *_chosen_models(path, penalties[chosen[i]]), path.mean_y

    weights, intercept, mean_y = jax.lax.map(outer, jnp.arange(count))
    return Fits(weights, intercept, chosen, errors.min(axis=1), mean_y)


def fitted(folds: Sums, penalties: tuple[float, ...] = PENALTIES) -> tuple[np.ndarray, np.ndarray, int]:
    """The model of all images, with the penalty of the smallest error over folds; inside `in_float64`.

    Args:
        folds: with the folds along the first axis, two or more.
        penalties: to choose from.

    Returns:
        Weights ``[k, r]``, intercept ``[r]``, and which penalty (of the first scores).
    """
    weights, intercept, chosen = _fitted(folds, jnp.asarray(penalties))
    return np.asarray(weights), np.asarray(intercept), int(chosen)


@jax.jit
@full_precision
def _fitted(folds: Sums, penalties: Float[Array, " a"]) -> tuple[Array, Array, Array]:
    total = jax.tree.map(lambda leaf: leaf.sum(0), folds)

    def held(i: Array) -> Array:
        one = jax.tree.map(lambda leaf: leaf[i], folds)
        return _errors(_path(jax.tree.map(jnp.subtract, total, one)), one, penalties)[:, 0]

    chosen = jax.lax.map(held, jnp.arange(folds.count.shape[0])).sum(0).argmin()
    return *_chosen_models(_path(total), jnp.full(folds.y.shape[1:], penalties[chosen])), chosen
