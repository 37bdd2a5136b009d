"""Shards of Hugging Face ``datasets``: Parquet files with a column of images, as struct of ``bytes`` and ``path`` or as bytes.

Which column holds the images is said in the schema's ``huggingface`` key, else by its type. Ids are the images' ``path``; where
not all have one, the first of `IDS` that there is; else the shard's name and the row's number. Paths are names only: no file is
opened by them, so that an image without bytes is a failure.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from memjax.checks import InputError, expected
from memjax.datasets.shard_files import Shard, opened, reading
from memjax.datasets.shard_index import ShardIndex
from memjax.datasets.tar_shards import problem_of_name
from memjax.decoding import ImageError
from memjax.remote import status_of

IDS = ("image_id", "id", "key", "__key__", "file_name", "filename")
"""Columns that name an image without a path."""
MOST_GROUP = 2**31
"""Largest row group, in bytes of its images; one is held in memory at a time."""
MOST_ROWS = 2**26
"""Rows of a shard, at most."""
Value = TypeVar("Value")


class _DamagedError(InputError):
    """A Parquet file, or a row group of it, is not as it was written."""


class _Images(NamedTuple):
    """The column of images, and whether it is a struct."""

    column: str
    nested: bool

    def leaf(self, field: str) -> str:
        return f"{self.column}.{field}" if self.nested else self.column


def look_through_parquet(shard: Shard, score: str) -> ShardIndex:
    """The rows of a file, without their images.

    Args:
        score: the column of scores; "" without.

    Raises:
        InputError: it can't be read, has no column of images or none of scores, or its row groups are too large.
    """
    try:
        return _look_through(shard, score)
    except _DamagedError as error:
        return ShardIndex([], [], [], [], [], [], [], [f"{shard.name}: {error}; fetch or write it again"], [])


def _look_through(shard: Shard, score: str) -> ShardIndex:
    with _opened_table(shard) as table:
        images, names = _images_of(shard, table.schema_arrow), table.schema_arrow.names
        _check_sizes(shard, table.metadata, images)
        if score and (score not in names or score == images.column):
            raise expected(
                f"images {shard.url}", f"a column of scores {score!r}", ", ".join(names), argument="score_column"
            )
        labels = _labels(table.schema_arrow)
        found = ShardIndex([], [], [], [], [], [], [], [], names[:50])
        for group in range(table.num_row_groups):
            _note_group(shard, table, group, images, found, score)
    codes = {str(code): label for code, label in enumerate(labels)}
    return found._replace(categories=[codes.get(text, text) for text in found.categories])


@contextmanager
def _opened_table(shard: Shard) -> Iterator[pq.ParquetFile]:
    what = "not a whole Parquet file"
    with opened(shard) as file, _understood(what):
        yield _read(shard, lambda: pq.ParquetFile(file, page_checksum_verification=True), what)


def _read(shard: Shard, call: Callable[[], Value], what: str) -> Value:
    """``call()``, which reads a shard; see `_understood` and `memjax.datasets.shard_files.reading`."""

    def understood() -> Value:
        with _understood(what):
            return call()

    return reading(shard.url, understood)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """What pyarrow raises of a file that it can't understand is raised as `_DamagedError`; ``what`` stands in its message."""
    try:
        yield
    except Exception as error:
        plain = type(error) is OSError and error.errno is None and status_of(error) is None
        if plain or isinstance(error, (pa.ArrowException, UnicodeDecodeError)):
            raise _DamagedError(f"{what} ({' '.join(str(error).split())[:120]})") from error
        raise


def _images_of(shard: Shard, schema: pa.Schema) -> _Images:
    told = [name for name, feature in _features(schema).items() if _type_of(feature) == "Image"]
    fitting = [field.name for field in schema if _nested(field.type) or _is_bytes(field.type)]
    candidates = [name for name in told if name in fitting] or fitting
    if len(candidates) > 1 and "image" in candidates:
        candidates = ["image"]
    if len(candidates) != 1:
        wanted = "one column of images (bytes, or a struct of bytes and path)"
        came = ", ".join(candidates) or f"columns {', '.join(schema.names)}"
        raise expected(f"images {shard.url}", wanted, came, "call it 'image'", "images")
    return _Images(candidates[0], _nested(schema.field(candidates[0]).type))


def _nested(kind: pa.DataType) -> bool:
    names = [kind.field(row).name for row in range(kind.num_fields)] if pa.types.is_struct(kind) else []
    return "bytes" in names and _is_bytes(kind.field("bytes").type)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _type_of(feature: object) -> object:
    return feature.get("_type") if isinstance(feature, Mapping) else None


def _features(schema: pa.Schema) -> Mapping[str, object]:
    """What ``datasets`` says of the columns; empty where it says nothing that can be read."""
    try:
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = said["info"]["features"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _labels(schema: pa.Schema) -> list[str]:
    """The words behind the numbers of a column ``category``."""
    feature = _features(schema).get("category")
    names = feature.get("names") if isinstance(feature, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _check_sizes(shard: Shard, metadata: pq.FileMetaData, images: _Images) -> None:
    if metadata.num_rows > MOST_ROWS:
        raise expected(f"images {shard.url}", f"at most {MOST_ROWS} rows", metadata.num_rows, argument="images")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        sizes = [
            column.total_uncompressed_size
            for column in map(group.column, range(group.num_columns))
            if column.path_in_schema in (images.column, images.leaf("bytes"))
        ]
        if sum(sizes) > MOST_GROUP:
            fix = "write it with row groups of about 100 images (row_group_size)"
            wanted = f"row groups of at most {MOST_GROUP} bytes"
            raise expected(f"images {shard.url}", wanted, f"{sum(sizes)} in group {number}", fix, "images")


def _note_group(
    shard: Shard, table: pq.ParquetFile, group: int, images: _Images, found: ShardIndex, score: str
) -> None:
    """Add the rows of one row group to an index."""
    there, nested = table.schema_arrow.names, images.nested
    named = [column for column in IDS if column in there and column != images.column][:1]
    has_path = nested and table.schema_arrow.field(images.column).type.get_field_index("path") >= 0
    wanted = {*((score, "category") if score else ()), *named} & set(there) - {images.column}
    columns = [*sorted(wanted), *([images.leaf("path")] if has_path else [])]
    count = table.metadata.row_group(group).num_rows
    what = f"row group {group} is damaged"
    try:
        read = _read(shard, lambda: table.read_row_group(group, columns, use_threads=False).to_pydict(), what)
        if any(len(values) != count for values in read.values()):
            raise _DamagedError(f"{what} (it has fewer rows than it says)")
    except _DamagedError as error:
        found.damage.append(f"{shard.name}: {error}; fetch or write it again")
        return
    names = [(one or {}).get("path") or "" for one in read[images.column]] if has_path else []
    if not names or not all(names):
        first = len(found.names)
        names = _texts(read, named[0]) if named else [f"{shard.name}/{first + row:06d}" for row in range(count)]
    found.names.extend(names)
    found.problems.extend(problem_of_name(name) if name else "" for name in names)
    found.scores.extend(_texts(read, score) if score else [""] * count)
    found.categories.extend(_texts(read, "category") if "category" in wanted else [""] * count)
    found.parts.extend([group] * count)
    found.at.extend(range(count))
    found.sizes.extend([-1] * count)


def _texts(read: Mapping[str, Sequence[object]], column: str) -> list[str]:
    return ["" if value is None else str(value) for value in read[column]]


def read_group(shard: Shard, group: int) -> list[bytes | None]:
    """The images of a row group, their files' bytes; None where a row has none.

    Raises:
        ImageError: stage "read": the row group is damaged.
    """
    try:
        with _opened_table(shard) as table:
            images = _images_of(shard, table.schema_arrow)
            column, what = [images.leaf("bytes")], f"row group {group} is damaged"
            read = _read(shard, lambda: table.read_row_group(group, column, use_threads=False), what)
    except _DamagedError as error:
        raise ImageError(f"{shard.name}: {error}", "read") from error
    values = read.column(images.column).to_pylist()
    return [(one or {}).get("bytes") for one in values] if images.nested else values
