"""Generalised linear model of the scores on several measures, as the paper fits it (Gaussian family, identity link).

Policy: images with a missing value in any measure or the score are dropped; a constant measure is refused; measures
that determine one another are kept, the pseudo-inverse solution is reported (as statsmodels gives it) and the
deficiency is said.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from memjax.checks import expected


@dataclass(frozen=True)
class Glm:
    """A fitted model. Coefficients are in units of the score per standard deviation of the measure.

    Attributes:
        names: intercept first, then the measures: length c + 1, as are the arrays ``coef``, ``se``, ``z``, ``p``.
        deviance, log_likelihood: of the whole model.
        cox_snell_r2: 1 - exp((2 / n) (null - log-likelihood)), the null's at the fitted model's dispersion, deviance /
            (n - rank), as statsmodels (and so the paper) has it: with an identity link not the usual R2, mostly larger.
        n_images: images used.
        rank, n_columns: of the design with its intercept; ``rank < n_columns`` means that single coefficients are not
            identified (only what they predict together).
        dependent: the measures that are a linear function of those named before them.
    """

    names: tuple[str, ...]
    coef: np.ndarray
    se: np.ndarray
    z: np.ndarray
    p: np.ndarray
    deviance: float
    log_likelihood: float
    cox_snell_r2: float
    n_images: int
    rank: int
    n_columns: int
    dependent: tuple[str, ...]


def fit_glm(x: np.ndarray, y: np.ndarray, names: list[str]) -> Glm:
    """Fit ``y [n]`` on the z-scored (ddof 0) columns of ``x [n, c]`` and an intercept.

    Raises:
        InputError: shapes that do not fit, a constant measure, or fewer images than coefficients.

    Example:
        >>> x = np.arange(12.0).reshape(6, 2) ** 2
        >>> y = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
        >>> float(fit_glm(x, y, ["a", "b"]).coef[0].round(3))  # the intercept is the mean score
        3.5
    """
    import statsmodels.api as sm  # heavy; not at import

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or x.shape != (len(y), len(names)):
        raise expected("fit_glm(x, y, names)", f"x of shape [{len(y)}, {len(names)}]", x.shape)
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(y) <= x.shape[1] + 1:
        raise expected("fit_glm", f"more than {x.shape[1] + 1} images without missing values", len(y))
    spread = x.std(axis=0)
    constant = [name for name, s in zip(names, spread, strict=True) if s == 0]
    if constant:
        raise expected("fit_glm", "measures that vary", ", ".join(constant), "leave them out")
    z = (x - x.mean(axis=0)) / spread
    design = np.column_stack([np.ones(len(y)), z])
    ranks = [np.linalg.matrix_rank(design[:, : j + 1]) for j in range(design.shape[1])]
    dependent = tuple(names[j - 1] for j in range(1, len(ranks)) if ranks[j] == ranks[j - 1])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rank-deficient")  # said in the result
        fit = sm.GLM(y, design, family=sm.families.Gaussian()).fit()
    return Glm(
        ("intercept", *names),
        *(np.asarray(a) for a in (fit.params, fit.bse, fit.tvalues, fit.pvalues)),
        float(fit.deviance),
        float(fit.llf),
        float(fit.pseudo_rsquared("cs")),
        len(y),
        int(ranks[-1]),
        design.shape[1],
        dependent,
    )
