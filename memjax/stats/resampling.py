"""Correlations of weighted samples: one kernel for the bootstrap and the jackknife, all columns and resamples at once.

A resample of ``n`` images is a vector of counts ``w`` (multinomial for the bootstrap; ones with a single zero for the
jackknife). Every function takes complete columns (no NaN) and ``weights [n, r]`` (``r`` resamples), and returns float32
``[r, k]``. A resample in which a column or the scores are constant gives NaN.

Spearman is re-ranked within each resample, exactly, ties included. With the images in sorted order the mid-rank of a
group of tied images is (count before it) + (count in it + 1) / 2, so one pass over the sorted images accumulates

    S = sum_g U_g (C_g + W_g / 2),     T = sum_g W_g^3,     variance of the ranks = (n^3 - T) / 12,

where ``W_g`` is the group's count, ``C_g`` the count before it and ``U_g`` its sum of ``w`` times the centred mid-rank
of the score. The pass is a `lax.scan` over images whose vectors hold every column and resample: contiguous, no sort, no
cumsum over a strided axis.

Products are of full float32 on every device, whatever the precision of the encoder that gave the columns.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from memjax.precision import full_precision

RESAMPLES_PER_CHUNK = 128
"""Resamples in one pass: a thread's working set is about ``128 * (5 k + 2 n)`` floats, whatever ``n_boot`` is."""

THREADS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
"""Chunks computed at once. XLA runs the pass over images on one core, so chunks share the cores."""

EXACT_KENDALL_LIMIT = 1_000
"""Above this many images the Kendall bootstrap is linearised, see `weighted_kendall`."""

MEMORY = 2**31
"""Bytes, about, that the chunks which are computed at once may take."""

_DRAWN_AT_ONCE = 2**24


def threads_for(n: int, each: int = 7 * 4 * RESAMPLES_PER_CHUNK) -> int:
    """How many pieces of work over ``n`` images are done at once, of so many bytes an image ``each``; by default chunks of
    resamples, which take about seven arrays of float32.
    """
    return max(1, min(THREADS, MEMORY // (each * n)))


def bootstrap_weights(n: int, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """Counts of ``n_boot`` resamples with replacement of ``n`` images: float32 ``[n, n_boot]``."""
    counts = np.empty((n_boot, n), np.float32)
    step = max(1, _DRAWN_AT_ONCE // n)
    for start in range(0, n_boot, step):
        rows = counts[start : start + step]
        draws = rng.integers(0, n, size=rows.shape) + n * np.arange(len(rows))[:, None]
        rows[:] = np.bincount(draws.ravel(), minlength=rows.size).reshape(rows.shape)
    return counts.T


def _sorted_groups(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending order of each column (int32 ``[n, k]``) and where a run of equal values ends (bool ``[n, k]``)."""
    order = np.argsort(x, axis=0, kind="stable")
    values = np.take_along_axis(x, order, axis=0)
    ends = np.ones(x.shape, bool)
    ends[:-1] = values[1:] != values[:-1]
    return order.astype(np.int32), ends


@jax.jit
def _rank_pass(
    order: Int[Array, "n k"], ends: Bool[Array, "n k"], weights: Int[Array, "n r"], moments: Float[Array, "n r"]
) -> tuple[Float[Array, "k r"], Float[Array, "k r"]]:
    """``S`` and ``T`` of the module's docstring; ``moments`` holds each image's share of ``U``."""
    n, n_columns = order.shape
    zeros = jnp.zeros((n_columns, weights.shape[1]), jnp.float32)

    def one_image(carry, row):
        w, u, before, s, t = carry
        image, end = row[0], row[1][:, None]
        w = w + weights.at[image].get(mode="promise_in_bounds").astype(jnp.float32)
        u = u + moments.at[image].get(mode="promise_in_bounds")
        closed_w, closed_u = jnp.where(end, w, 0), jnp.where(end, u, 0)
        s = s + closed_u * (before + 0.5 * w)
        t = t + closed_w * w * w
        return (w - closed_w, u - closed_u, before + closed_w, s, t), None

    # Centred ranks: the count before starts at -n / 2. float32 holds it exactly up to 2^23 images.
    carry, _ = jax.lax.scan(one_image, (zeros, zeros, zeros - n / 2, zeros, zeros), (order, ends), unroll=4)
    return carry[3], carry[4]


@jax.jit
def _centred_ranks(
    order: Int[Array, " n"], group: Int[Array, " n"], weights: Float[Array, "n r"]
) -> Float[Array, "n r"]:
    """Mid-ranks of one column within each resample, minus their mean; ``group`` numbers the runs of equal values."""
    n = order.shape[0]
    counts = jax.ops.segment_sum(weights[order], group, num_segments=n, indices_are_sorted=True)
    middle = jnp.cumsum(counts, axis=0) - 0.5 * counts - 0.5 * weights.sum(axis=0, keepdims=True)
    return jnp.zeros_like(weights).at[order].set(middle[group])


def weighted_spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rho of every column with the score within each resample.

    Args:
        x: ``[n, k]`` complete columns.
        y: ``[n]`` complete scores.
        weights: ``[n, r]`` counts; all resamples of one call have the same total.
    """
    order, ends = _sorted_groups(x)
    y_order, y_ends = _sorted_groups(y[:, None])
    y_group = np.concatenate([[0], np.cumsum(y_ends[:-1, 0])]).astype(np.int32)
    arrays = [jnp.asarray(a) for a in (order, ends, y_order[:, 0], y_group)]
    return _in_chunks(partial(_spearman_chunk, *arrays), weights)


def _spearman_chunk(order: Array, ends: Array, y_order: Array, y_group: Array, weights: Array) -> Array:
    total = weights.sum(axis=0)
    ranks = _centred_ranks(y_order, y_group, weights)
    # Counts as int16: half the memory traffic of float32, and exact.
    s, t = _rank_pass(order, ends, weights.astype(jnp.int16), weights * ranks)
    return _normalised(s, (total**3)[None, :] - t, 12 * (weights * ranks * ranks).sum(axis=0)[None, :]).T


def _in_chunks(kernel: Callable[[Array], Array], weights: np.ndarray) -> np.ndarray:
    """``kernel`` (``[n, r]`` -> ``[r, k]``) over chunks of resamples, `threads_for` the images at a time."""
    starts = range(0, weights.shape[1], RESAMPLES_PER_CHUNK)

    def one(start: int) -> np.ndarray:
        chunk = weights[:, start : start + RESAMPLES_PER_CHUNK]
        return np.asarray(kernel(jnp.asarray(_padded(chunk))))[: chunk.shape[1]]

    with ThreadPoolExecutor(threads_for(len(weights))) as pool:
        return np.concatenate(list(pool.map(one, starts)))


def _padded(weights: np.ndarray) -> np.ndarray:
    """The last chunk filled up with copies of its first resample, so that one compiled program serves all."""
    missing = RESAMPLES_PER_CHUNK - weights.shape[1]
    return np.concatenate([weights, np.repeat(weights[:, :1], missing, axis=1)], axis=1) if missing else weights


@jax.jit
def _normalised(s: Float[Array, "k r"], vx: Float[Array, "k r"], vy: Float[Array, "1 r"]) -> Float[Array, "k r"]:
    """``12 s / sqrt(vx vy)``, NaN where a variance is 0."""
    defined = (vx > 0) & (vy > 0)
    return jnp.where(
        defined, 12 * s / jnp.sqrt(jnp.where(defined, vx, 1)) / jnp.sqrt(jnp.where(defined, vy, 1)), jnp.nan
    )


def weighted_pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's r of every column with the score within each resample: three matrix products. Arguments as above."""
    return _in_chunks(partial(_pearson_chunk, _standardised(x), _standardised(y[:, None])), weights)


def _standardised(x: np.ndarray) -> Float[Array, "n k"]:
    """z-scores in float64 before the cast: means far from 0 would cost float32 its digits."""
    spread = x.std(axis=0)
    return jnp.asarray((x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), jnp.float32)


@jax.jit
@full_precision
def _pearson_chunk(x: Float[Array, "n k"], y: Float[Array, "n 1"], weights: Float[Array, "n r"]) -> Float[Array, "r k"]:
    n = weights.sum(axis=0)[:, None]
    mean_x, mean_y = weights.T @ x / n, weights.T @ y / n
    covariance = weights.T @ (x * y) / n - mean_x * mean_y
    var_x, var_y = weights.T @ (x * x) / n - mean_x**2, weights.T @ (y * y) / n - mean_y**2
    defined = (var_x > 1e-6) & (var_y > 1e-6)
    return jnp.where(defined, covariance / jnp.sqrt(jnp.where(defined, var_x * var_y, 1)), jnp.nan)


def weighted_kendall(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of every column with the score within each resample. Arguments as above.

    Concordance is a sum over pairs: ``w' A w`` with ``A`` the ``[n, n]`` matrix of ``sign(x_i - x_j) sign(y_i - y_j)``.
    Up to `EXACT_KENDALL_LIMIT` images it is computed for every resample. Above it, pairs are summed once per image,
    which gives each image's influence on numerator and both denominators, and resamples are expanded to first order in
    ``w - 1`` (the error is of order 1/n; tau is a ratio of U-statistics). Time is O(n^2) a column either way.
    """
    kernel = _kendall_exact if len(y) <= EXACT_KENDALL_LIMIT else _kendall_linear
    w = jnp.asarray(weights)
    score = jnp.asarray(np.unique(y, return_inverse=True)[1], jnp.int32)
    codes = (jnp.asarray(np.unique(column, return_inverse=True)[1], jnp.int32) for column in x.T)
    return np.stack([np.asarray(kernel(code, score, w)) for code in codes], axis=1)


def _tau(concordance: Array, untied_x: Array, untied_y: Array) -> Array:
    defined = (untied_x > 0) & (untied_y > 0)
    return jnp.where(defined, concordance / jnp.sqrt(jnp.where(defined, untied_x * untied_y, 1)), jnp.nan)


@jax.jit
@full_precision
def _kendall_exact(x: Int[Array, " n"], y: Int[Array, " n"], w: Float[Array, "n r"]) -> Float[Array, " r"]:
    sx = jnp.sign(x[:, None] - x[None, :]).astype(jnp.float32)
    sy = jnp.sign(y[:, None] - y[None, :]).astype(jnp.float32)
    pairs = [(w * (a @ w)).sum(axis=0) / w.shape[0] ** 2 for a in (sx * sy, sx * sx, sy * sy)]
    return _tau(*pairs)


@partial(jax.jit, static_argnames=("rows",))
def _pair_sums(x: Int[Array, " n"], y: Int[Array, " n"], rows: int = 256) -> Float[Array, "3 n"]:
    """For each image, the sums over all others of the three pair terms."""

    def one(i):
        sx, sy = jnp.sign(x[i] - x).astype(jnp.float32), jnp.sign(y[i] - y).astype(jnp.float32)
        return jnp.stack([(sx * sy).sum(), (sx * sx).sum(), (sy * sy).sum()])

    return jax.lax.map(one, jnp.arange(x.shape[0]), batch_size=rows).T


@jax.jit
@full_precision
def _kendall_linear(x: Int[Array, " n"], y: Int[Array, " n"], w: Float[Array, "n r"]) -> Float[Array, " r"]:
    sums = _pair_sums(x, y) / jnp.float32(x.shape[0]) ** 2
    total = sums.sum(axis=1)
    tau = _tau(*total)
    influence = 2 * (sums[0] / total[0] - 0.5 * sums[1] / total[1] - 0.5 * sums[2] / total[2])
    return tau + tau * (influence @ (w - 1))


KERNELS = {"spearman": weighted_spearman, "pearson": weighted_pearson, "kendall": weighted_kendall}
"""Method name -> its weighted kernel."""
