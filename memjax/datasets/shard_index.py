"""What the shards of a data set hold, kept in the cache so that they are looked through once.

An index lies in ``shards`` below `memjax.cache.cache_dir`, under the shard's address, size and version: a resumed run and other
processes find it there. Processes that share a cache look through different shards, since each begins with another one.
"""

import json
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from memjax.cache import cache_dir
from memjax.datasets.base import fingerprint
from memjax.datasets.shard_files import THREADS, Shard
from memjax.locks import locked_file
from memjax.seals import SEAL, seal_holds, sealed
from memjax.storage import write_atomically

FORMAT = "1"
"""Counts changes of what an index says."""


class ShardIndex(NamedTuple):
    """The images of a shard, in its order.

    Attributes:
        names: their ids.
        problems: why an image cannot be used; "" where nothing is known against it.
        scores, categories: as text; "" where there is none, or none was asked for.
        parts: Parquet: the row group. Tar: 0.
        at: Parquet: the row in its group. Tar: the first byte.
        sizes: bytes; -1 where only reading tells.
        damage: what of the shard cannot be read, a line each.
        fields: where scores may be: names of columns, of JSON fields, of members beside an image.
    """

    names: list[str]
    problems: list[str]
    scores: list[str]
    categories: list[str]
    parts: list[int]
    at: list[int]
    sizes: list[int]
    damage: list[str]
    fields: list[str]


Look = Callable[[Shard, str], ShardIndex]


def read_indexes(shards: Sequence[Shard], score: str, look: Look) -> list[ShardIndex]:
    """The index of each shard.

    Args:
        shards: in the data set's order.
        score: where the scores are in them; "" without.
        look: looks through one.
    """
    order = random.SystemRandom().sample(range(len(shards)), len(shards))
    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip(order, pool.map(lambda row: _index_of(shards[row], score, look), order)))
    return [found[row] for row in range(len(shards))]


def _index_of(shard: Shard, score: str, look: Look) -> ShardIndex:
    if not shard.version:  # it may be replaced by one of the same size, and nothing would tell
        return look(shard, score)
    url = shard.url if shard.remote else os.path.abspath(shard.url)
    key = fingerprint(FORMAT, url, shard.size, shard.version, score)[:32]
    file = cache_dir() / "shards" / f"{key}.json"
    kept = _read(file)
    if kept is not None:
        return kept
    with ExitStack() as held:
        try:
            held.enter_context(locked_file(file.with_suffix(".lock"), wait=True))
        except OSError:  # a cache that can't be written spares no work, and hinders none
            return look(shard, score)
        kept = _read(file)
        if kept is None:
            kept = look(shard, score)
            _write(file, kept)
    return kept


def _read(file: Path) -> ShardIndex | None:
    """An index from the cache; None where there is none, or it is not as it was written."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not seal_holds(found):
            return None
        found.pop(SEAL)
        return ShardIndex(**found)
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _write(file: Path, index: ShardIndex) -> None:
    with suppress(OSError):  # no room: the next run looks through the shard again
        write_atomically(file, json.dumps(sealed(index._asdict())))
