"""Each pair of encoders: does more of memorability follow from one than from the other?

Readouts are compared on the same images, each within its folds (the same where both have the same images); strongest measures
by the size of their rho, signs left aside. A strongest measure was chosen by the same images, each encoder's among as many as it
has: the larger table has the better chance, and the comparison is of what was found, not of what there is.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.stats.correlation import holm
from memjax.stats.out_of_fold import CHOSEN, MEASURES, PENALTIES, VECTORS, OutOfFold
from memjax.stats.strongest import FEWEST, against_rivals
from memjax.stats.table import Columns
from memjax.stats.within_groups import strongest_columns

STRONGEST_MEASURE = "strongest measure"
PENALTIES_COMPARED = "token vectors of all encoders"
COLUMNS = [
    "compared", "first", "second", "first_rho", "second_rho", "difference", "difference_low", "difference_high", "p", "p_holm",
    "n", "first_measure", "second_measure",
]  # fmt: skip


def encoder_pairs(
    columns: Columns, scores: Float[np.ndarray, " n"], rho: Float[np.ndarray, " k"], readouts: Sequence[OutOfFold]
) -> pd.DataFrame:
    """Every pair of encoders: readouts of measures and of token vectors, and the strongest measures.

    Args:
        columns, scores: measures and scores of the same images.
        rho: Spearman's, of each column.
        readouts: of single encoders and of all.

    Where encoders were read together, under one penalty and with one for each, these two are compared too. That is another
    question than which encoder predicts better: the row stands last, and its ``p_holm`` is its ``p``.

    Returns:
        ``compared, first, second, first_rho, second_rho, difference`` (first less second; of strongest measures that of the
        sizes) with its 95 % interval, ``p``, corrected after Holm over the table, ``n``, and which measures.
    """
    rows = []
    for kind in (MEASURES, VECTORS, CHOSEN):
        own = [one for one in readouts if one.reads == kind and one.model in columns.models]
        rows += [_readouts(one, other) for one, other in itertools.combinations(own, 2)]
    places = {str(columns.keys["model"][place]): place for place in strongest_columns(columns, rho, each=1)}
    rows += [_strongest(columns, scores, rho, pair) for pair in itertools.combinations(places.values(), 2)]
    table = pd.DataFrame([row for row in rows if row["n"] >= FEWEST], columns=COLUMNS)
    corrected = table.assign(p_holm=holm(table["p"].to_numpy(np.float64)))
    banded = [row | {"p_holm": row["p"]} for row in _penalties(readouts) if row["n"] >= FEWEST]
    return pd.concat([corrected, pd.DataFrame(banded, columns=COLUMNS)], ignore_index=True) if banded else corrected


def _penalties(readouts: Sequence[OutOfFold]) -> list[dict[str, object]]:
    """All encoders under one penalty, and with a penalty for each, where they were read so."""
    names = {PENALTIES: "a penalty for each encoder", VECTORS: "one penalty"}
    each = [one for one in readouts if one.reads == PENALTIES]
    same = [one for one in readouts if one.reads == VECTORS and one.model in {other.model for other in each}]
    named = {"compared": PENALTIES_COMPARED, "first": names[PENALTIES], "second": names[VECTORS]}
    return [_readouts(one, other) | named for one, other in zip(each, same, strict=True)]


def _readouts(one: OutOfFold, other: OutOfFold) -> dict[str, object]:
    """Two readouts on the images that both have."""
    first, second = one.among(other.images), other.among(one.images)
    row: dict[str, object] = {"compared": one.reads, "first": one.model, "second": other.model, "n": len(first.images)}
    if len(first.images) < FEWEST:
        return row
    parts, its = first.parts(), second.parts()
    apart = first.apart(parts, its)
    ends = {"difference": apart.value, "difference_low": apart.low, "difference_high": apart.high, "p": apart.p}
    return row | {"first_rho": parts.rho, "second_rho": its.rho, **ends}


def _strongest(
    columns: Columns, scores: Float[np.ndarray, " n"], rho: Float[np.ndarray, " k"], pair: tuple[int, int]
) -> dict[str, object]:
    """The strongest measures of two encoders."""
    one, other = (columns.keys.iloc[place] for place in pair)
    tested = against_rivals(columns.values[:, pair], scores, np.sign(rho[list(pair)]), "spearman")
    named = {name: f"{key['metric']}, layer {key['layer']}" for name, key in (("first", one), ("second", other))}
    return {
        "compared": STRONGEST_MEASURE,
        "first": one["model"],
        "second": other["model"],
        "first_rho": rho[pair[0]],
        "second_rho": rho[pair[1]],
        **{name: tested[name][1] for name in ("difference", "difference_low", "difference_high", "p")},
        "n": int(tested["n"][1]),
        "first_measure": named["first"],
        "second_measure": named["second"],
    }
