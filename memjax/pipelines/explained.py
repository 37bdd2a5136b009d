"""Figures of where in an image its score comes from, for the images that score highest and lowest."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from memjax.images import image_levels
from memjax.predictor.predictor import Predictor
from memjax.predictor.sources import Named
from memjax.progress import ProgressCallback, progress_of
from memjax.report.attribution import where_in_image
from memjax.report.figures import save_figure

FOLDER = "explained"
"""Of the figures, below the results'."""


def extremes(table: pd.DataFrame, count: int) -> list[tuple[str, int]]:
    """Rows of the images that score highest and lowest, within the domain where there are enough, and what to call each.

    Args:
        table: of `memjax.predictor.Predictor.predict`.
        count: of each.

    Example:
        >>> scores = pd.DataFrame({"score": [0.2, 0.9, float("nan"), 0.5], "out_of_domain": [False, False, True, False]})
        >>> extremes(scores, 1)
        [('high_1', 1), ('low_1', 0)]
    """
    scored = table[table["score"].notna()]
    inside = scored[~scored["out_of_domain"]]
    order = (inside if len(inside) >= 2 * count else scored)["score"].sort_values(ascending=False).index.tolist()
    high, low = order[:count], [row for row in order[::-1][:count] if row not in order[:count]]
    return [(f"high_{i + 1}", row) for i, row in enumerate(high)] + [(f"low_{i + 1}", row) for i, row in enumerate(low)]


def explain_extremes(
    predictor: Predictor,
    named: Named,
    table: pd.DataFrame,
    count: int,
    folder: Path,
    progress: bool | ProgressCallback = False,
) -> dict[str, Figure]:
    """Write a figure for each of the extremes and each encoder, ``explained/high_1_1.png`` and ``.pdf`` (image, encoder).

    Args:
        predictor: whose scores these are.
        named: the images.
        table: their scores.
        count: how many highest, and how many lowest.
        folder: of the results.
        progress: as in `memjax.predictor.Predictor.predict`.

    Returns:
        The figures by the name of their files.

    Raises:
        InputError: the predictor computes in bfloat16, whose derivatives are too coarse.
    """
    found: dict[str, Figure] = {}
    chosen = extremes(table, count)
    with progress_of("explaining", len(chosen), progress) as advance:
        for title, row in chosen:
            source = named.dataset.records[row].data
            for place, (model, explained) in enumerate(predictor.explain(source).items()):
                levels = image_levels(source, predictor.encoders[model].preprocessing).pixels
                synthetic = bool(named.dataset.info.get("synthetic", False))
                figure = where_in_image(explained, levels, named.names[row], model, synthetic)
                save_figure(figure, folder / FOLDER, f"{title}_{place + 1}")
                found[f"{title}_{place + 1}"] = figure
            advance(1)
    return found
