"""Permutation tests: scores are shuffled over images, all columns at once. NaN, ties, constants: see `correlation`."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Array, Float

from memjax.checks import expected
from memjax.precision import full_precision
from memjax.stats.correlation import check_columns

PERMUTATIONS_PER_CHUNK = 256


@dataclass(frozen=True)
class PermutationTest:
    """float64 ``[k]``: the coefficient, its two-sided p, and p corrected for the family of all columns (max
    statistic)."""

    rho: np.ndarray
    p: np.ndarray
    p_family: np.ndarray


def permutation_test(
    x: np.ndarray, y: np.ndarray, method: str = "spearman", n_perm: int = 10_000, seed: int = 0
) -> PermutationTest:
    """Two-sided permutation test of every column of ``x [n, k]`` with ``y [n]``.

    p = (1 + number of permutations with |rho| at least the observed) / (1 + n_perm), so it is never 0. ``p_family``
    compares with the largest |rho| over all columns in the same permutation (Westfall & Young), which keeps the
    family-wise error whatever the dependence between layers. One permutation serves all columns, so images with a
    missing value in ANY column that is not wholly missing are dropped. Kendall is not offered: its permutation costs
    O(n^2) a column and draw.

    Raises:
        InputError: unknown method, or Kendall.
    """
    if method == "kendall":
        raise expected("permutation_test method", "spearman or pearson", "kendall", "use correlate's exact p instead")
    x, y = check_columns(x, y, method)
    columns = np.flatnonzero(np.isfinite(x).any(axis=0))
    rows = np.isfinite(x[:, columns]).all(axis=1) & np.isfinite(y)
    out = PermutationTest(*(np.full(x.shape[1], np.nan) for _ in range(3)))
    values, score = x[np.ix_(rows, columns)], y[rows]
    if len(score) < 3 or np.ptp(score) == 0:
        return out
    if method == "spearman":
        values, score = scipy.stats.rankdata(values, axis=0), scipy.stats.rankdata(score)
    varied = np.ptp(values, axis=0) > 0
    columns, z = columns[varied], _unit(values[:, varied])
    shuffled = _unit(score[:, None])[:, 0]
    observed = shuffled @ z
    out.rho[columns] = observed
    counts, family = _count(z, shuffled, np.abs(observed), n_perm, seed)
    out.p[columns], out.p_family[columns] = (1 + counts) / (1 + n_perm), (1 + family) / (1 + n_perm)
    return out


def _unit(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    return x / np.sqrt((x**2).sum(axis=0))


def _count(z: np.ndarray, score: np.ndarray, observed: np.ndarray, n_perm: int, seed: int):
    """How many permutations reach each column's |rho|: by the column itself, and by the largest of all columns."""
    # A millionth of slack: a permutation that only swaps tied images must count as reaching the observed value.
    z, threshold = jnp.asarray(z, jnp.float32), (observed - 1e-6).astype(np.float32)
    score = jnp.asarray(score, jnp.float32)
    counts, family = np.zeros(len(observed), np.int64), np.zeros(len(observed), np.int64)
    key = jax.random.key(seed)
    for start in range(0, n_perm, PERMUTATIONS_PER_CHUNK):
        size = min(PERMUTATIONS_PER_CHUNK, n_perm - start)
        rho = np.asarray(_permuted(z, score, jax.random.fold_in(key, start), PERMUTATIONS_PER_CHUNK))[:size]
        counts += (rho >= threshold).sum(axis=0)
        family += (rho.max(axis=1, keepdims=True) >= threshold).sum(axis=0)
    return counts, family


@partial(jax.jit, static_argnames=("size",))
@full_precision
def _permuted(z: Float[Array, "n k"], score: Float[Array, " n"], key: Array, size: int) -> Float[Array, "r k"]:
    shuffles = jax.vmap(lambda k: jax.random.permutation(k, score))(jax.random.split(key, size))
    return jnp.abs(shuffles @ z)
