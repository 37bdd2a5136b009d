"""Parts of a cache: written under another name, renamed when whole, the index last; what a killed run left is removed."""

import os
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memjax.locks import HeldError, locked_file
from memjax.predecoded.layout import ENTRY, INDEX, LOCK, MOST_ENTRIES, RECORDS, UNFINISHED, index_bytes

if TYPE_CHECKING:
    from array_record.python.array_record_module import ArrayRecordWriter

PART_BYTES = 2**30
"""Pixels in a part, at most: what a run that is killed loses."""


class PartWriter:
    """Writes the images of one process, part after part."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._entries: list[tuple[object, ...]] = []
        self._bytes = 0
        self._token = ""
        self._held = ExitStack()
        self._records: ArrayRecordWriter | None = None

    def add(self, entry: tuple[object, ...], pixels: bytes) -> None:
        """Write one image.

        Args:
            entry: the values of `memjax.predecoded.layout.ENTRY`.
            pixels: its bytes.
        """
        if self._records is None:
            self._records = self._begun()
        self._records.write(pixels)
        self._entries.append(entry)
        self._bytes += len(pixels)
        if self._bytes >= PART_BYTES or len(self._entries) >= MOST_ENTRIES:
            self.finish()

    def _begun(self) -> "ArrayRecordWriter":
        from array_record.python.array_record_module import ArrayRecordWriter

        self._token = f"{time.time_ns():020d}-{uuid.uuid4().hex[:16]}"  # in the order of their making
        self._held.enter_context(locked_file(self._file(LOCK), wait=False))
        return ArrayRecordWriter(str(self._file(UNFINISHED)), "group_size:1,uncompressed")

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self._token}{ending}"

    def finish(self) -> None:
        """Make the part that is being written count."""
        if self._records is None:
            return
        records, self._records = self._records, None
        try:
            records.close()
            os.replace(self._file(UNFINISHED), self._file(RECORDS))
            self._file(UNFINISHED).write_bytes(index_bytes(np.array(self._entries, ENTRY)))
            os.replace(self._file(UNFINISHED), self._file(INDEX))
        finally:
            self._let_go()

    def abandon(self) -> None:
        """Give up the part that is being written, because it could not be."""
        self._records = None
        self._file(UNFINISHED).unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        self._entries, self._bytes = [], 0
        self._held.close()
        self._file(LOCK).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove parts without an index that no process is writing."""
    files = [*folder.glob(f"*{UNFINISHED}"), *folder.glob(f"*{RECORDS}"), *folder.glob(f"*{LOCK}")]
    for token in {file.name.partition(".")[0] for file in files}:
        if not (folder / f"{token}{INDEX}").exists():
            _remove_unless_held(folder, token)


def _remove_unless_held(folder: Path, token: str) -> None:
    try:
        with locked_file(folder / f"{token}{LOCK}", wait=False):
            if not (folder / f"{token}{INDEX}").exists():  # its writer may have finished meanwhile
                for ending in (UNFINISHED, RECORDS):
                    (folder / f"{token}{ending}").unlink(missing_ok=True)
            (folder / f"{token}{LOCK}").unlink(missing_ok=True)
    except HeldError:  # another run writes it now
        return
