"""The result of the reproduction in words: what is strongest, without what was picked by its correlation.

The authors released the latent magnitudes of one autoencoder of five, the one whose loss correlates best with the scores. Its
correlation is one of a choice made by that same correlation, so it has a sentence of its own instead of the headline.
"""

import pandas as pd

from memjax.report.headline import best_row, caveats
from memjax.report.labels import Context, count, equals, interval_text, of_ceiling, place_words, signed
from memjax.report.strongest import too_few
from memjax.stats.strongest import FEWEST

PICKED = ("sae_latent_magnitude",)
"""Measures of an autoencoder that was picked by its correlation with the same scores."""


def opening(table: pd.DataFrame, context: Context) -> str:
    """One sentence: the strongest correlation of the table that nobody picked, its interval, n, q and share of the ceiling.

    Args:
        table: a correlation table.
        context: with the ceiling, if known.
    """
    if table["n"].max() < FEWEST:
        return too_few(int(table["n"].max()))
    best = best_row(unpicked(table))
    if best is None:
        return "No correlation could be computed: every measure is constant or undefined."
    among = "measures that were not picked by their correlation" if picked(table) is not None else "these measures"
    return f"Of {among}, the one with the largest correlation is {_row_words(best, context)}."


def findings(table: pd.DataFrame, sae: pd.DataFrame | None, context: Context) -> list[str]:
    """Sentences below the headline: the autoencoders' loss, and the measure that was picked.

    Args:
        table: a correlation table.
        sae: from `memjax.paper.tables.sae_table`, or None.
        context: with the ceiling, if known.
    """
    out = [] if sae is None else [_loss_words(rows, context) for _, rows in sae.groupby("model", sort=False)]
    row = picked(table)
    if row is not None:
        out.append(
            f"{_row_words(row, context)}. This one was picked by the scores that it is correlated with: of the autoencoders "
            "of five seeds, the authors released the latents of the one whose loss correlates best."
        )
    return out


def notes(table: pd.DataFrame) -> list[str]:
    """What keeps the headline from saying more, for the measures that were not picked."""
    return list(caveats(unpicked(table), synthetic=False))


def unpicked(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of measures that were not picked by their correlation."""
    return table[~table["metric"].isin(PICKED)]


def picked(table: pd.DataFrame) -> pd.Series | None:
    """The strongest of the rows that were picked; None where there is none."""
    return best_row(table[table["metric"].isin(PICKED)])


def _row_words(row: pd.Series, context: Context) -> str:
    title = context.label(row["metric"]).title
    where = place_words(row["model"], row["metric"], row["layer"])
    numbers = (
        f"{context.symbol} = {signed(row['rho'])} {interval_text(row['ci_low'], row['ci_high'])}, n = {count(row['n'])}"
    )
    numbers += equals("q", row["q"])
    return f"{title} ({row['metric']}) {where}: {numbers}{of_ceiling(row['rho'], context.ceiling)}"


def _loss_words(rows: pd.DataFrame, context: Context) -> str:
    """One encoder's autoencoders after their last epoch."""
    last = rows.loc[rows["epoch"].idxmax()]
    return (
        f"The sparse autoencoder's reconstruction loss, {last['model']}: {context.symbol} = {signed(last['mean'])}"
        f"{of_ceiling(last['mean'], context.ceiling)}, mean over {count(last['seeds'])} seeds after epoch {last['epoch']} (SD "
        f"{last['std']:.3f}, best run {signed(last['best'])}), as the authors released it: of images that the autoencoders "
        "were trained on, without values by image, so that it has no interval here."
    )
