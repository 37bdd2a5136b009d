"""Linear models of the scores with groups of images in them: intercepts of their own for each, fixed or drawn at random.

For the strongest measures of each encoder. Measures and scores are standardised over the images that have both; coefficients are
in standard deviations of the score for one of the measure.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.stats.partial import one_hot
from memjax.stats.random_intercept import fit_random_intercept
from memjax.stats.regression import fit_glm
from memjax.stats.table import KEYS, Columns
from memjax.stats.within_groups import strongest_columns

COLUMNS = [
    *KEYS, "coef", "r2", "r2_groups", "r2_both", "increment", "coef_fixed", "coef_fixed_se", "coef_fixed_p", "coef_random",
    "coef_random_se", "coef_random_p", "icc", "icc_given_measure", "groups", "n",
]  # fmt: skip


def group_models(
    columns: Columns, scores: Float[np.ndarray, " n"], groups: np.ndarray, rho: Float[np.ndarray, " k"]
) -> pd.DataFrame:
    """The strongest measures with and without intercepts for groups.

    Args:
        columns, scores: of the same images.
        groups: a label an image.
        rho: of each column, by which the strongest are chosen.

    Returns:
        A row a measure: ``coef`` and ``r2`` of the measure alone; ``r2_groups`` of the groups alone, ``r2_both``, and the
        ``increment`` of the measure over the groups; the coefficient with fixed and with random intercepts (REML), standard
        errors and p; ``icc``: the groups' share of the scores' variance, alone and given the measure.
    """
    names, rows = np.asarray(groups, str), []
    for place in strongest_columns(columns, rho):
        x = columns.values[:, place]
        known = np.isfinite(x) & np.isfinite(scores)
        if known.sum() > 2 * len(np.unique(names[known])) + 2 and np.ptp(x[known]) > 0:
            key = tuple(columns.keys.iloc[place])
            rows.append((*key, *_models(x[known], scores[known], names[known])))
    return pd.DataFrame(rows, columns=COLUMNS)


def _models(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], names: np.ndarray) -> tuple[float | int, ...]:
    """The columns of the table after the measure's name."""
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    labels, indicators = np.unique(names, return_inverse=True)[1], one_hot(names)
    ones, terms = np.ones((len(y), 1)), [f"group {i}" for i in range(indicators.shape[1])]
    alone = fit_glm(x[:, None], y, ["measure"])
    of_groups = fit_glm(indicators, y, terms)
    both = fit_glm(np.column_stack([indicators, x]), y, [*terms, "measure"])
    r2, r2_groups, r2_both = (1 - fit.deviance / len(y) for fit in (alone, of_groups, both))
    drawn, with_measure = (fit_random_intercept(part, y, labels) for part in (ones, np.column_stack([ones, x])))
    fixed = (both.coef[-1], both.se[-1], both.p[-1])
    random = (with_measure.coef[1], with_measure.se[1], with_measure.p[1])
    shares = (alone.coef[1], r2, r2_groups, r2_both, r2_both - r2_groups)
    return (*shares, *fixed, *random, drawn.icc, with_measure.icc, len(np.unique(labels)), len(y))
