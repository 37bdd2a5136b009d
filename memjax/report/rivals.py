"""The page of the baselines: each measure by layer, the measures side by side, and the questions that they answer."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from memjax.outputs import Run, failure_table
from memjax.report.figures import rho_by_layer
from memjax.report.labels import Context, count, interval_text, probability, signed
from memjax.report.page import Page, Section, write_report
from memjax.stats.correlation import benjamini_hochberg

SIDE_BY_SIDE = (
    "Spearman's ρ with the scores, over the images that have every measure. A measure's layer is never picked by its own "
    "result: it is the last, or all layers have a part by the sum of their ranks, or the layer is chosen in the other folds. "
    "Out of sample means that an image is scored by a model that did not see it; where it did see it, the table says so. A "
    "measure that is expected to be smaller for memorable images is turned round.",
)
PAIRS = (
    "Difference of the two ρ with a paired bootstrap interval; p by Williams' test for dependent correlations, corrected after "
    "Holm over the pairs with the same layers; each measure with the other held constant. A measure tells more than another if "
    "it correlates more strongly and adds to it (both intervals above 0); it does not if the other correlates more strongly, or "
    "if at the most it is ahead, and adds, by less than 0.05. Pairs with an autoencoder are shown; comparison.csv has all.",
)


def question_sentences(answers: pd.DataFrame) -> list[str]:
    """Each question and its answer, in a line.

    Example:
        >>> row = {"question": "Q?", "layers": "last layer", "measure": "a", "answer": "no", "sentence": "a: rho +0.1"}
        >>> question_sentences(pd.DataFrame([row]))
        ['Q? No (last layer). a: rho +0.1.']
    """
    return [
        f"{row['question']} {row['answer'].capitalize()}{in_brackets(row['layers'])}. {row['sentence']}."
        for row in answers.to_dict("records")
    ]


def in_brackets(text: str) -> str:
    """A text in brackets, with a space before; nothing of nothing."""
    return f" ({text})" if text else ""


def shown_alone(alone: pd.DataFrame) -> pd.DataFrame:
    """Each measure for reading."""
    out = alone[["layers", "measure"]].assign(
        sample=alone["in_sample"].map({True: "in sample", False: "out of sample"})
    )
    out = out.assign(rho=alone["rho"].map(signed), interval=list(map(interval_text, alone["ci_low"], alone["ci_high"])))
    for name in (column for column in alone if column.startswith("rho_given_")):
        control = name.removeprefix("rho_given_")
        ends = map(interval_text, alone[f"given_{control}_low"], alone[f"given_{control}_high"])
        held = [f"{signed(rho)} {end}" for rho, end in zip(alone[name], ends, strict=True)]
        out[f"{control} held constant"] = held
    return out.assign(n=alone["n"].map(count))


def shown_pairs(pairs: pd.DataFrame, autoencoders: Sequence[str]) -> pd.DataFrame:
    """The pairs with an autoencoder, for reading; all, where there is none."""
    own = pairs["first"].isin(autoencoders) | pairs["second"].isin(autoencoders)
    rows = pairs[own] if own.any() else pairs
    out = rows[["layers", "first", "second"]].assign(difference=rows["difference"].map(signed))
    ends = list(map(interval_text, rows["difference_low"], rows["difference_high"]))
    out = out.assign(interval=ends, p=rows["p"].map(probability))
    out["p, Holm"] = rows["p_holm"].map(probability)
    for given, name in (("first_given_second", "first given second"), ("second_given_first", "second given first")):
        ends = map(interval_text, rows[f"{given}_low"], rows[f"{given}_high"])
        out[name] = [f"{signed(rho)} {end}" for rho, end in zip(rows[given], ends, strict=True)]
    return out


def write_baselines_page(
    path: Path, run: Run, table: pd.DataFrame, compared: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    """report.html of the baselines.

    Args:
        path: of the file.
        run: its record.
        table: one row a measure and layer.
        compared: measures alone, pairs, answers; empty where there was nothing to compare.
    """
    alone, pairs, answers = compared
    context = Context(synthetic=run.dataset.synthetic, ceiling=run.ceiling)
    shown = table.rename(columns={"source": "model", "measure": "metric"})
    shown = shown.assign(q=benjamini_hochberg(shown["p"].to_numpy()))
    drawn = {name: rho_by_layer(shown, name, context) for name in shown.dropna(subset="rho")["metric"].unique()}
    parts = []
    if len(alone):
        own = list(alone.loc[alone["kind"] == "autoencoder", "measure"])
        parts = [
            Section("Measures side by side", SIDE_BY_SIDE, {}, shown_alone(alone)),
            Section("Pairs", PAIRS, {}, shown_pairs(pairs, own)),
        ]
    findings = question_sentences(answers)
    page = Page(run, shown, context, failure_table([]), figures=drawn, sections=parts, findings=findings)
    write_report(path, page)
