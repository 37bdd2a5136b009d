"""Permutation tests: scores are shuffled over images, all columns at once. NaN, ties, constants: see `correlation`."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # its parts are loaded when first used
from jaxtyping import Array, Float, Int

from memjax.checks import expected
from memjax.precision import full_precision
from memjax.stats.correlation import check_columns

PERMUTATIONS_PER_CHUNK = 256

JITTER = 1e-9
"""Added to the variances of columns, some of which may determine others, before their covariance is factorised."""


@dataclass(frozen=True)
class PermutationTest:
    """float64 ``[k]``: the coefficient, its two-sided p, and p corrected for the family of all columns (max
    statistic)."""

    rho: np.ndarray
    p: np.ndarray
    p_family: np.ndarray


class _Complete(NamedTuple):
    """Columns that vary, of unit length, over the images that have all of them; ``columns`` are their positions."""

    columns: Int[np.ndarray, " k"]
    z: Float[np.ndarray, "n k"]
    score: Float[np.ndarray, " n"]


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
    found = _complete(x, y, method)
    if found is None:
        return _result(np.shape(x)[1])
    observed = found.score @ found.z
    counts, family = _count(found, np.abs(observed), n_perm, seed)
    return _result(np.shape(x)[1], found.columns, observed, (1 + counts) / (1 + n_perm), (1 + family) / (1 + n_perm))


def permutation_limit(
    x: np.ndarray, y: np.ndarray, method: str = "spearman", n_draws: int = 10_000, seed: int = 0
) -> PermutationTest:
    """What `permutation_test` comes to with many images, in a time that hardly grows with them. Arguments as there.

    Over all permutations the coefficients have the covariance R / (n - 1), R being the columns' own correlations, and with
    many images their distribution is normal (Hoeffding 1951, Ann. Math. Stat. 22): the largest is compared with the largest of
    normal draws of that covariance.
    """
    found = _complete(x, y, method)
    if found is None:
        return _result(np.shape(x)[1])
    observed = found.score @ found.z
    reached = np.abs(observed) * np.sqrt(len(found.score) - 1)
    factor = np.linalg.cholesky(found.z.T @ found.z + JITTER * np.eye(len(found.columns)))
    rng, family = np.random.default_rng(seed), np.zeros(len(reached), np.int64)
    for start in range(0, n_draws, PERMUTATIONS_PER_CHUNK):
        size = min(PERMUTATIONS_PER_CHUNK, n_draws - start)
        largest = np.abs(rng.normal(size=(size, len(reached))) @ factor.T).max(axis=1)
        family += (largest[:, None] >= reached).sum(axis=0)
    p = 2 * scipy.stats.norm.sf(reached)
    return _result(np.shape(x)[1], found.columns, observed, p, (1 + family) / (1 + n_draws))


def _complete(x: np.ndarray, y: np.ndarray, method: str) -> _Complete | None:
    """The images and columns that a permutation serves; None where the scores, or fewer than three of them, do not vary."""
    if method == "kendall":
        raise expected("permutation_test method", "spearman or pearson", "kendall", "use correlate's exact p instead")
    x, y = check_columns(x, y, method)
    columns = np.flatnonzero(np.isfinite(x).any(axis=0))
    rows = np.isfinite(x[:, columns]).all(axis=1) & np.isfinite(y)
    values, score = x[np.ix_(rows, columns)], y[rows]
    if len(score) < 3 or np.ptp(score) == 0:
        return None
    if method == "spearman":
        values, score = scipy.stats.rankdata(values, axis=0), scipy.stats.rankdata(score)
    varied = np.ptp(values, axis=0) > 0
    if not varied.any():
        return None
    return _Complete(columns[varied], _unit(values[:, varied]), _unit(score[:, None])[:, 0])


def _result(k: int, columns: np.ndarray | slice = slice(0), *found: np.ndarray) -> PermutationTest:
    """Coefficient, p and p of the family where there are any, NaN elsewhere."""
    out = PermutationTest(*(np.full(k, np.nan) for _ in range(3)))
    for whole, part in zip((out.rho, out.p, out.p_family), found):
        whole[columns] = part
    return out


def _unit(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    return x / np.sqrt((x**2).sum(axis=0))


def _count(found: _Complete, observed: np.ndarray, n_perm: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """How many permutations reach each column's |rho|: by the column itself, and by the largest of all columns."""
    # A millionth of slack: a permutation that only swaps tied images must count as reaching the observed value.
    z, threshold = jnp.asarray(found.z, jnp.float32), (observed - 1e-6).astype(np.float32)
    whole = np.tile(found.score.astype(np.float32), (PERMUTATIONS_PER_CHUNK, 1))
    counts, family = np.zeros(len(observed), np.int64), np.zeros(len(observed), np.int64)
    rng = np.random.default_rng(seed)
    for start in range(0, n_perm, PERMUTATIONS_PER_CHUNK):
        size = min(PERMUTATIONS_PER_CHUNK, n_perm - start)
        rho = np.asarray(_sizes(rng.permuted(whole, axis=1), z))[:size]
        counts += (rho >= threshold).sum(axis=0)
        family += (rho.max(axis=1, keepdims=True) >= threshold).sum(axis=0)
    return counts, family


@jax.jit
@full_precision
def _sizes(shuffled: Float[Array, "r n"], z: Float[Array, "n k"]) -> Float[Array, "r k"]:
    return jnp.abs(shuffled @ z)
