"""Which correlation of a table is the strongest, whether it is there at all, and which others it cannot be told from.

Is it there? The largest of many |rho| is compared with the largest in permutations of the scores (max statistic): p_family, for
each correlation, keeps the family-wise error over the whole table.

Which one is it? The strongest against each other one, its rival, on the same images: difference of the two |rho| over its
standard error from the images' influences on it (`memjax.stats.influence`), Student's t with n - 3 degrees of freedom. It
keeps its level where Williams' and Meng's tests, which take the values for normal, do not: see `benchmarks/small_samples.py`.

The strongest was chosen by the same images. p of the rivals is therefore Holm's over all of them, and what follows from it is
that the truly strongest correlation is, with 95 % confidence, among the strongest and those that cannot be told from it (as
in Gupta 1965, Technometrics 7); not that each of the others is weaker than the one that came out first.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when first used
from jaxtyping import Bool, Float

from memjax.stats.correlation import coefficient, complete_groups, holm
from memjax.stats.exact import MOST_IMAGES
from memjax.stats.influence import INFLUENCES, Ranked, ranked
from memjax.stats.multiples import multiples
from memjax.stats.permutation import permutation_limit, permutation_test
from memjax.stats.table import KEYS, Columns

ALPHA = 0.05
"""Level of the tests: a rival whose corrected p is not below it cannot be told from the strongest."""

FEWEST = MOST_IMAGES + 1
"""Images below which nothing is said of the strongest. Of 30, the interval of rho = 0 reaches from -0.36 to 0.36, and the largest
correlation of an encoder's 76 with shuffled scores is 0.44 (one time in twenty above 0.57); the largest that such a measure has
on all of LNSIM's 2,632 images is 0.28. Of 20 images it is 0.44, 0.53 and 0.70, of 10 images 0.63, 0.74 and 0.89."""

LIMIT_IMAGES = 5_000
"""Images above which the permutations' normal limit stands for them."""

PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Strongest:
    """The strongest correlation of a table, as it is recorded and told.

    Attributes:
        model, metric, layer, rho: which one.
        n: images that it was tested on, those that have its measure.
        correlations: how many there are, those of fixed multiples of another measure left out.
        p_family: of the strongest, by the max statistic over all of them; None where it is not offered (Kendall), or fewer than
            `FEWEST` images have every measure.
        images: that have every measure: those of the permutations.
        permutations: how many; 0 where their normal limit was taken.
        unsettled: how many rivals it cannot be told from.
        left_out: how many correlations are those of fixed multiples.
        multiples: metrics that are fixed multiples wherever they vary.
    """

    model: str
    metric: str
    layer: int
    rho: float
    n: int
    correlations: int
    p_family: float | None
    images: int
    permutations: int
    unsettled: int
    left_out: int = 0
    multiples: tuple[str, ...] = ()


@dataclass(frozen=True)
class StrongestFound:
    """The strongest, and the table of its rivals.

    Attributes:
        strongest: see `Strongest`.
        table: the strongest first, then each rival by size of rho: ``model, metric, layer, rho, p_family, difference,
            difference_low, difference_high, p, p_holm, n``; ``difference`` is the strongest's |rho| less the rival's, on the n
            images that have both, with its 95 % interval.
    """

    strongest: Strongest
    table: pd.DataFrame


def find_strongest(
    columns: Columns, scores: Float[np.ndarray, " n"], table: pd.DataFrame, method: str = "spearman", seed: int = 0
) -> StrongestFound | None:
    """The strongest correlation of a table against chance and against each of its rivals.

    Args:
        columns: the measures, or those of a sample of the images.
        scores: human scores of the same images.
        table: their correlations, one row a column (`memjax.stats.table.correlation_table`).
        method: the coefficient.
        seed: of the permutations.

    Returns:
        None where no correlation is of `FEWEST` images or more.

    Example:
        >>> from memjax.stats.table import correlation_table, stack
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=90)
        >>> columns = stack({"m": {"a": np.stack([y + rng.normal(size=90), rng.normal(size=90)], axis=1)}})
        >>> found = find_strongest(columns, y, correlation_table(columns, y, n_boot=0))
        >>> found.strongest.layer, found.strongest.correlations, found.strongest.unsettled
        (0, 2, 0)
    """
    repeated = multiples(columns.values, columns.keys)
    known = np.isfinite(columns.values[np.isfinite(scores)]).sum(axis=0)
    family = np.flatnonzero(~repeated & (known >= FEWEST) & table["rho"].notna().to_numpy())
    if not len(family):
        return None
    order = family[np.argsort(-table["rho"].abs().to_numpy()[family], kind="stable")]
    rows, x = table.iloc[order].reset_index(drop=True), columns.values[:, order]
    p_family, images, permutations = _of_family(x, scores, method, seed)
    tested = against_rivals(x, scores, np.sign(rows["rho"].to_numpy()), method)
    out = rows[[*KEYS, "rho"]].assign(p_family=p_family, **tested)
    best = out.iloc[0]
    others = set(columns.keys["metric"][~repeated & table["rho"].notna().to_numpy()])
    everywhere = [metric for metric in dict.fromkeys(columns.keys["metric"][repeated]) if metric not in others]
    strongest = Strongest(
        model=str(best["model"]),
        metric=str(best["metric"]),
        layer=int(best["layer"]),
        rho=float(best["rho"]),
        n=int(best["n"]),
        correlations=len(out),
        p_family=float(p_family[0]) if np.isfinite(p_family[0]) else None,
        images=images,
        permutations=permutations,
        unsettled=int((~(out["p_holm"][1:] < ALPHA)).sum()),
        left_out=int(repeated.sum()),
        multiples=tuple(everywhere),
    )
    return StrongestFound(strongest, out)


def _of_family(
    x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], method: str, seed: int
) -> tuple[Float[np.ndarray, " k"], int, int]:
    """Corrected p of each column, the images that have all of them, and how many permutations there were."""
    images = int(_complete(x, y).sum())
    if method == "kendall" or images < FEWEST:
        return np.full(x.shape[1], np.nan), images, 0
    if images > LIMIT_IMAGES:
        return permutation_limit(x, y, method, PERMUTATIONS, seed).p_family, images, 0
    return permutation_test(x, y, method, PERMUTATIONS, seed).p_family, images, PERMUTATIONS


def _complete(x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    return np.isfinite(x).all(axis=1) & np.isfinite(y)


def against_rivals(
    x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], signs: Float[np.ndarray, " k"], method: str
) -> dict[str, np.ndarray]:
    """How far each column falls short of column 0, on the images that have both.

    Args:
        x: measures, the strongest one first.
        y: human scores.
        signs: 1 or -1 a column: sizes are compared, of correlations turned by their signs.
        method: the coefficient.

    Returns:
        The columns of `StrongestFound.table` from ``difference`` on, ``[k]`` each, NaN for column 0.
    """
    difference, error, n = (np.full(x.shape[1], np.nan) for _ in range(3))
    shared = np.where(np.isfinite(x[:, 0]), y, np.nan)
    n[0] = np.isfinite(shared).sum()
    for found, rows in complete_groups(x[:, 1:], shared):
        score = y[rows]
        n[found + 1] = len(rows)
        if len(rows) < FEWEST or np.ptp(score) == 0 or np.ptp(x[rows, 0]) == 0:
            continue
        order = ranked(score)
        rho, influence = _values(x[rows, 0], score, order, method)
        for rival in found[np.ptp(x[np.ix_(rows, found + 1)], axis=0) > 0] + 1:
            own, its = _values(x[rows, rival], score, order, method)
            apart = signs[0] * influence - signs[rival] * its
            difference[rival] = signs[0] * rho - signs[rival] * own
            error[rival] = np.sqrt((apart**2).sum() / (len(rows) * (len(rows) - 3)))
    t = np.where(error > 0, difference / np.where(error > 0, error, 1), np.where(error == 0, 0, np.nan))
    half = scipy.stats.t.ppf(1 - ALPHA / 2, n - 3) * error
    p = 2 * scipy.stats.t.sf(np.abs(t), n - 3)
    ends = {"difference_low": difference - half, "difference_high": difference + half}
    return {"difference": difference, **ends, "p": p, "p_holm": holm(p), "n": n.astype(np.int64)}


def _values(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], y_ranked: Ranked, method: str
) -> tuple[float, Float[np.ndarray, " n"]]:
    """A coefficient, and each image's influence on it."""
    own = ranked(x)
    return coefficient(x, y, own, y_ranked, method)[0], INFLUENCES[method](x, y, own, y_ranked)
