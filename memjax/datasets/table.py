"""One's own images as Python has them: a pandas table, or any data set with ``len`` and ``[i]``."""

import difflib
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image as PILImage

from memjax.checks import check_folder, expected
from memjax.datasets.base import COLUMNS, Dataset, Failure, check_limit, fingerprint, make_table, take
from memjax.datasets.folder import own_info
from memjax.datasets.ids import match_ids
from memjax.datasets.join import usable_rows
from memjax.datasets.listing import find_images
from memjax.datasets.map_style import IMAGE, MapDataset, read_items
from memjax.datasets.paths import ImageFolder
from memjax.datasets.scores import as_text, check_unique, numbers, unusable
from memjax.datasets.table_images import FolderImages, Images, Rows, TableRecords, is_named, is_text, look_at
from memjax.decoding import ImageError
from memjax.naming import printable

SCORE = "memorability"


def open_table(
    table: pd.DataFrame | MapDataset,
    images: str | os.PathLike[str] | Images | None = None,
    *,
    score: str | None = SCORE,
    name: str = "table",
    limit: int | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Open images and scores that are already in Python; images are decoded when they are measured, and never copied.

    Ids are the column ``image`` if it holds text, else the index if it holds text, else ``row-000000`` and so on. Of the
    other columns those that `memjax.datasets.base.COLUMNS` lists (category, hits ..) are kept.

    Args:
        table: a pandas table; or anything with ``len`` and ``[i]`` that gives mappings (a Hugging Face data set), pairs
            (image, score) or images (data sets in the style of torch).
        images: the name of the column of images, by default ``"image"``: paths, files' bytes, PIL images or uint8 arrays.
            For a pandas table also a folder, in which the ids are paths (what else is matched, `memjax.datasets.ids`
            says), or a sequence with one image per row.
        score: the column of scores. A table without a column ``"memorability"`` is without scores (`Dataset.scored`), and
            so is any with None.
        name: of the data set.
        limit: look at the first so many rows only.
        follow_links: in a folder of images, symbolic links may lead out of it; else such images are refused.

    Returns:
        The data set, in the order of the rows. In its ``rejected``: rows without a finite score, an id or an image. Its
        fingerprint is over ids, scores and images; see `memjax.datasets.table_images.contents`.

    Raises:
        InputError: no such column, ids twice, no usable row, ``images`` of another length.

    Example:
        >>> frame = pd.DataFrame({"image": [np.zeros((4, 4), np.uint8)] * 2, "memorability": [0.3, 0.9]})
        >>> open_table(frame).table["memorability"].to_dict()
        {'row-000000': 0.3, 'row-000001': 0.9}
    """
    check_limit(limit)
    if isinstance(table, pd.Series):
        raise expected("table", "a pandas table", "a Series", f"write series.to_frame({SCORE!r})", "table")
    frame = isinstance(table, pd.DataFrame)
    rows = _read_frame(table, images, limit, follow_links) if frame else read_items(table, images, score, limit)
    ids = _ids(rows.columns)
    ids = pd.Series([f"row-{row:06d}" for row in range(len(rows.columns))]) if ids is None else ids
    check_unique(ids, f"{name}: column image, or the index")
    column = _score_column(rows.names, score)
    scores = None if column is None else rows.columns.get(column, pd.Series(np.nan, rows.columns.index))
    values = np.full(len(ids), np.nan) if scores is None else numbers(scores)
    made = make_table(ids.tolist(), values, **_known(rows.columns, column))
    broken = _broken(ids, rows.contents)
    whole = [row for row in range(len(ids)) if row not in broken]
    images_told = {failure.image for failure in broken.values()}
    without = [failure for failure in unusable(ids, scores, name) if failure.image not in images_told]
    keep, rejected = usable_rows(made.iloc[whole], None, [*broken.values(), *without], scores is not None)
    used = [whole[row] for row in keep]
    made = made.iloc[used]
    parts = zip(made.index, made["memorability"].tolist(), [rows.contents[row] for row in used])
    info = own_info("a table in memory", fingerprint("table", *parts))
    if isinstance(rows.images, FolderImages) and rows.images.match.said:
        info["ids_matched"] = rows.images.match.said
    named = tuple(is_named(str(rows.contents[row])) for row in used)
    records = TableRecords(tuple(made.index), rows.images, tuple(used), named)
    return take(Dataset(name, made, records, info, None, rejected), None)


def _broken(ids: pd.Series, found: Sequence[str | ImageError]) -> dict[int, Failure]:
    """The rows whose image cannot be used, by their number."""
    return {
        row: Failure(
            printable(image) or f"(row {row + 1})", error.stage, " ".join(f"{printable(image)}: {error}".split())
        )
        for row, (image, error) in enumerate(zip(ids, found, strict=True))
        if isinstance(error, ImageError)
    }


def _read_frame(table: pd.DataFrame, images: object, limit: int | None, follow_links: bool) -> Rows:
    if table.empty or table.columns.has_duplicates:
        wanted = "rows, and columns with different names"
        raise expected("table", wanted, f"{len(table)} rows, columns {', '.join(map(str, table))}", argument="table")
    found = _images(table, images, follow_links)
    table = table.iloc[:limit]
    return Rows(table, [str(name) for name in table], found, look_at(found, len(table))[1])


def _images(table: pd.DataFrame, images: object, follow_links: bool) -> Images:
    """The image of each row, from what `open_table` takes for ``images``."""
    if images is None or (isinstance(images, str) and images in table):
        if (column := images or IMAGE) not in table:
            fix = "say images=: a column, a folder, or one image per row"
            raise expected("table", "a column 'image'", f"columns {', '.join(map(str, table))}", fix, argument="images")
        return table[column].tolist()
    if isinstance(images, (str, os.PathLike)):
        folder = check_folder(os.fspath(images), "images", f"or one of {', '.join(map(str, table))}", argument="images")
        if (ids := _ids(table)) is None:
            fix = "name each row's file in a column image, or in the index"
            raise expected(f"images {folder}", "a table that names files below it", "none", fix, argument="images")
        below = ImageFolder(folder, follow_links)
        return FolderImages(below, match_ids(ids.tolist(), below, find_images(below, []), f"images {folder}, ids"))
    if isinstance(images, (bytes, PILImage.Image)) or not isinstance(images, Images) or len(images) != len(table):
        came = f"{len(images)}" if isinstance(images, (list, tuple, np.ndarray)) else type(images).__name__
        raise expected("images", f"a sequence of {len(table)} images, one for each row", came, argument="images")
    return images.tolist() if isinstance(images, pd.Series) else images


def _ids(table: pd.DataFrame) -> pd.Series | None:
    """Ids that the table itself has, with "" where one is missing."""
    for values in (table.get(IMAGE), table.index.to_series()):
        if values is not None and is_text(values):
            return as_text(values).str.strip().reset_index(drop=True)
    return None


def _score_column(names: Sequence[str], score: str | None) -> str | None:
    """The column of scores, or None where there are no scores.

    Raises:
        InputError: a column was asked for that is not there, or one is there that is nearly called ``memorability``.
    """
    if score is None or score in names:
        return score
    near = [name for name in names if name not in COLUMNS and difflib.get_close_matches(score, [name.lower()], 1, 0.75)]
    if score == SCORE and not near:
        return None
    fix = f"say score={near[0]!r}, or score=None to go without" if near else "score=None goes without scores"
    raise expected("table", f"a column of scores {score!r}", f"columns {', '.join(names)}", fix, argument="score")


def _known(table: pd.DataFrame, score: str | None) -> dict[str, np.ndarray]:
    """The columns that a `Dataset` may have beside its scores."""
    there = [name for name in COLUMNS if name in table and name not in (score, SCORE)]
    return {
        name: as_text(table[name]).to_numpy(str) if COLUMNS[name] is str else numbers(table[name]) for name in there
    }
