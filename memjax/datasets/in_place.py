"""A published data set without a copy: the files are read where they lie, after one pass that made the table."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from memjax.datasets.base import Record, Source, Spec
from memjax.datasets.examples import Metadata, examples

METADATA = "metadata.json"


def write(spec: Spec, source: Source, home: Path) -> None:
    """Read ``source`` through and keep in ``home`` what was learned of it: all that a copy has but the images."""
    metadata: Metadata = {}
    rows = [row for row, _ in examples(spec, source, metadata)]
    part = home / f"{METADATA}.part"
    part.write_text(json.dumps({**metadata, "rows": rows}), encoding="utf-8")
    os.replace(part, home / METADATA)


def read_metadata(home: Path) -> Metadata:
    """What `write` kept."""
    return json.loads((home / METADATA).read_text(encoding="utf-8"))


class InPlaceRecords:
    """Images of a source, read when asked for. Pickles as its folder: each process reads the source's tables itself."""

    def __init__(
        self, read_source: Callable[[Path | None], Source], folder: Path | None, ids: list[str], rows: list[int]
    ):
        self.read_source, self.folder, self.ids, self.rows = read_source, folder, ids, rows
        self._source: Source | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.read_source, self.folder, self.ids, self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < len(self.rows):
            raise IndexError(index)
        with self._lock:
            if self._source is None:
                self._source = self.read_source(self.folder)
        return Record(self.ids[index], self._source.read(self.rows[index]))
