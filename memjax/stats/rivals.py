"""Measures of the same images side by side: each alone, and each pair: does one tell more of the score than the other?

Every measure is given so that larger values are expected of more memorable images, a direction that the theory names and not
the data. All numbers are Spearman's and of the images that have every measure, the score and every control. Intervals are
percentiles of one bootstrap over images whose resamples all measures share, so that differences are paired; p of a difference
is Williams' (an approximation for ranks, see `memjax.stats.dependent`), corrected over all pairs after Holm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from memjax.checks import expected
from memjax.stats.correlation import bootstrap, coefficients, correlate, holm
from memjax.stats.dependent import williams
from memjax.stats.partial import partial_correlation

YES, NO, OPEN, UNTESTED = "yes", "no", "not settled", "cannot be tested"
"""The answers to "does the first tell more than the second?"; the last where a measure is not there."""

NEGLIGIBLE = 0.05
"""A difference or a partial correlation below this is of no account."""

ALIKE = 1 - 1e-9
"""Two measures whose ranks correlate so strongly are one measure."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """What the comparison of measures gives.

    Attributes:
        alone: ``measure, rho, ci_low, ci_high, p, n``, and for each set of controls ``rho_given_<name>`` with its interval.
        pairs: one row a pair: ``first, second, rho_first, rho_second, rho_between``; ``difference`` of the two rho with its
            interval, Williams' ``t, p, p_holm``; ``first_given_second`` and ``second_given_first``, partial correlations with
            their intervals; ``first_tells_more`` and ``second_tells_more``: yes, no or not settled, see `tells_more`.
    """

    alone: pd.DataFrame
    pairs: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Resampled:
    """Correlations of measures with the score ``[k]`` and with each other ``[k, k]``, and in resamples ``[r, ...]``."""

    score: Float[np.ndarray, " k"]
    between: Float[np.ndarray, "k k"]
    score_boot: Float[np.ndarray, "r k"]
    between_boot: Float[np.ndarray, "r k k"]


def compare_rivals(
    names: Sequence[str],
    x: Float[np.ndarray, "n k"],
    y: Float[np.ndarray, " n"],
    controls: Mapping[str, Float[np.ndarray, "n _"]],
    n_boot: int = 2000,
    seed: int = 0,
) -> Rivals:
    """Compare measures of the same images.

    Args:
        names: of the measures.
        x: the measures, larger where images are expected to be more memorable.
        y: scores.
        controls: name -> what is held constant.
        n_boot: resamples behind the 95 % intervals.
        seed: of the resamples.

    Raises:
        InputError: fewer than ten images have everything.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=400)
        >>> x = np.stack([y + rng.normal(size=400), rng.normal(size=400)], axis=1)
        >>> found = compare_rivals(["good", "none"], x, y, {}, n_boot=200)
        >>> found.pairs["first_tells_more"].tolist(), found.pairs["second_tells_more"].tolist()
        (['yes'], ['no'])
    """
    kept = complete_rows(x, y, controls)
    if kept.sum() < 10:
        raise expected("images with every measure, a score and every control", "ten or more", int(kept.sum()))
    x, y = np.asarray(x[kept], np.float64), np.asarray(y[kept], np.float64)
    held = {name: values[kept] for name, values in controls.items()}
    found = resampled(x, y, n_boot, seed)
    return Rivals(alone_table(names, x, y, held, n_boot, seed), pair_table(names, found, len(y)))


def complete_rows(
    x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], controls: Mapping[str, Float[np.ndarray, "n _"]]
) -> Bool[np.ndarray, " n"]:
    """Which images have everything."""
    return np.isfinite(np.column_stack([x, y, *controls.values()])).all(axis=1)


def alone_table(
    names: Sequence[str],
    x: Float[np.ndarray, "n k"],
    y: Float[np.ndarray, " n"],
    controls: Mapping[str, Float[np.ndarray, "n _"]],
    n_boot: int,
    seed: int,
) -> pd.DataFrame:
    """See `Rivals.alone`; the partial correlations' intervals are Fisher's."""
    found = correlate(x, y, "spearman", n_boot, seed)
    columns = {"measure": list(names), "rho": found.rho, "ci_low": found.ci_low, "ci_high": found.ci_high}
    table = pd.DataFrame({**columns, "p": found.p, "n": found.n_images})
    for name, values in controls.items():
        given = partial_correlation(x, y, values)
        table[f"rho_given_{name}"] = given.rho
        table[f"given_{name}_low"], table[f"given_{name}_high"] = given.ci_low, given.ci_high
    return table


def resampled(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], n_boot: int, seed: int) -> Resampled:
    """Every correlation among complete measures and score; the same resamples for all."""
    targets = [y, *x.T]
    points = np.stack([coefficients(x, target, "spearman")[0] for target in targets])
    boots = np.stack([bootstrap(x, target, "spearman", n_boot, seed) for target in targets], axis=1).astype(np.float64)
    return Resampled(points[0], points[1:], boots[:, 0], boots[:, 1:])


def partial_rho(
    own: Float[np.ndarray, "..."], other: Float[np.ndarray, "..."], between: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Correlation of one measure with the score, another held constant, from the three correlations; NaN where both are one.

    Example:
        >>> partial_rho(np.array(0.5), np.array(0.5), np.array(0.5)).round(4).tolist()
        0.3333
    """
    left = (1 - np.minimum(other**2, 1)) * (1 - np.minimum(between**2, 1))
    distinct = np.abs(between) < ALIKE
    return np.where(distinct, (own - other * between) / np.sqrt(np.where(distinct & (left > 0), left, np.nan)), np.nan)


def interval_around(estimate: float, boot: Float[np.ndarray, " r"]) -> tuple[float, float]:
    """The middle 95 % of the resamples, never without the estimate; NaN where there are none."""
    if not np.isfinite(estimate) or not np.isfinite(boot).any():
        return np.nan, np.nan
    low, high = np.nanquantile(boot, [0.025, 0.975])
    return min(float(low), estimate), max(float(high), estimate)


def pair_table(names: Sequence[str], found: Resampled, n: int) -> pd.DataFrame:
    """See `Rivals.pairs`."""
    places = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    rows = [{"first": names[i], "second": names[j], **pair_row(found, i, j, n)} for i, j in places]
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p"].to_numpy())) if len(table) else table


def pair_row(found: Resampled, i: int, j: int, n: int) -> dict[str, float | str]:
    """One pair's numbers and answers."""
    a, b, ab = (float(value) for value in (found.score[i], found.score[j], found.between[i, j]))
    boots = found.score_boot[:, i], found.score_boot[:, j], found.between_boot[:, i, j]
    row: dict[str, float | str] = {"rho_first": a, "rho_second": b, "rho_between": ab, "difference": a - b}
    row["difference_low"], row["difference_high"] = interval_around(a - b, boots[0] - boots[1])
    row["t"], row["p"] = williams_of(a, b, ab, n)
    parts = {"first_given_second": (a, b, boots[0], boots[1]), "second_given_first": (b, a, boots[1], boots[0])}
    for name, (own, other, own_boot, other_boot) in parts.items():
        given = float(partial_rho(np.array(own), np.array(other), np.array(ab)))
        row[name] = given
        row[f"{name}_low"], row[f"{name}_high"] = interval_around(given, partial_rho(own_boot, other_boot, boots[2]))
    apart = (float(row["difference_low"]), float(row["difference_high"]))
    for name, ends in (("first", apart), ("second", (-apart[1], -apart[0]))):
        given = "first_given_second" if name == "first" else "second_given_first"
        row[f"{name}_tells_more"] = tells_more(ends, (float(row[f"{given}_low"]), float(row[f"{given}_high"])))
    return row


def williams_of(a: float, b: float, ab: float, n: int) -> tuple[float, float]:
    """Williams' t and p; two measures with the same ranks do not differ; NaN where there is no test: a measure is constant, or
    the score itself.
    """
    if ab >= ALIKE:
        return 0.0, 1.0
    if not np.isfinite([a, b, ab]).all() or max(abs(a), abs(b), -ab) >= ALIKE:
        return np.nan, np.nan
    test = williams(a, b, ab, n)
    return test.statistic, test.p


def tells_more(difference: tuple[float, float], given: tuple[float, float], negligible: float = NEGLIGIBLE) -> str:
    """Does one measure tell more of the score than the other?

    Yes: it correlates more strongly, and tells something that the other does not: both intervals lie above 0. No: the other
    correlates more strongly (the difference's interval lies below 0); or at the most this one correlates more strongly, and
    adds to the other, by less than ``negligible``. Else it is not settled.

    Args:
        difference: interval of this measure's rho minus the other's.
        given: interval of its partial correlation with the score, the other held constant.
        negligible: see there.

    Example:
        >>> tells_more((0.02, 0.08), (0.01, 0.09)), tells_more((-0.08, -0.02), (-0.02, 0.04))
        ('yes', 'no')
        >>> tells_more((-0.01, 0.04), (0.0, 0.04)), tells_more((-0.02, 0.08), (0.01, 0.09))
        ('no', 'not settled')
    """
    if difference[0] > 0 and given[0] > 0:
        return YES
    most = np.fmax(difference[1], given[1])  # of two measures that are one, the second is not defined
    return NO if difference[1] < 0 or most < negligible else OPEN
