"""What the page of an atlas says in sentences, and its table of counts."""

from collections.abc import Mapping, Sequence

import pandas as pd

from memjax.latents.seen import IN_SAMPLE, OTHER, OUT_OF_SAMPLE, UNKNOWN
from memjax.report.labels import count

SCORED_WORDS: Mapping[str, str] = {
    OUT_OF_SAMPLE: "on images that their autoencoder was not trained on",
    IN_SAMPLE: "IN SAMPLE: on the images that their autoencoder was trained on",
    OTHER: "on a data set other than the one that their autoencoder was trained on",
    UNKNOWN: "on images of which it is not known whether their autoencoder was trained on them",
}
"""How the images relate to an autoencoder, in words."""


def findings_of(table: pd.DataFrame, summary: pd.DataFrame) -> list[str]:
    """Sentences: how many latents go with the scores, and how many of them are found again.

    Args:
        table, summary: of an atlas.
    """
    said = []
    for how, rows in table.groupby("scored", sort=False):
        tested, found = int(rows["rho"].notna().sum()), int((rows["q"] < 0.05).sum())
        said.append(
            f"{count(found)} of {count(tested)} latents that fire often enough correlate with memorability (q < 0.05), scored "
            f"{SCORED_WORDS[str(how)]}."
        )
    total = int(summary["found"].sum())
    for name, words in (("seeds", "every other seed"), ("folds", "every other fold, on other images")):
        column = f"agree_in_all_{name}"
        if total and column in summary and summary[column].notna().all():
            again = int(summary[column].sum())
            said.append(
                f"{count(again)} of these {count(total)} are found again in {words}: a latent with nearly the same direction, "
                "a ρ of the same sign and q < 0.05."
            )
    return said


def caveats_of(table: pd.DataFrame, least_firings: int, same_cosine: float) -> list[str]:
    """What keeps the page from saying more."""
    notes = []
    if (table["scored"] == IN_SAMPLE).any():
        notes.append(
            "In sample: these autoencoders were trained on the images that they are scored on. Train them with folds to score "
            "images that they have not seen."
        )
    if (table["scored"] == UNKNOWN).any():
        notes.append(
            "Nothing says which images some of the autoencoders were trained on; read those rows as in sample."
        )
    notes += [
        f"A latent that fires for fewer than {least_firings} of the scored images has no ρ: its interval would not hold what "
        "it says. q is Benjamini-Hochberg over all latents that have one.",
        "The strongest of many are stronger here than they would be on new images; their intervals are of each by itself.",
    ]
    if "seeds" in table:
        notes.append(
            f"A partner is the same latent where the cosine of the decoder directions is {same_cosine:g} or more. Seeds are "
            "scored on the same images: that they agree says that a direction is found again, not that its ρ would be."
        )
    if "folds" in table:
        notes.append(
            "Folds are scored on different images, so that they agree says that ρ is found again; their autoencoders start from "
            "the same weights, so that a direction is found again says less."
        )
    if "category" in table:
        notes.append("A latent that fires for a category which people remember well has a ρ by that alone.")
    notes.append("A correlation is no cause: whether a prediction hangs on a latent, an edit of it tells.")
    return notes


NAMES: Mapping[str, str] = {
    "token": "token",
    "layer": "layer",
    "scored": "scored",
    "autoencoders": "autoencoders",
    "latents": "latents",
    "silent": "never fire",
    "tested": "with ρ",
    "found": "q < 0.05",
    "positive": "of these ρ > 0",
    "same_in_all_seeds": "same latent in all seeds",
    "agree_in_all_seeds": "and q < 0.05 in all",
    "same_in_all_folds": "same latent in all folds",
    "agree_in_all_folds": "and q < 0.05 in all folds",
}
"""Columns of the summary, as the page names them."""


def summary_rows(summary: pd.DataFrame) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """Headings and rows of the counts."""
    shown = [name for name in NAMES if name in summary]
    return [NAMES[name] for name in shown], summary[shown].astype(object).values.tolist()
