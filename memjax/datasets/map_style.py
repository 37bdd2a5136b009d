"""Data sets with ``len`` and ``[i]``, as Hugging Face and torch make them, read row by row into a table's form."""

import dataclasses
import itertools
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import pandas as pd

from memjax.checks import InputError, expected
from memjax.datasets.base import COLUMNS
from memjax.datasets.table_images import Rows, contents, look_at
from memjax.decoding import ImageError

IMAGE = "image"


@runtime_checkable
class MapDataset(Protocol):
    """Anything with ``len`` and ``[i]``; an item is a mapping, a pair (image, score), or an image."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


class ItemImages:
    """The images of a data set's items, read by one thread at a time, since the data set need not allow more."""

    def __init__(self, dataset: MapDataset, key: str):
        self.dataset, self.key = dataset, key  # key: of the image in an item that is a mapping
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[MapDataset, str]]:
        return type(self), (self.dataset, self.key)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        return image_of(self.item(index), self.key)

    def item(self, index: int) -> object:
        """An item; whatever its data set raises, as an `ImageError`."""
        try:
            with self._lock:
                return self.dataset[index]
        except Exception as error:  # the data set is the user's own code
            reason = f"{type(error).__name__}: {error}"
            raise ImageError(f"item {index}: cannot be read: {reason}", "read") from error


def image_of(item: object, key: str) -> object:
    """The image of an item: a mapping's ``key``, the first of a tuple, or the item itself."""
    if isinstance(item, Mapping) and not item.keys() <= {"bytes", "path"}:
        return item.get(key)
    return item[0] if isinstance(item, (tuple, list)) and item else item


def read_items(dataset: MapDataset, images: object, score: str | None, limit: int | None) -> Rows:
    """Everything but the images of a data set; one image at a time is held.

    Args:
        images: the column of images; None: ``"image"``.
        score: the column of scores; None: none is read.
        limit: only the first so many items.

    Raises:
        InputError: not a data set with ``len`` and ``[i]``, an empty one, or no such column.
    """
    if isinstance(dataset, (Mapping, str, bytes)) or not isinstance(dataset, MapDataset):
        fix = f"pass one of its parts: {', '.join(map(str, dataset))}" if isinstance(dataset, Mapping) else ""
        wanted = "a pandas table, or a data set with len and [i]"
        raise expected("table", wanted, type(dataset).__name__, fix, argument="table")
    if images is not None and not isinstance(images, str):
        wanted = "the name of the column of images, for a table that is no pandas table"
        raise expected("images", wanted, type(images).__name__, argument="images")
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if not count:
        raise InputError("table: no rows; one row per image is expected", argument="table")
    key = images or IMAGE
    names = getattr(dataset, "column_names", None)
    if isinstance(names, list):
        return _read_columns(dataset, names, key, score, count)
    return _read_one_by_one(ItemImages(dataset, key), score, count)


def _read_columns(dataset: MapDataset, names: list[str], key: str, score: str | None, count: int) -> Rows:
    """A Hugging Face data set: columns as such, images as the bytes that it stores."""
    if key not in names:
        raise expected("images", f"a column {key!r}", f"columns {', '.join(names)}", argument="images")
    wanted = [name for name in dict.fromkeys((IMAGE, score, *COLUMNS)) if name in names and name != key]
    columns = {name: list(itertools.islice(_column(dataset, name), count)) for name in wanted}
    images = ItemImages(_undecoded(dataset, key), key)
    paths, found = look_at(images, count)
    if key == IMAGE:
        columns[IMAGE] = paths
    return Rows(pd.DataFrame(columns, index=range(count)), names, images, found)


def _column(dataset: MapDataset, name: str) -> Iterable[object]:
    return dataset[name]  # type: ignore[index]  # a data set with column_names takes a name too


def _undecoded(dataset: MapDataset, key: str) -> MapDataset:
    """The column of images alone, as stored: decoded by memjax, which uses the pixels as they are in the file."""
    if hasattr(dataset, "select_columns"):
        dataset = dataset.select_columns([key])
    feature = (getattr(dataset, "features", None) or {}).get(key)
    if hasattr(feature, "decode") and hasattr(dataset, "cast_column"):
        dataset = dataset.cast_column(key, dataclasses.replace(feature, decode=False))
    return dataset


def _read_one_by_one(images: ItemImages, score: str | None, count: int) -> Rows:
    """Every item once: what it says of its image is kept, its image is not."""
    rows: list[dict[str, object]] = [{}] * count
    found: list[str | ImageError] = []
    names: dict[str, None] = {}
    for index in range(count):
        try:
            item = images.item(index)
            said = _said(item, images.key, score)
            names |= dict.fromkeys(said)
            rows[index] = {name: said[name] for name in (IMAGE, score, *COLUMNS) if name in said}
            found.append(contents(image_of(item, images.key)))
        except ImageError as error:
            found.append(error)
    return Rows(pd.DataFrame(rows, index=range(count), dtype=object), list(names), images, found)


def _said(item: object, key: str, score: str | None) -> dict[str, object]:
    """What an item says of its image; of the image itself no more than its path."""
    image = image_of(item, key)
    path = {IMAGE: image} if isinstance(image, (str, os.PathLike)) else {}
    if isinstance(item, Mapping):
        return {str(name): value for name, value in item.items() if name != key} | (path if key == IMAGE else {})
    if isinstance(item, (tuple, list)) and len(item) > 1 and score is not None:
        return {score: item[1], **path}
    return dict(path)
