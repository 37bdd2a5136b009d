"""Predictions against human scores: of images that a predictor was not fitted on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from memjax.stats.correlation import correlate

FEWEST = 10
"""Images with a prediction and a score."""


@dataclass(frozen=True)
class AgainstScores:
    """How predictions do.

    Attributes:
        n: images with a prediction and a score.
        rho, ci_low, ci_high: Spearman's, with its 95 % interval over images.
        bias: mean of prediction less score: 0 where both data sets' scores mean the same.
        error: mean absolute difference.
        coverage, coverage_low, coverage_high: share of scores within their interval, with its own 95 % interval (Wilson).
        level: that the intervals were made for.
        out_of_domain: share of images.
        in_sample: these are the images that the predictor was fitted on: nothing is told of others.
    """

    n: int
    rho: float
    ci_low: float
    ci_high: float
    bias: float
    error: float
    coverage: float
    coverage_low: float
    coverage_high: float
    level: float
    out_of_domain: float
    in_sample: bool = False


def against_scores(
    table: pd.DataFrame, y: np.ndarray, level: float, in_sample: bool = False, bootstraps: int = 2000
) -> AgainstScores | None:
    """Hold predictions against scores; None where fewer than `FEWEST` images have both, or one of them does not vary.

    Args:
        table: of `memjax.predictor.Predictor.predict`.
        y: scores in its order, NaN where there is none.
        level: of the intervals.
        in_sample: whether these are the images of the fit.
        bootstraps: behind the interval of rho.

    Example:
        >>> y = np.linspace(0, 1, 50)
        >>> ends = {"score_low": y - 0.1, "score_high": y + 0.1, "out_of_domain": [False] * 50}
        >>> found = against_scores(pd.DataFrame({"score": y + 0.05, **ends}), y, 0.95)
        >>> found.rho, round(found.bias, 2), found.coverage
        (1.0, 0.05, 1.0)
    """
    from statsmodels.stats.proportion import proportion_confint  # heavy; not at import

    known = np.isfinite(y) & table["score"].notna().to_numpy()
    score, y, kept = table["score"].to_numpy()[known], y[known], table[known]
    if len(y) < FEWEST or np.ptp(y) == 0 or np.ptp(score) == 0:
        return None
    found = correlate(score[:, None], y, n_boot=bootstraps)
    inside = ((kept["score_low"] <= y) & (y <= kept["score_high"])).to_numpy()
    low, high = proportion_confint(int(inside.sum()), len(y), method="wilson")
    return AgainstScores(
        n=len(y),
        rho=float(found.rho[0]),
        ci_low=float(found.ci_low[0]),
        ci_high=float(found.ci_high[0]),
        bias=float((score - y).mean()),
        error=float(np.abs(score - y).mean()),
        coverage=float(inside.mean()),
        coverage_low=float(low),
        coverage_high=float(high),
        level=level,
        out_of_domain=float(kept["out_of_domain"].mean()),
        in_sample=in_sample,
    )
