"""Correlation with nuisance held constant, within categories, and pooled. NaN, ties, constants: see `correlation`."""

from collections.abc import Sequence

import numpy as np
import scipy  # its parts are loaded when first used

from memjax.checks import expected
from memjax.stats.bounds import held
from memjax.stats.correlation import Correlations, check_columns, complete_groups, pearson
from memjax.stats.exact import reported
from memjax.stats.intervals import fisher_z


def one_hot(categories: Sequence[object] | np.ndarray) -> np.ndarray:
    """Indicator columns float64 ``[n, c - 1]`` of the sorted categories, the first left out (the intercept has it)."""
    names, codes = np.unique(np.asarray(categories, dtype=str), return_inverse=True)
    return (codes[:, None] == np.arange(1, len(names))[None, :]).astype(np.float64)


def partial_correlation(
    x: np.ndarray,
    y: np.ndarray,
    controls: np.ndarray,
    method: str = "spearman",
    semi: bool = False,
    level: float = 0.95,
) -> Correlations:
    """Correlation of each column of ``x [n, k]`` with ``y [n]``, ``controls [n, c]`` held constant.

    Pearson: correlation of the residuals of both on the controls (with intercept). Spearman: the same on mid-ranks (of
    the controls too). ``semi=True`` takes the controls out of ``x`` only. p from Student's t with n - 2 - c degrees of
    freedom, interval from Fisher's z with n - c images, ``c`` being the rank of the controls. Images missing a control
    are dropped.

    Raises:
        InputError: Kendall, or shapes that do not fit.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> cause = rng.normal(size=500)
        >>> x, y = cause[:, None] + rng.normal(size=(500, 1)), cause + rng.normal(size=500)
        >>> bool(abs(partial_correlation(x, y, cause[:, None]).rho[0]) < 0.1)
        True
    """
    if method == "kendall":
        raise expected("partial_correlation method", "spearman or pearson", "kendall")
    x, y = check_columns(x, y, method)
    controls = np.asarray(controls, np.float64)
    if controls.ndim != 2 or len(controls) != len(y):
        raise expected("controls", f"[{len(y)}, c], one row an image", controls.shape)
    y = np.where(np.isfinite(controls).all(axis=1), y, np.nan)
    out = Correlations(*(np.full(x.shape[1], np.nan) for _ in range(4)), np.zeros(x.shape[1], np.int64))
    for columns, rows in complete_groups(x, y):
        out.n_images[columns] = len(rows)
        parts = x[np.ix_(rows, columns)], y[rows], controls[rows]
        if method == "spearman":
            parts = tuple(scipy.stats.rankdata(part, axis=0) for part in parts)
        rho, n_controls = _residual_correlation(*parts, semi)
        df = len(rows) - 2 - n_controls
        if df < 1:
            continue
        with np.errstate(divide="ignore"):
            t = rho * np.sqrt(df / (1 - rho**2))
        out.rho[columns], out.p[columns] = rho, 2 * scipy.stats.t.sf(np.abs(t), df)
        out.ci_low[columns], out.ci_high[columns] = fisher_z(rho, len(rows) - n_controls, method, level)
    return out


def _residual_correlation(x: np.ndarray, y: np.ndarray, controls: np.ndarray, semi: bool) -> tuple[np.ndarray, int]:
    """Correlation of the residuals, and the rank of the controls; a column that the controls explain wholly is NaN."""
    if len(y) < 3:
        return np.full(x.shape[1], np.nan), 0
    centred = controls - controls.mean(axis=0)
    scale = centred.std(axis=0)
    u, s, _ = np.linalg.svd(centred / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = u[:, s > s.max(initial=0) * len(y) * np.finfo(np.float64).eps]
    x, y = x - x.mean(axis=0), y - y.mean()
    x_left, y_left = x - basis @ (basis.T @ x), y - basis @ (basis.T @ y)
    explained = (x_left**2).sum(axis=0) <= 1e-20 * (x**2).sum(axis=0)
    rho = pearson(x_left, y if semi else y_left)
    return np.where(explained | ((y_left**2).sum() <= 1e-20 * (y**2).sum()), np.nan, rho), basis.shape[1]


def within_category(
    x: np.ndarray,
    y: np.ndarray,
    categories: Sequence[object] | np.ndarray,
    method: str = "spearman",
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Correlations]:
    """`memjax.stats.exact.reported` in each category (key: its name), over all images (``"all"``), and ``"pooled"``.

    Pooled: mean of Fisher's z over the categories, weighted by n - 3; p and interval from its standard error. Where
    "all" and "pooled" differ, the categories differ in their means: the measure tells categories apart, not images.
    """
    x, y = check_columns(x, y, method)
    names = np.asarray(categories, dtype=str)
    if names.shape != y.shape:
        raise expected("categories", f"one for each of {len(y)} images", len(names))
    out = {"all": reported(x, y, method, n_boot, seed, level)}
    for name in np.unique(names):
        out[str(name)] = reported(x[names == name], y[names == name], method, n_boot, seed, level)
    out["pooled"] = _pooled([found for name, found in out.items() if name != "all"], level)
    return out


def _pooled(parts: list[Correlations], level: float) -> Correlations:
    rho, n = np.array([part.rho for part in parts]), np.array([part.n_images for part in parts])
    known = np.isfinite(rho) & (n > 3)
    weight = np.where(known, n - 3.0, 0)
    total = weight.sum(axis=0)
    used = total > 0
    z = np.arctanh(np.clip(np.where(known, rho, 0), -1 + 1e-15, 1 - 1e-15))
    mean = np.where(used, (weight * z).sum(axis=0) / np.where(used, total, 1), np.nan)
    error = 1 / np.sqrt(np.where(used, total, np.nan))
    half = scipy.stats.norm.ppf((1 + level) / 2) * error
    p = 2 * scipy.stats.norm.sf(np.abs(mean) / error)
    kept = np.where(known, n, 0).sum(axis=0)
    rho = np.tanh(mean)
    return Correlations(rho, *held(rho, np.tanh(mean - half), np.tanh(mean + half)), p, kept)
