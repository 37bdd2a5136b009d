"""The result in words: no more than the intervals allow.

The strongest of many correlations is the strongest partly by luck. So the sentence gives its own interval, q over all
cells tested, and its share of the human ceiling; the notes say how many other cells it cannot be told from.
"""

import math
from collections.abc import Sequence

import pandas as pd

from memjax.report.labels import Context, count, interval_text, is_number, probability, share, signed
from memjax.stats.exact import MOST_IMAGES

ALPHA = 0.05
"""Level of q (Benjamini-Hochberg) below which a correlation is called clear."""


def best_row(table: pd.DataFrame) -> pd.Series | None:
    """The row with the largest ``|rho|``; None where no correlation is defined."""
    found = table[table["rho"].notna()]
    return None if found.empty else found.loc[found["rho"].abs().idxmax()]


def headline(table: pd.DataFrame, context: Context) -> str:
    """One sentence: the strongest correlation, its interval, n, q over the table, and its share of the ceiling."""
    best = best_row(table)
    if best is None:
        return "No correlation could be computed: every metric is constant or undefined."
    title = context.label(best["metric"]).title
    where = f"{title} ({best['metric']}) at layer {best['layer']} of {best['model']}"
    ends = f"{100 * context.level:g} % interval {interval_text(best['ci_low'], best['ci_high'])}"
    q = probability(best["q"])
    numbers = f"{context.symbol} = {signed(best['rho'])}, {ends}, n = {count(best['n'])}"
    numbers += f", q {q}" if q.startswith("<") else f", q = {q}"
    for sign in ("=", "<"):
        numbers = numbers.replace(f" {sign} ", f"\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    if not _clear(best):
        return f"No metric is clearly related to memorability; the strongest is {where}: {numbers}."
    of_ceiling = share(best["rho"], context.ceiling)
    ending = "" if of_ceiling == "–" else f", {of_ceiling} of the human ceiling"
    return f"{where} is the strongest single correlate of memorability: {numbers}{ending}."


def caveats(table: pd.DataFrame, synthetic: bool) -> Sequence[str]:
    """What keeps the headline from saying more."""
    best = best_row(table)
    if best is None:
        return ()
    found = table[table["rho"].notna()]
    notes = [
        f"The strongest one was chosen as the largest of {count(len(found))} correlations, so it is likely to come out "
        "smaller on new images; each interval is for one correlation on its own, q is Benjamini-Hochberg over the whole table.",
        _beside(best, found),
        f"{count((found['q'] < ALPHA).sum())} of {count(len(found))} correlations have q < {ALPHA}.",
    ]
    if best["n"] <= MOST_IMAGES:
        notes.append(
            f"{count(best['n'])} images are too few for more than a look. Their p is exact: the share of the "
            f"{count(math.factorial(int(best['n'])))} orders of the scores that give a coefficient as large."
        )
    undefined = len(table) - len(found)
    if undefined:
        notes.append(f"{count(undefined)} cells have no value (a constant metric, or a layer where it is not defined).")
    if synthetic:
        notes.append("The images and scores are generated: nothing here is evidence about human memory.")
    return notes


def _beside(best: pd.Series, found: pd.DataFrame) -> str:
    """How far the strongest one stands out from the others."""
    if not (is_number(best["ci_low"]) and is_number(best["ci_high"])):
        return "The strongest one has no interval: it is the same in every resample, or none was drawn."
    others = _overlapping(found, best)
    text = (
        f"{count(others)} of the other {count(len(found) - 1)} correlations have intervals that overlap with its own "
        "(sizes compared, signs left aside)"
    )
    return text + (": which one is strongest is not settled." if others else ".")


def _clear(row: pd.Series) -> bool:
    """True where the interval leaves out 0 and q is below `ALPHA`."""
    ends = row["ci_low"], row["ci_high"]
    return bool(all(map(is_number, ends)) and (ends[0] > 0 or ends[1] < 0) and row["q"] < ALPHA)


def _overlapping(found: pd.DataFrame, best: pd.Series) -> int:
    """How many other rows have a ``|rho|`` interval that reaches into the best one's."""
    lowest = min(abs(best["ci_low"]), abs(best["ci_high"])) if best["ci_low"] * best["ci_high"] > 0 else 0.0
    reach = found[["ci_low", "ci_high"]].abs().max(axis=1)
    return int((reach.drop(best.name) >= lowest).sum())
