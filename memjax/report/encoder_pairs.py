"""Pairs of encoders, and the headline's rho corrected for the observers' noise: two short parts of the page."""

from collections.abc import Sequence

import pandas as pd

from memjax.report.labels import column_words, count, equals, interval_text, probability, signed
from memjax.report.page import Section
from memjax.stats.encoder_pairs import PENALTIES_COMPARED, STRONGEST_MEASURE
from memjax.stats.out_of_fold import CHOSEN
from memjax.stats.strongest import ALPHA

PAIRS_TITLE, CORRECTED_TITLE = "Encoders compared", "Corrected for the observers' noise"

PAIRS_NOTE = (
    "Readouts: difference of ρ on the same images, within folds, with an interval over images and fits. Strongest measures: "
    "difference of the sizes of ρ, signs left aside; each was chosen by these images, so that its own size is flattered. p is "
    "corrected after Holm over the table; whether a penalty for each encoder is better than one is a question of its own."
)
CORRECTED_NOTE = (
    "ρ divided by the ceiling, the square root of the scores' reliability: what a correlation with scores without noise would be "
    "expected to be. The interval has the ceiling's own uncertainty over images, together with that of ρ on the same images."
)


def pair_sentences(table: pd.DataFrame) -> list[str]:
    """For each kind of readout which encoder predicts better, if that is settled; of many pairs, how many are told apart."""
    found = []
    for kind, rows in table[~table["compared"].isin([STRONGEST_MEASURE, CHOSEN])].groupby("compared", sort=False):
        if len(rows) > 3:
            clear = int((rows["p_holm"] < ALPHA).sum())
            found.append(
                f"Readouts of {kind}: {count(clear)} of {count(len(rows))} pairs of encoders can be told apart."
            )
            continue
        found += [_pair(str(kind), row) for row in rows.to_dict("records")]
    return found


def _pair(kind: str, row: dict) -> str:
    better = row["first"] if row["difference"] > 0 else row["second"]
    verdict = f"{better} predicts better" if row["p_holm"] < ALPHA else "which predicts better is not settled"
    ends = interval_text(row["difference_low"], row["difference_high"])
    both = f"{row['first']} {signed(row['first_rho'])}, {row['second']} {signed(row['second_rho'])}"
    corrected = "" if kind == PENALTIES_COMPARED else " after Holm"
    return (
        f"Readouts of {kind}: {both}, a difference of "
        f"{signed(row['difference'])} {ends}{equals('p', row['p_holm'])}{corrected}: {verdict}."
    )


def pair_sections(table: pd.DataFrame | None) -> Sequence[Section]:
    """The part of the page; none of a single encoder."""
    if table is None:
        return ()
    out = table[["compared"]].assign(**{name: table[name].map(column_words) for name in ("first", "second")})
    out["ρ first"] = table["first_rho"].map(signed)
    out["ρ second"] = table["second_rho"].map(signed)
    ends = map(interval_text, table["difference_low"], table["difference_high"])
    out["difference"] = [f"{signed(value)} {end}" for value, end in zip(table["difference"], ends, strict=True)]
    out = out.assign(p=table["p"].map(probability), **{"p, Holm": table["p_holm"].map(probability)}, n=table["n"])
    return [Section(PAIRS_TITLE, [*pair_sentences(table), PAIRS_NOTE], {}, out)]


def corrected_sections(table: pd.DataFrame | None) -> Sequence[Section]:
    """The part of the page; none where the ceiling is not known."""
    if table is None or not len(table):
        return ()
    first = table.iloc[0]
    said = f"Ceiling {first['ceiling']:.3f} {interval_text(first['ceiling_low'], first['ceiling_high'])}."
    out = pd.DataFrame({"what": table["what"].map(column_words), "model": table["model"]})
    out["ρ"] = table["rho"].map(signed)
    ends = map(interval_text, table["corrected_low"], table["corrected_high"])
    out["corrected"] = [f"{signed(value)} {end}" for value, end in zip(table["corrected"], ends, strict=True)]
    return [Section(CORRECTED_TITLE, [said, CORRECTED_NOTE], {}, out.assign(n=table["n"]))]
