"""Where the paper's text, its scripts, its files and what circulates about it disagree, with the numbers at hand."""

from collections.abc import Mapping

import pandas as pd

from memjax.paper import published

HITS, CORRECTED = "hits", "corrected"
"""How halves of the observers are scored: by hits alone, or by hits less false alarms."""


def disagreements(
    table: pd.DataFrame, notes: dict[str, str], dealt: Mapping[str, float] | None, released: bool
) -> list[str]:
    """Sentences for the files present; for one's own features (``released`` False) only what concerns their GLM.

    Args:
        table: a correlation table.
        notes: encoder -> note on its GLM, may be empty.
        dealt: split-half consistencies from the published counts dealt at random , by `HITS` and `CORRECTED`, or None.
        released: the measures are the authors'.
    """
    fitted = [f"GLM, {model}: {note}." for model, note in notes.items() if note]
    if not released:
        return fitted
    out = []
    entropy = table[table["metric"] == "attention_entropy"].dropna(subset="rho")
    if len(entropy):
        low, high = entropy.loc[entropy["rho"].idxmin()], entropy.loc[entropy["rho"].idxmax()]
        out.append(
            f"Attention entropy: a circulating summary claims r = {published.CLAIMED_ENTROPY}; here it lies between "
            f"{low['rho']:+.3f} ({low['model']}, layer {low['layer']}) and {high['rho']:+.3f} ({high['model']}, layer "
            f"{high['layer']}) over {len(entropy)} encoder layers."
        )
    out.append(
        "The same summary has the sparse autoencoder 12.3 % better than CNN measures. Of those, Lin et al.'s are of other "
        "images (Isola et al. 2011, Pearson's r 0.29 and 0.36). Bagheri & Mohsenzadeh 2024 did measure MemCat, by the loss of a "
        "VGG-16 autoencoder after one epoch, but their values by image are not in these files: no percentage and no paired test "
        "follows from them."
    )
    out.append(
        "SAE loss: the training script scores RAW representations with a model trained on standardised ones; a later "
        "script standardises first. The released correlations by epoch are the script's; they can differ in sign."
    )
    out.append(
        'GLM "layer 10": the script reads key "10" of each file. For activations and uniformity that is hidden state '
        "10; for entropy it is the attention of block 11 (attentions are counted from 0). The same is done here."
    )
    out += fitted
    if dealt is not None:
        out.append(
            f"Ceiling: MemCat's split-half consistency is published as {published.MEMCAT_SPLIT_HALF}. Each image's published "
            f"responses dealt at random to two halves agree at {dealt[HITS]:.3f} by hits alone, which gives the published one, "
            f"and at {dealt[CORRECTED]:.3f} with false alarms taken off, as in the score that everything here is "
            "correlated with. The ceiling is of the latter."
        )
    return out
