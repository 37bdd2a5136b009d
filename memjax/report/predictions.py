"""Predictions from elsewhere beside the readouts: how well each does, and whether one tells what the other does not."""

from collections.abc import Sequence

import pandas as pd

from memjax.report.labels import count, equals, interval_text, is_number, signed
from memjax.report.page import Section
from memjax.stats.out_of_fold import CHOSEN
from memjax.stats.strongest import ALPHA

PREDICTIONS_TITLE = "Predictions from elsewhere"

CAVEATS = (
    "Rho of both is taken within the same folds (where groups are held out: within them) of the same images; the difference's "
    "interval takes in which images were drawn and what was fitted. The predictions were not fitted here; the readouts were, on "
    "the other folds: two predictors of these scores are compared, not two architectures. Whether the predictions come from "
    "a model that has seen these images or their scores cannot be told from the file. Given: with the ranks of the other held "
    "constant.",
)


def prediction_sentences(table: pd.DataFrame) -> list[str]:
    """Each prediction, and the widest readout of each kind beside it.

    Args:
        table: from `memjax.stats.external.compare_predictions`.
    """
    found = []
    for name, rows in table.groupby("prediction", sort=False):
        first = rows.iloc[0]
        ends = interval_text(first["ci_low"], first["ci_high"], first["n"])
        found.append(f"{name}, from elsewhere: ρ = {signed(first['rho'])} {ends}, n = {count(first['n'])}.")
        compared = rows.dropna(subset="readout_rho")
        for _, kind in compared[compared["reads"] != CHOSEN].groupby("reads", sort=False):
            found.append(_beside(str(name), kind.iloc[-1].to_dict()))
    return found


def _beside(name: str, row: dict) -> str:
    """One readout beside the prediction, and what each tells that the other does not."""
    numbers = f"{signed(row['readout_rho'])} against {signed(row['prediction_rho'])}"
    apart = (
        f"a difference of {signed(row['difference'])} {interval_text(row['difference_low'], row['difference_high'])}"
    )
    apart += equals("p", row["difference_p"])
    verdict = f"which predicts these scores better than the other, {name} or the readout, is not settled"
    if row["difference_p"] < ALPHA:
        verdict = f"the readout predicts these scores {'better' if row['difference'] > 0 else 'worse'} than {name}"
    return (
        f"Readout of {row['reads']}, {row['model']}, beside {name} (same images, same folds, n = {count(row['n_compared'])}): "
        f"{numbers}, {apart}: {verdict}. {_given(row, 'readout', 'the readout', name)} "
        f"{_given(row, 'prediction', name, 'the readout')}"
    )


def _given(row: dict, what: str, first: str, held: str) -> str:
    """Whether one tells anything that the other does not."""
    rho, low, high = (row[f"{what}_given{end}"] for end in ("", "_low", "_high"))
    tells = "it is not settled whether it tells anything beyond it"
    if is_number(low) and low > 0:
        tells = "it tells something beyond it"
    return f"Given {held}, {first} has ρ = {signed(rho)} {interval_text(low, high)}: {tells}."


def prediction_sections(table: pd.DataFrame | None) -> Sequence[Section]:
    """The part of the page; none without predictions."""
    if table is None:
        return ()
    sentences = prediction_sentences(table)
    return [Section(PREDICTIONS_TITLE, [*sentences, *CAVEATS], {}, _shown(table.dropna(subset="readout_rho")))]


def _shown(table: pd.DataFrame) -> pd.DataFrame | None:
    """The table for reading: a row a readout."""
    if not len(table):
        return None
    out = table[["prediction", "reads", "model"]].assign(readout=table["readout_rho"].map(signed))
    out["prediction, same folds"] = table["prediction_rho"].map(signed)
    kinds = {"difference": "difference", "readout_given": "readout given prediction", "prediction_given": "the reverse"}
    for column, name in kinds.items():
        ends = map(interval_text, table[f"{column}_low"], table[f"{column}_high"])
        out[name] = [f"{signed(value)} {end}" for value, end in zip(table[column], ends, strict=True)]
    return out.assign(**{"p, Holm": table["difference_p_holm"].round(4), "n": table["n_compared"]})
