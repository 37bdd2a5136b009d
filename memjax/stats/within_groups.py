"""Correlations within groups of images, such as categories: does a measure tell images apart, or only what they show?

Three Spearman's rho a measure. Over all images. Within groups: rho of each group, mean weighted by its images less one; its
interval is over images of these groups, and beside it one over groups (Student's t), for groups that are a sample of others.
Given: groups held constant, as the partial correlation with an indicator for each.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax.stats.correlation import benjamini_hochberg
from memjax.stats.multiples import multiples
from memjax.stats.partial import one_hot, partial_correlation, within_category
from memjax.stats.strata import FEWEST, group_interval, rho_interval, within_rho
from memjax.stats.table import KEYS, Columns

STRONGEST_EACH = 3
"""Measures of each encoder whose rho in each group is given."""

FEWEST_IMAGES = 30
"""Images with a value, below which a measure has no rho within groups."""


@dataclass(frozen=True)
class WithinGroups:
    """What groups leave of the correlations.

    Attributes:
        table: a row a measure: ``model, metric, layer``; ``rho`` over all images; ``within`` groups with its interval over
            images, p and q over the table; ``across_low, across_high, across_p`` of the same with the groups as units;
            ``given`` the groups with interval and p; ``n`` and ``groups`` that count.
        by_group: ``model, metric, layer, group, rho, ci_low, ci_high, p, n`` of the strongest measures of each encoder.
    """

    table: pd.DataFrame
    by_group: pd.DataFrame


def within_groups(
    columns: Columns, scores: Float[np.ndarray, " n"], groups: np.ndarray, bootstraps: int = 2000, seed: int = 0
) -> WithinGroups:
    """Every measure within groups, and the strongest in each of them.

    Args:
        columns: the measures.
        scores: human scores of the same images.
        groups: a label an image.
        bootstraps, seed: of the intervals in single groups.

    Example:
        >>> from memjax.stats.table import stack
        >>> rng = np.random.default_rng(0)
        >>> groups = np.repeat(["beach", "city", "forest"], 40)
        >>> level = np.repeat([0.0, 5.0, 10.0], 40)  # the measure and the scores have nothing but the groups in common
        >>> x, y = level + rng.normal(size=120), level + rng.normal(size=120)
        >>> found = within_groups(stack({"m": {"a": x[:, None]}}), y, groups, bootstraps=0).table
        >>> found["rho"].round(1).tolist(), bool(abs(found["within"][0]) < 0.2), bool(abs(found["given"][0]) < 0.3)
        ([0.9], True, True)
    """
    names = np.asarray(groups, str)
    labels = np.unique(names, return_inverse=True)[1]
    given = partial_correlation(columns.values, scores, one_hot(names))
    pooled = spearman_of(columns.values, scores)
    rows = [_within(columns.values[:, place], scores, labels) for place in range(columns.values.shape[1])]
    table = columns.keys.assign(rho=pooled).join(pd.DataFrame(rows))
    q = benjamini_hochberg(table["within_p"].to_numpy())
    table.insert(table.columns.get_loc("within_p") + 1, "within_q", q)
    parts = {"given": given.rho, "given_low": given.ci_low, "given_high": given.ci_high, "given_p": given.p}
    return WithinGroups(table.assign(**parts), _by_group(columns, scores, names, pooled, (bootstraps, seed)))


def spearman_of(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
    """Spearman's rho of each column, over the images that have it."""
    return partial_correlation(x, y, np.empty((len(y), 0))).rho


def _within(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> dict[str, float]:
    """One measure within groups; NaN where there are too few images, or groups in which it has an order."""
    names = ("within", "within_low", "within_high", "within_p", "across_low", "across_high", "across_p")
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    counts = np.bincount(labels[known])
    used = known[counts[labels[known]] >= FEWEST]
    size = {"n": len(used), "groups": len(np.unique(labels[used]))}
    if len(used) < FEWEST_IMAGES or not _varies(x[used], labels[used]) or not _varies(y[used], labels[used]):
        return dict.fromkeys(names, np.nan) | size
    of = within_rho([x[used]], y[used], [labels[used]])
    images, across = rho_interval(of), group_interval(of, fitted=False)
    ends = (images.value, images.low, images.high, images.p, across.low, across.high, across.p)
    return dict(zip(names, ends, strict=True)) | size


def _varies(x: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> bool:
    """Whether any group has two values."""
    order = np.argsort(labels, kind="stable")
    same = labels[order][1:] == labels[order][:-1]
    return bool((np.diff(x[order])[same] != 0).any())


def strongest_columns(columns: Columns, rho: Float[np.ndarray, " k"], each: int = STRONGEST_EACH) -> list[int]:
    """Positions of the measures of largest ``|rho|`` of every encoder, without fixed multiples of others."""
    size = np.where(multiples(columns.values, columns.keys) | ~np.isfinite(rho), -1, np.abs(rho))
    found: list[int] = []
    for model in columns.models:
        own = np.flatnonzero((columns.keys["model"] == model).to_numpy() & (size >= 0))
        found += own[np.argsort(-size[own], kind="stable")[:each]].tolist()
    return found


def _by_group(
    columns: Columns,
    scores: Float[np.ndarray, " n"],
    names: np.ndarray,
    rho: Float[np.ndarray, " k"],
    resampling: tuple[int, int],
) -> pd.DataFrame:
    """The strongest measures in each group."""
    chosen = strongest_columns(columns, rho)
    found = within_category(columns.values[:, chosen], scores, names, "spearman", *resampling)
    parts = []
    for place, column in enumerate(chosen):
        for group in np.unique(names):
            one = found[str(group)]
            values = (one.rho[place], one.ci_low[place], one.ci_high[place], one.p[place], one.n_images[place])
            parts.append((*columns.keys.iloc[column], group, *values))
    return pd.DataFrame(parts, columns=[*KEYS, "group", "rho", "ci_low", "ci_high", "p", "n"])
