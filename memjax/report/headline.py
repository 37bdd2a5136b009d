"""The result in words: no more than the tests allow.

The strongest of many correlations is the strongest partly by luck. So the sentence gives its own interval, q over all
cells tested, p corrected for having been chosen, and its share of the human ceiling; the notes say how many other cells it
cannot be told from. Of few images nothing is claimed.
"""

import math
from collections.abc import Sequence

import pandas as pd

from memjax.report.labels import Context, count, equals, interval_text, is_number, of_ceiling, place_words, signed
from memjax.report.strongest import (
    FEW_INTERVALS,
    corrected,
    family_sentence,
    multiples_sentence,
    rivals_sentence,
    too_few,
)
from memjax.stats.exact import MOST_ORDERS, ORDERS
from memjax.stats.strongest import ALPHA, FEWEST, Strongest


def best_row(table: pd.DataFrame, strongest: Strongest | None = None) -> pd.Series | None:
    """The row of the strongest correlation; None where no correlation is defined.

    Args:
        table: a correlation table.
        strongest: which one, where that was found; else the largest ``|rho|`` of enough images, or of any where none has those.
    """
    found = table[table["rho"].notna()]
    if strongest is not None:
        keys = {"model": strongest.model, "metric": strongest.metric, "layer": strongest.layer}
        found = found[(found[list(keys)] == pd.Series(keys)).all(axis=1)]
    elif (found["n"] >= FEWEST).any():
        found = found[found["n"] >= FEWEST]
    return None if found.empty else found.loc[found["rho"].abs().idxmax()]


def claimed_row(table: pd.DataFrame, strongest: Strongest | None = None) -> pd.Series | None:
    """`best_row`, where there are enough images to speak of it."""
    best = best_row(table, strongest)
    return None if best is None or best["n"] < FEWEST else best


def headline(table: pd.DataFrame, context: Context, strongest: Strongest | None = None) -> str:
    """One sentence: the strongest correlation, its interval, n, q over the table, and its share of the ceiling.

    Args:
        table: a correlation table.
        context: coefficient, ceiling and labels.
        strongest: what its tests say; None where there were none.
    """
    best = best_row(table, strongest)
    if table["n"].max() < FEWEST:
        return too_few(int(table["n"].max()))
    if best is None:
        return "No correlation could be computed: every metric is constant or undefined."
    title = context.label(best["metric"]).title
    where = f"{title} ({best['metric']}) {place_words(best['model'], best['metric'], best['layer'])}"
    numbers = _numbers(best, context, strongest)
    if not _clear(best, strongest):
        return f"No metric is clearly related to memorability; the strongest is {where}: {numbers}."
    ending = of_ceiling(best["rho"], context.ceiling)
    if strongest is not None and strongest.unsettled:
        others = f"{count(strongest.unsettled)} other{'s' if strongest.unsettled > 1 else ''} cannot be told from it"
        return f"{where} has the largest correlation with memorability: {numbers}{ending}; {others}."
    return f"{where} is the strongest single correlate of memorability: {numbers}{ending}."


def _numbers(best: pd.Series, context: Context, strongest: Strongest | None) -> str:
    ends = f"{100 * context.level:g} % interval {interval_text(best['ci_low'], best['ci_high'])}"
    numbers = f"{context.symbol} = {signed(best['rho'])}, {ends}, n = {count(best['n'])}"
    numbers += equals("q", best["q"])
    if strongest is not None and (p := corrected(strongest)):
        numbers += f", {p}"
    for sign in ("=", "<"):
        numbers = numbers.replace(f" {sign} ", f"\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    return numbers


def caveats(
    table: pd.DataFrame, synthetic: bool, strongest: Strongest | None = None, method: str = "spearman"
) -> Sequence[str]:
    """What keeps the headline from saying more. Arguments as `headline`'s."""
    best = best_row(table, strongest)
    if best is None:
        return ()
    found = table[table["rho"].notna()]
    notes = _of_few(best, found) if best["n"] < FEWEST else _of_chosen(best, found, strongest, method)
    notes.append(f"{count((found['q'] < ALPHA).sum())} of {count(len(found))} correlations have q < {ALPHA}.")
    if best["n"] >= FEWEST and (few := int((found["n"] < FEWEST).sum())):
        notes.append(
            f"{count(few)} correlations are of fewer than {FEWEST} images: marked in the table, and not among these."
        )
    undefined = len(table) - len(found)
    if undefined:
        notes.append(f"{count(undefined)} cells have no value (a constant metric, or a layer where it is not defined).")
    if synthetic:
        notes.append("The images and scores are generated: nothing here is evidence about human memory.")
    return notes


def _of_chosen(best: pd.Series, found: pd.DataFrame, strongest: Strongest | None, method: str) -> list[str]:
    """How far the strongest one, chosen among many, stands out."""
    family = strongest.correlations if strongest else len(found)
    notes = [
        f"The strongest one was chosen as the largest of {count(family)} correlations, so it is likely to come out "
        "smaller on new images; each interval is for one correlation on its own, q is Benjamini-Hochberg over the whole table, "
        "a measure and its fixed multiples one test.",
    ]
    if not _bounded(best):
        notes.append(NO_INTERVAL)
    if strongest is not None:
        said = family_sentence(strongest, method), rivals_sentence(strongest), multiples_sentence(strongest)
        notes += filter(None, said)
    return notes


NO_INTERVAL = "The strongest one has no interval: it is the same in every resample, or none was drawn."


def _of_few(best: pd.Series, found: pd.DataFrame) -> list[str]:
    """Why nothing is claimed of few images, and what their p and intervals are."""
    n = int(best["n"])
    orders = f"all {count(math.factorial(n))} orders" if n <= MOST_ORDERS else f"{count(ORDERS)} random orders"
    notes = [
        f"{count(n)} images are too few for more than a look. Their p is counted: the share of {orders} of the scores that "
        "give a coefficient as large."
    ]
    return [*notes, FEW_INTERVALS if _bounded(best) else NO_INTERVAL]


def _bounded(row: pd.Series) -> bool:
    return is_number(row["ci_low"]) and is_number(row["ci_high"])


def _clear(row: pd.Series, strongest: Strongest | None) -> bool:
    """True where the interval leaves out 0, and q and the corrected p are below `ALPHA`."""
    if not (_bounded(row) and row["q"] < ALPHA and (row["ci_low"] > 0 or row["ci_high"] < 0)):
        return False
    return strongest is None or strongest.p_family is None or strongest.p_family < ALPHA
