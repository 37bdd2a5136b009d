"""The claims of the abstract as the page shows them."""

import pandas as pd

from memjax.report.labels import interval_text, probability, signed

WEIGHED = (
    "Yes: the interval lies above 0, or, for any layer, the largest correlation exceeds that of permuted scores (p below 0.05). "
    "No: at the most the correlation in the expected direction is below 0.05; of two measures, see the note. Not settled: "
    "neither. Cannot be tested: the note says what is missing. No layer, measure or sign is picked by the images that it is "
    "tested on. All columns are in claims.csv.",
)


def shown_claims(table: pd.DataFrame) -> pd.DataFrame:
    """The table for reading.

    Example:
        >>> row = {"claim": "c", "model": "m", "test": "t", "estimate": 0.1, "ci_low": 0.0, "ci_high": 0.2, "p": 0.01, "n": 9}
        >>> shown_claims(pd.DataFrame([{**row, "verdict": "yes", "note": ""}])).columns.tolist()
        ['claim', 'encoder', 'test', 'verdict', 'estimate', 'interval', 'p', 'n', 'note']
    """
    out = table[["claim", "model", "test", "verdict"]].rename(columns={"model": "encoder"})
    out = out.assign(estimate=table["estimate"].map(signed))
    out = out.assign(interval=list(map(interval_text, table["ci_low"], table["ci_high"])))
    return out.assign(
        p=table["p"].map(probability), n=table["n"].where(table["n"] > 0).astype("Int64"), note=table["note"]
    )
