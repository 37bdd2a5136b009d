"""How many latents go with the scores, by token and layer, and how many of them are found again."""

import pandas as pd

from memjax.latents.table import ALPHA

PLACE = ["model", "token", "layer"]


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Counts of latents over the autoencoders of each token and layer.

    Args:
        table: of `memjax.latents.table.atlas_table`.

    Returns:
        ``model, token, layer, scored, autoencoders, latents, silent, tested, found, positive, [same_in_all_seeds,
        agree_in_all_seeds], [same_in_all_folds, agree_in_all_folds], strongest``. ``silent`` fire for no scored image; ``tested``
        have a rho; ``found`` have q < `memjax.latents.table.ALPHA`, ``positive`` of them a rho above 0. Of the found ones: the
        latents whose partner is the same in every other seed (fold), and those whose partner there has q < ALPHA and the same
        sign besides. ``strongest`` is the largest absolute rho.

    Example:
        >>> row = {"model": "m", "token": "cls", "layer": 1, "seed": 0, "fold": 0, "scored": "out of sample"}
        >>> rows = [{**row, "firings": 30, "rho": rho, "q": q} for rho, q in ((0.4, 0.01), (-0.1, 0.6))]
        >>> summary_table(pd.DataFrame(rows))[["tested", "found", "positive"]].values.tolist()
        [[2, 1, 1]]
    """
    return pd.DataFrame(
        [
            {**dict(zip(PLACE, key, strict=True)), **_counts(rows)}
            for key, rows in table.groupby(PLACE, sort=False, observed=True)
        ]
    )


def _counts(rows: pd.DataFrame) -> dict[str, object]:
    found = rows[rows["q"] < ALPHA]
    counts: dict[str, object] = {
        "scored": ", ".join(dict.fromkeys(rows["scored"])),
        "autoencoders": len(rows[["seed", "fold"]].drop_duplicates()),
        "latents": len(rows),
        "silent": int((rows["firings"] == 0).sum()),
        "tested": int(rows["rho"].notna().sum()),
        "found": len(found),
        "positive": int((found["rho"] > 0).sum()),
    }
    for name in ("seed", "fold"):
        if f"{name}s" in rows and (rows[f"{name}s"] > 0).all():
            for what in ("same", "agree"):
                counts[f"{what}_in_all_{name}s"] = int((found[f"{name}s_{what}"] == found[f"{name}s"]).sum())
    return counts | {"strongest": float(rows["rho"].abs().max())}
