"""Images in shards: archives in the form of WebDataset, or Parquet files of Hugging Face; local or in an object store."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from memjax.checks import expected, path_of
from memjax.datasets.base import Dataset, Failure, check_limit, fingerprint, make_table, take
from memjax.datasets.folder import own_info, read_scored_rows
from memjax.datasets.ids import Match
from memjax.datasets.join import usable_rows
from memjax.datasets.parquet_shards import look_through_parquet
from memjax.datasets.paths import NoSuchImageError
from memjax.datasets.scores import check_unique, numbers, unusable
from memjax.datasets.shard_files import NamedShards, Shard, find_shards
from memjax.datasets.shard_index import ShardIndex, read_indexes
from memjax.datasets.shard_records import ShardRecords
from memjax.datasets.tar_shards import look_through_tar
from memjax.decoding import ImageError
from memjax.naming import printable
from memjax.storage import Place


def open_shards(
    shards: NamedShards,
    scores: str | Path | None = None,
    *,
    score_column: str | None = None,
    limit: int | None = None,
) -> Dataset:
    """Open images that are kept in shards: WebDataset's tar archives, or Parquet files as Hugging Face ``datasets`` writes them.

    Nothing is copied. Shards are looked through once (`memjax.datasets.shard_index`), and then read where an image is needed: of
    several processes, each reads the shards of its own images.

    Args:
        shards: a path or URL (``gs://``, ``s3://``, ``hf://``), a pattern (``train-*.tar``, ``train-{000000..000127}.tar``), a
            folder of ``*.tar`` or ``*.parquet``, or several of these.
        scores: a table as for `open_folder`. An image's id is its path in the archive, with its extension, or its ``path`` in the
            Parquet file; what else is matched, `memjax.datasets.ids` says.
        score_column: where the scores are inside the shards: a column of the Parquet files; of an archive the members
            ``KEY.score_column`` (``cls``, ``txt``), else that field of ``KEY.json``. A column or field ``category`` is read too.
        limit: use the first so many usable images only.

    Returns:
        The data set, in the order of the shards and in each of its members or rows. In its ``rejected``: what `open_folder`
        lists; links and names that lead out of an archive; shards that are damaged, from where on.

    Raises:
        InputError: no shards, an object store that does not answer, ids twice, no column of images or scores, no usable image.

    Example:
        >>> open_shards("gs://bucket/train-{000000..000127}.tar", "scores.csv")  # doctest: +SKIP
    """
    check_limit(limit)
    if scores is not None and score_column is not None:
        raise expected("score_column with scores", "one of them", "both", "leave one out", "score_column")
    found = find_shards(shards)
    look = look_through_tar if found[0].name.endswith(".tar") else look_through_parquet
    indexes = read_indexes(found, score_column or "", look)
    images = _Images.of(found, indexes)
    _check_ids(images)
    rows = (
        _Rows.of_file(path_of(scores, "scores"), images) if scores is not None else _Rows.inside(images, score_column)
    )
    damage = [Failure(line.partition(":")[0], "read", line) for index in indexes for line in index.damage]
    return take(_opened(images, rows, damage, str(shards) if isinstance(shards, (str, Place)) else found[0].url), limit)


class _Images(NamedTuple):
    """All images of all shards, in order; what `ShardIndex` says of each."""

    shards: list[Shard]
    names: list[str]
    problems: list[str]
    scores: list[str]
    categories: list[str]
    places: np.ndarray
    fields: list[str]

    @staticmethod
    def of(shards: list[Shard], indexes: Sequence[ShardIndex]) -> "_Images":
        places = [
            np.stack([np.full(len(one.at), number), one.parts, one.at, one.sizes], 1).astype(np.int64).reshape(-1, 4)
            for number, one in enumerate(indexes)
        ]
        texts = [
            [text for index in indexes for text in getattr(index, name)]
            for name in ("names", "problems", "scores", "categories")
        ]
        fields = list(dict.fromkeys(field for index in indexes for field in index.fields))
        return _Images(shards, *texts, np.concatenate(places), fields)


def _check_ids(images: _Images) -> None:
    """Refuse ids that are in the shards twice."""
    ids = pd.Series(images.names, dtype=str)
    twice = ids[(ids != "") & ids.duplicated(keep=False)]
    if len(twice):
        same = twice[twice == twice.iloc[0]].index
        homes = " and ".join(images.shards[images.places[row, 0]].name for row in same[:2])
        check_unique(ids, f"images in shards ({twice.iloc[0]}: {homes})")


@dataclasses.dataclass(frozen=True)
class _Rows:
    """A table, the image of each row (-1: none), what is known to be unusable, and what there is to say.

    Attributes:
        missing: row -> what to say where it has no image.
        without: images that no row names.
    """

    table: pd.DataFrame
    images: np.ndarray
    unusable: list[Failure]
    scored: bool = True
    missing: dict[int, str] = dataclasses.field(default_factory=dict)
    without: list[Failure] = dataclasses.field(default_factory=list)
    said: dict[str, str] = dataclasses.field(default_factory=dict)

    @staticmethod
    def inside(images: _Images, column: str | None) -> "_Rows":
        """The rows of the shards themselves."""
        everything, ids = np.arange(len(images.names)), pd.Series(images.names, dtype=str)
        if column is None:
            table = make_table(images.names, np.full(len(everything), np.nan))
            return _Rows(table, everything, unusable(ids, None, "images in shards"), scored=False)
        scores = pd.Series(images.scores, dtype=str)
        if images.names and not (scores != "").any():
            came = f"none; there are {', '.join(images.fields[:10]) or 'images alone'}"
            raise expected("images", f"scores {column!r} beside them", came, argument="score_column")
        categories = images.categories if any(images.categories) else None
        table = make_table(images.names, numbers(scores), category=categories)
        return _Rows(table, everything, unusable(ids, scores, f"scores {column!r}"))

    @staticmethod
    def of_file(path: Path, images: _Images) -> "_Rows":
        """The rows of a table, in the order of their images; those without one at the end."""
        files = dict.fromkeys(images.names, True)
        scored, form = read_scored_rows(path, None, files)
        match = scored.match
        number = {name: row for row, name in enumerate(images.names)}
        order = np.array([number.get(name, len(number)) for name in match.names], np.int64)
        sort = np.argsort(order, kind="stable")
        table = scored.table.iloc[sort]
        known = {*match.names, *match.meant}
        without = [
            Failure(printable(name), "scores", f"the image has no row in {path.name}")
            for name in files
            if name not in known
        ]
        found = np.where(order[sort] < len(number), order[sort], -1)
        missing = {new: _reason(match, row) for new, row in enumerate(sort.tolist()) if found[new] < 0}
        said = {"table_form": form, "ids_matched": match.said}
        return _Rows(table, found, scored.unusable, True, missing, without, said)


def _reason(match: Match, row: int) -> str:
    return f"; {match.reasons[row]}" if row in match.reasons else ""


def _check(images: _Images, rows: _Rows, ids: Sequence[str], row: int) -> None:
    image = rows.images[row]
    if image < 0:
        raise NoSuchImageError(f"{ids[row]}: no such image in {len(images.shards)} shards{rows.missing[row]}", "read")
    if images.problems[image]:
        raise ImageError(images.problems[image], "read")


def _opened(images: _Images, rows: _Rows, damage: list[Failure], named: str) -> Dataset:
    check = partial(_check, images, rows, rows.table.index.tolist())
    keep, failures = usable_rows(rows.table, check, rows.unusable, rows.scored)
    table, places = rows.table.iloc[keep], images.places[rows.images[keep]]
    sizes = [size if size >= 0 else images.shards[number].size for number, _, _, size in places.tolist()]
    ids = tuple(table.index)
    info = own_info(
        f"{named} ({len(images.shards)} shards)",
        fingerprint("shards", *zip(ids, table["memorability"].tolist(), sizes)),
    )
    info |= {name: text for name, text in rows.said.items() if text}
    return Dataset(
        "shards", table, ShardRecords(images.shards, ids, places), info, None, failures + rows.without + damage
    )
