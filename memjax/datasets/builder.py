"""Published data sets, read through once and then opened at once.

What was learned in that pass lies in the cache (``MEMJAX_CACHE``, by default ``~/.cache/memjax``), with a copy of the
images where array_record is installed (`memjax.datasets.array_records`, elsewhere `memjax.datasets.in_place`). Its key is
made from the data set's version and the name, size and time of change of every file that was read: changed files make a
new copy.
"""

import contextlib
import dataclasses
import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from memjax.cache import cache_dir
from memjax.checks import InputError, check_folder
from memjax.datasets import array_records, in_place
from memjax.datasets.base import ABSENT, Dataset, Failure, Records, Source, Spec, fingerprint, make_table
from memjax.datasets.examples import Metadata
from memjax.locks import locked_file

FORMAT = "3"
"""Counts changes of what the pass writes."""


def open_built(spec: Spec, data_dir: str | Path | None, follow_links: bool = False) -> Dataset:
    """A published data set, after the pass over its files where there was none yet.

    Raises:
        InputError: no usable ``data_dir``, or the cache cannot be written.
    """
    folder = None
    if spec.instructions:
        if data_dir is None:
            raise InputError(f"{spec.name}: a data folder is needed; {spec.instructions}", argument="data_dir")
        folder = check_folder(data_dir, f"{spec.name}: data folder", spec.instructions, argument="data_dir")
    if follow_links:
        spec = dataclasses.replace(spec, read_source=functools.partial(spec.read_source, follow_links=True))
    home = cache_dir() / "datasets" / f"{spec.name}-{_source_key(spec, folder, follow_links)[:16]}"
    if array_records.is_installed():
        built = home / spec.name / spec.version
        _prepare_once(spec, folder, home, built / "metadata.json", array_records.write)
        metadata = array_records.read_metadata(built)
        return _dataset(spec, metadata, array_records.BuiltRecords(built, len(metadata["table"]["image"])))
    home = home.with_name(f"{home.name}-in-place")
    _prepare_once(spec, folder, home, home / in_place.METADATA, in_place.write)
    metadata = in_place.read_metadata(home)
    ids, rows = metadata["table"]["image"], metadata["rows"]
    return _dataset(spec, metadata, in_place.InPlaceRecords(spec.read_source, folder, ids, rows))


def _source_key(spec: Spec, folder: Path | None, follow_links: bool) -> str:
    parts: list[object] = [FORMAT, spec.name, spec.version, follow_links]
    for path in spec.inputs(folder) if folder is not None else ():
        with contextlib.suppress(OSError):
            status = path.stat()
            parts += [path.relative_to(folder), status.st_size, status.st_mtime_ns]
    return fingerprint(*parts)


def _prepare_once(
    spec: Spec, folder: Path | None, home: Path, last: Path, write: Callable[[Spec, Source, Path], None]
) -> None:
    """Fill ``home``, unless ``last``, the file that is written last, is there; a complete cache may be read-only."""
    try:
        with locked_file(home.with_suffix(".lock"), wait=True):  # of two processes one prepares, the other waits
            if not last.exists():
                shutil.rmtree(home, ignore_errors=True)  # what an interrupted preparation left
                source = _read_source(spec, folder)
                home.mkdir(parents=True)
                write(spec, source, home)
    except OSError as error:
        if not last.exists():
            fix = "set MEMJAX_CACHE to a folder with room"
            raise InputError(f"{home}: cannot be written: {error.strerror or error}; {fix}") from None


def _read_source(spec: Spec, folder: Path | None) -> Source:
    source = spec.read_source(folder)
    if source.table.empty:
        first = f", the first: {source.rejected[0].error}" if source.rejected else ""
        found = f"no usable image in {folder} ({len(source.rejected)} set aside{first})"
        raise InputError(f"{spec.name}: {found}; {spec.instructions}", argument="data_dir")
    return source


def _dataset(spec: Spec, metadata: Metadata, records: Records) -> Dataset:
    columns = dict(metadata["table"])
    table = make_table(columns.pop("image"), columns.pop("memorability"), **columns)
    halves = None if metadata["halves"] is None else np.asarray(metadata["halves"], np.float64)
    info = spec.info(metadata["fingerprint"])
    if spec.n_images is not None:
        info |= {"images_published": spec.n_images, "images_listed": metadata["listed"]}
    rejected = [Failure(*failure) for failure in metadata["rejected"]]
    if absent := sum(failure.stage == ABSENT for failure in rejected):
        info["images_absent"] = absent
    if metadata["form"]:
        info["table_form"] = metadata["form"]
    return Dataset(spec.name, table, records, info, halves, rejected)
