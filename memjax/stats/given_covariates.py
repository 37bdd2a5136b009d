"""Correlations with covariates of the images held constant, such as low-level statistics; with groups of images too."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.stats.correlation import benjamini_hochberg
from memjax.stats.partial import one_hot, partial_correlation
from memjax.stats.table import Columns


def given_covariates(
    columns: Columns, scores: Float[np.ndarray, " n"], covariates: pd.DataFrame, groups: np.ndarray | None = None
) -> pd.DataFrame:
    """Spearman's rho of every measure, alone and with covariates held constant.

    Args:
        columns, scores: of the same images.
        covariates: a column each; images that lack one are left out of all.
        groups: a label an image, held constant too; None: none.

    Returns:
        ``model, metric, layer, rho, given, given_low, given_high, given_p, given_q, n``, q over the table; with groups also
        ``given_groups`` too, with interval and p.

    Example:
        >>> from memjax.stats.table import stack
        >>> rng = np.random.default_rng(0)
        >>> contrast = rng.normal(size=400)
        >>> x, y = contrast + rng.normal(size=400), contrast + rng.normal(size=400)
        >>> found = given_covariates(stack({"m": {"a": x[:, None]}}), y, pd.DataFrame({"contrast": contrast}))
        >>> found["rho"].round(1).tolist(), bool(abs(found["given"][0]) < 0.1)
        ([0.5], True)
    """
    held = covariates.to_numpy(np.float64)
    y = np.where(np.isfinite(held).all(axis=1), scores, np.nan)
    alone = partial_correlation(columns.values, y, np.empty((len(y), 0)))
    given = partial_correlation(columns.values, y, held)
    parts = {"given": given.rho, "given_low": given.ci_low, "given_high": given.ci_high, "given_p": given.p}
    out = columns.keys.assign(rho=alone.rho, **parts, given_q=benjamini_hochberg(given.p), n=given.n_images)
    if groups is None:
        return out
    both = partial_correlation(columns.values, y, np.column_stack([held, one_hot(groups)]))
    ends = {"given_groups_low": both.ci_low, "given_groups_high": both.ci_high, "given_groups_p": both.p}
    return out.assign(given_groups=both.rho, **ends)
