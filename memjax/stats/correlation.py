"""Correlation of many columns with one score: coefficients, intervals, p-values, and their correction for multiplicity.

Policy, the same everywhere in `memjax.stats`:

* NaN (and infinity): an image is dropped from the columns in which its value is not finite, and from all columns where
  its score is not; ``n_images`` says how many each column kept.
* Ties: mid-ranks (Spearman), tau-b (Kendall), also inside each resample.
* Constant columns, and columns with fewer than three images: rho, interval and p are NaN; ``n_images`` still counts.
* More than `EXACT_IMAGES` images: the bootstrap is linearised, see `memjax.stats.influence`, and columns are computed one by one.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when first used

from memjax.checks import expected
from memjax.stats import resampling
from memjax.stats.bounds import held
from memjax.stats.influence import INFLUENCES, Ranked, half_width, ranked

METHODS = ("spearman", "pearson", "kendall")

EXACT_IMAGES = 200_000
"""Images, at most, whose resamples are drawn; 2,000 resamples of 130 columns of so many are 5e10 steps."""

COLUMN_BYTES = 2 * 160
"""Of an image while one of very many columns is correlated: about twenty arrays of 8 bytes, and as much again to spare."""


@dataclass(frozen=True)
class Correlations:
    """One entry per column, all float64 ``[k]`` but ``n_images`` (int64): rho in [-1, 1], its interval, two-sided p."""

    rho: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p: np.ndarray
    n_images: np.ndarray


def correlate(
    x: np.ndarray,
    y: np.ndarray,
    method: str = "spearman",
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Correlations:
    """Correlation of each column of ``x`` with ``y``, with percentile bootstrap intervals over images.

    All columns with the same missing values share their resamples and are computed at once; memory does not grow with
    ``n_boot``. NaN, ties and constant columns: see the module. For BCa intervals see `memjax.stats.intervals`.

    Args:
        x: ``[n, k]`` measures, one row an image.
        y: ``[n]`` human scores.
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"`` (tau-b).
        n_boot: resamples of the images with replacement; 0 leaves the interval NaN.
        seed: of the resamples. A column's interval depends on its own values and the seed alone.
        level: coverage of the interval.

    Returns:
        `Correlations`; rho and p agree with ``scipy.stats.spearmanr``, ``pearsonr`` and ``kendalltau``.

    Raises:
        InputError: unknown method, lengths that differ, a level outside (0, 1).

    Example:
        >>> x = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
        >>> found = correlate(x, np.array([0.1, 0.2, 0.4, 0.3]), n_boot=0)
        >>> found.rho.round(2), found.n_images
        (array([0.8, nan]), array([4, 4]))
    """
    x, y = check_columns(x, y, method)
    if not 0 < level < 1:
        raise expected("level", "a coverage between 0 and 1", level)
    k = x.shape[1]
    out = Correlations(*(np.full(k, np.nan) for _ in range(4)), np.zeros(k, np.int64))
    for columns, rows in complete_groups(x, y):
        out.n_images[columns] = len(rows)
        if len(rows) > EXACT_IMAGES:
            _correlate_many(out, (x, y, columns, rows), method, level if n_boot else None)
            continue
        values, score = x[np.ix_(rows, columns)], y[rows]
        out.rho[columns], out.p[columns] = coefficients(values, score, method)
        defined = columns[np.isfinite(out.rho[columns])]
        if n_boot and len(defined):
            boot = bootstrap(x[np.ix_(rows, defined)], score, method, n_boot, seed)
            tail = (1 - level) / 2
            ends = np.nanquantile(boot, [tail, 1 - tail], axis=0)
            out.ci_low[defined], out.ci_high[defined] = held(out.rho[defined], *ends)
    return out


def _correlate_many(
    out: Correlations,
    group: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    method: str,
    level: float | None,
) -> None:
    """Fill in the columns of a group with more than `EXACT_IMAGES` images; without a level there are no intervals."""
    x, y, columns, rows = group
    score = y[rows]
    order = ranked(score)

    def one(column: int) -> None:
        values = x[rows, column]
        own = ranked(values)
        rho, p = coefficient(values, score, own, order, method)
        out.rho[column], out.p[column] = rho, p
        if level is not None and np.isfinite(rho):
            half = half_width(INFLUENCES[method](values, score, own, order), level)
            ends = held(*np.array([[rho], [rho - half], [rho + half]]))
            out.ci_low[column], out.ci_high[column] = (float(end[0]) for end in ends)

    with ThreadPoolExecutor(resampling.threads_for(len(rows), COLUMN_BYTES)) as pool:
        list(pool.map(one, columns.tolist()))


def coefficient(x: np.ndarray, y: np.ndarray, x_ranked: Ranked, y_ranked: Ranked, method: str) -> tuple[float, float]:
    """`coefficients` of one column, from the ranks that there are."""
    if method == "spearman":  # Pearson's of the ranks
        x, y, method = x_ranked.ranks, y_ranked.ranks, "pearson"
    rho, p = coefficients(x[:, None], y, method)
    return float(rho[0]), float(p[0])


def check_columns(x: np.ndarray, y: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """``x`` and ``y`` as float64, if their shapes agree and the method is known. Raises `InputError`."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if method not in METHODS:
        raise expected("method", f"one of {', '.join(METHODS)}", repr(method))
    if x.ndim != 2 or y.ndim != 1 or len(x) != len(y):
        raise expected("correlate(x, y)", "x of shape [n, k] and y of shape [n]", f"{x.shape} and {y.shape}")
    return x, y


def complete_groups(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns that miss the same images, together: pairs of (column positions, positions of the images they keep)."""
    kept = np.isfinite(x) & np.isfinite(y)[:, None]
    patterns, group = np.unique(np.packbits(kept, axis=0), axis=1, return_inverse=True)
    for g in range(patterns.shape[1]):
        columns = np.flatnonzero(group == g)
        yield columns, np.flatnonzero(kept[:, columns[0]])


def coefficients(x: np.ndarray, y: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient and two-sided p of complete columns: float64 ``[k]`` each, NaN where undefined."""
    n, k = x.shape
    if n < 3:
        return np.full(k, np.nan), np.full(k, np.nan)
    if method == "kendall":
        found = [scipy.stats.kendalltau(column, y) for column in x.T]
        return np.array([f.statistic for f in found], np.float64), np.array([f.pvalue for f in found], np.float64)
    if method == "spearman":
        x, y = scipy.stats.rankdata(x, axis=0), scipy.stats.rankdata(y)
    rho = pearson(x, y)
    with np.errstate(divide="ignore"):
        t = rho * np.sqrt((n - 2) / (1 - rho**2))
    return rho, 2 * scipy.stats.t.sf(np.abs(t), n - 2)


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of each complete column with ``y``; NaN for a constant column (to rounding) or score.

    Of very many images the products are summed without BLAS, whose order of summation depends on how many threads it has.
    """
    constant = (x == x[:1]).all(axis=0) | (y == y[0]).all()
    x, y = x - x.mean(axis=0), y - y.mean()
    norm = np.sqrt((x**2).sum(axis=0) * (y**2).sum())
    together = y @ x if len(y) <= EXACT_IMAGES else (x * y[:, None]).sum(axis=0)
    return np.where(constant, np.nan, np.clip(together / np.where(constant, 1, norm), -1, 1))


def bootstrap(x: np.ndarray, y: np.ndarray, method: str, n_boot: int, seed: int) -> np.ndarray:
    """The coefficient in each of ``n_boot`` resamples of complete columns: float32 ``[n_boot, k]``."""
    rng = np.random.default_rng(seed)
    most = max(1, resampling.MEMORY // (8 * resampling.RESAMPLES_PER_CHUNK * len(y)))
    step = min(4 * resampling.THREADS, most) * resampling.RESAMPLES_PER_CHUNK
    sizes = [min(step, n_boot - start) for start in range(0, n_boot, step)]
    kernel = resampling.KERNELS[method]
    return np.concatenate([kernel(x, y, resampling.bootstrap_weights(len(y), size, rng)) for size in sizes])


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values (q) that control the false discovery rate over the family ``p``; NaN passes through.

    Reference: Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57.
    """
    return _adjusted(p, "fdr_bh")


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values that control the family-wise error over ``p`` (Holm 1979); NaN passes through."""
    return _adjusted(p, "holm")


def _adjusted(p: np.ndarray, method: str) -> np.ndarray:
    from statsmodels.stats.multitest import multipletests  # heavy; not at import

    p = np.asarray(p, np.float64)
    out, known = np.full(p.shape, np.nan), np.isfinite(p)
    if known.any():
        out[known] = multipletests(p[known], method=method)[1]
    return out
