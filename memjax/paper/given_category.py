"""The paper's model with an intercept for each category: what the measures add to knowing what an image shows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from memjax.paper.tables import glm_columns
from memjax.stats.partial import one_hot
from memjax.stats.regression import Glm, fit_glm

COLUMNS = (
    "model",
    "term",
    "coef",
    "coef_given_category",
    "z_given_category",
    "r2",
    "r2_category",
    "r2_both",
    "increment",
    "n",
)


def glm_given_category(
    fits: Mapping[str, Glm], measures: Mapping[str, Mapping[str, np.ndarray]], scores: pd.DataFrame
) -> pd.DataFrame:
    """The paper's model with and without category intercepts, one row a measure.

    Args:
        fits: encoder -> the paper's model (`memjax.paper.tables.paper_glm`); encoders without one are left out.
        measures: encoder -> metric -> ``[n, l + 1]``.
        scores: columns ``memorability, category``, rows in the same order.

    Returns:
        Columns `COLUMNS`: the measure's coefficient without and with the intercepts, in units of the score per standard
        deviation, and z of the latter; R2 = 1 - deviance / deviance of the mean, of the measures alone, of the categories alone,
        of both; ``increment``, what the measures add to the categories.
    """
    parts = [_of_model(model, fit, measures[model], scores) for model, fit in fits.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _of_model(model: str, plain: Glm, metrics: Mapping[str, np.ndarray], scores: pd.DataFrame) -> pd.DataFrame:
    names, x = glm_columns(metrics)
    y, category = scores["memorability"].to_numpy(np.float64), scores["category"].to_numpy(str)
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y, indicators = x[kept], y[kept], one_hot(category[kept])
    of_category = [f"category {i}" for i in range(indicators.shape[1])]
    alone = fit_glm(indicators, y, of_category)
    both = fit_glm(np.column_stack([indicators, x]), y, [*of_category, *names])
    total = float(((y - y.mean()) ** 2).sum())
    r2, r2_category, r2_both = (1 - fit.deviance / total for fit in (plain, alone, both))
    return pd.DataFrame(
        {
            "model": model,
            "term": names,
            "coef": plain.coef[1:],
            "coef_given_category": both.coef[-len(names) :],
            "z_given_category": both.z[-len(names) :],
            "r2": r2,
            "r2_category": r2_category,
            "r2_both": r2_both,
            "increment": r2_both - r2_category,
            "n": both.n_images,
        }
    )
