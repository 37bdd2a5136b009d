"""One's own images: a folder, and a table ``image,memorability[,category]``; read in place, never copied."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import check_folder, expected, path_of
from memjax.datasets.base import (
    GROUPINGS,
    SPLIT_SCORES,
    SPLITS,
    Column,
    Dataset,
    Failure,
    Record,
    fingerprint,
    make_table,
    take,
)
from memjax.datasets.content import Stamp, stamp_of_file
from memjax.datasets.ids import Match, check_match, match_ids
from memjax.datasets.join import usable_rows
from memjax.datasets.listing import find_images
from memjax.datasets.paths import ImageFolder, comparable
from memjax.datasets.scores import numbers, read_score_file, unusable
from memjax.decoding import read_bytes
from memjax.naming import printable


@dataclasses.dataclass(frozen=True)
class FolderRecords:
    """Images read from a folder when asked for.

    Attributes:
        folder: where they are.
        names: their paths below it.
        ids: their ids.
    """

    folder: ImageFolder
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        return Record(self.ids[index], read_bytes(self.folder.file(self.names[index])))

    def stamp(self, index: int) -> Stamp | None:
        """See `memjax.datasets.content`."""
        return stamp_of_file(self.folder.path / self.names[index])


def open_folder(
    images_dir: str | Path,
    scores_csv: str | Path | None = None,
    limit: int | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Open a folder of images, with a table of scores or without scores.

    Args:
        images_dir: the folder.
        scores_csv: columns ``image``, ``memorability`` and, if wanted, ``category`` or official splits (``split``, or
            ``split_1`` .. and ``score_1`` .., see `memjax.official_splits`), one row per image; CSV in any form
            that `memjax.datasets.scores` lists, or an Excel workbook. An image is named by its path below the folder; what
            else is matched, `memjax.datasets.ids` says. None: every image in the folder and below (but for
            `memjax.datasets.listing`'s exceptions), sorted by name within each folder, without a score.
        limit: use the first so many usable rows only.
        follow_links: symbolic links may lead out of the folder (git-annex, DVC, caches); else such images are refused.

    Returns:
        The data set, in the order of the table, whose ids it keeps. In its ``rejected``: rows without a finite score,
        rows whose image is missing, no regular file or outside of the folder, images in the folder that have no row, and
        folders in it that cannot be listed. In its ``info``: ``table_form`` and ``ids_matched``, where there is something
        to say.

    Raises:
        InputError: folder or file missing, a column missing, a table that can be read in two ways, ids twice, two ids of
            one file, no usable row.

    Example:
        >>> open_folder("images", "scores.csv")  # doctest: +SKIP
    """
    if isinstance(scores_csv, pd.DataFrame):
        fix = "memjax.open_table(frame, folder) takes a table in memory"
        raise expected("scores", "a CSV file or an Excel workbook", "a DataFrame", fix, "scores")
    folder = ImageFolder(check_folder(images_dir, "image folder", argument="images"), follow_links)
    unreadable: list[Failure] = []
    files = find_images(folder, unreadable)
    if scores_csv is None:
        table = make_table(list(files), np.full(len(files), np.nan))
        rows = _Rows(table, Match(list(files), set(), {}, set(), ""), [], scored=False)
        return _open(folder, files, rows, str(folder.path), unreadable, limit)
    path = path_of(scores_csv, "scores")
    rows, form = read_scored_rows(path, folder, files)
    strays = [
        Failure(printable(name), "scores", f"the image has no row in {path.name}")
        for name in _without_row(files, rows.match)
    ]
    dataset = _open(folder, files, rows, f"{folder.path}, {path}", strays + unreadable, limit)
    said = {"table_form": form, "ids_matched": rows.match.said}
    return dataclasses.replace(dataset, info=dataset.info | {name: text for name, text in said.items() if text})


@dataclasses.dataclass(frozen=True)
class _Rows:
    """A table, the files of its ids, what is known to be unusable, and whether it has scores."""

    table: pd.DataFrame
    match: Match
    unusable: list[Failure]
    scored: bool = True


def read_scored_rows(path: Path, folder: ImageFolder | None, files: Mapping[str, bool]) -> tuple[_Rows, str]:
    """The rows of a score file, each with the image that it means, and in which form the file is written."""
    numeric = ["memorability", *SPLIT_SCORES]
    rows, form = read_score_file(path, ["image", "memorability"], numeric, argument="scores")
    ids = rows["image"].str.strip()
    match = match_ids(ids.tolist(), folder, files, f"score file {path}, column image")
    known: dict[str, Column | None] = {name: rows.get(name) for name in (*GROUPINGS, *SPLITS)}
    known |= {name: numbers(rows[name]) for name in SPLIT_SCORES if name in rows}
    table = make_table(ids.tolist(), numbers(rows["memorability"]), **known)
    return _Rows(table, match, unusable(ids, rows["memorability"], path.name)), form


def _without_row(files: Mapping[str, bool], match: Match) -> Sequence[str]:
    """The images that no row names, nor the reason why a row has none."""
    known = {comparable(name) for name in (*match.names, *match.meant) if name}
    return [name for name in files if comparable(name) not in known]


def _open(
    folder: ImageFolder, files: Mapping[str, bool], rows: _Rows, where: str, rejected: list[Failure], limit: int | None
) -> Dataset:
    ids = rows.table.index.tolist()

    def check(row: int) -> None:
        check_match(folder, files, rows.match, ids[row], row)

    keep, failures = usable_rows(rows.table, check, rows.unusable, rows.scored)
    table, names = rows.table.iloc[keep], tuple(rows.match.names[row] for row in keep)
    used = tuple(table.index)
    sizes = [size_of(folder.path / name) for name in names]
    info = own_info(where, fingerprint("folder", *zip(used, table["memorability"].tolist(), sizes)))
    return take(Dataset("folder", table, FolderRecords(folder, names, used), info, None, failures + rejected), limit)


def own_info(where: str, fingerprint: str) -> dict[str, str | bool | int]:
    """`Dataset.info` of one's own images."""
    return {
        "citation": "",
        "licence": "the user's own images",
        "source": where,
        "synthetic": False,
        "fingerprint": fingerprint,
    }


def size_of(path: Path) -> int:
    """Bytes of a file; -1 if it has gone by now, which reading it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
