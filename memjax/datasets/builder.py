"""tfds builders over the sources: prepared once as array_record (no TensorFlow), then read at random.

A prepared copy lies in the cache (``MEMJAX_CACHE``, by default ``~/.cache/memjax``) under a key made from the builder's
version and the name, size and time of change of every file that it was made from: changed files make a new copy. The
records carry every field; the table, small beside the pictures, is repeated in the builder's ``metadata.json`` so that
opening a data set does not read the pictures.
"""

import contextlib
import fcntl
import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from memjax.cache import cache_dir
from memjax.checks import InputError, check_folder
from memjax.datasets.base import COLUMNS, Dataset, Failure, Record, Source, Spec, fingerprint, make_table
from memjax.images import ImageError

FORMAT = "2"
"""Counts changes of what this file writes."""


def builder_class(spec: Spec, source: Source) -> type:
    """A `tfds.core.GeneratorBasedBuilder` that writes ``source`` in the order of its table."""
    import tensorflow_datasets as tfds

    class Builder(tfds.core.GeneratorBasedBuilder):
        name = spec.name
        VERSION = tfds.core.Version(spec.version)
        MANUAL_DOWNLOAD_INSTRUCTIONS = spec.instructions or None

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(
                builder=self,
                description=spec.description,
                citation=spec.citation,
                license=spec.licence,
                homepage=spec.source,
                features=tfds.features.FeaturesDict(_features(source)),
                disable_shuffling=True,
                metadata=tfds.core.MetadataDict(),
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            yield from _examples(spec, source, self.info.metadata)

    return Builder


def _features(source: Source) -> dict[str, Any]:
    import tensorflow_datasets as tfds

    features: dict[str, Any] = {"image": tfds.features.Text(), "data": tfds.features.Text()}
    for column in source.table:
        features[column] = tfds.features.Text() if COLUMNS[column] is str else tfds.features.Scalar(np.float64)
    if source.halves is not None:
        shape = (2, source.halves.shape[1])
        features["halves"] = tfds.features.Tensor(shape=shape, dtype=np.float64)
    return features


def _examples(spec: Spec, source: Source, metadata: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of every picture that can be read; fills ``metadata`` when done."""
    digest, kept, rejected = hashlib.sha256(fingerprint(spec.name, spec.version).encode()), [], list(source.rejected)
    for row, image in enumerate(source.table.index):
        try:
            data = source.read(row)
        except ImageError as error:
            rejected.append(Failure(image, error.stage, str(error)))
            continue
        fields = {name: source.table[name].iloc[row] for name in source.table}
        digest.update(fingerprint(image, *fields.values(), hashlib.sha256(data).hexdigest()).encode())
        if source.halves is not None:
            fields["halves"] = np.ascontiguousarray(source.halves[:, :, row], np.float64)
        kept.append(row)
        yield row, {"image": image, "data": data, **fields}
    table = source.table.iloc[kept]
    metadata["table"] = {"image": table.index.tolist()} | {name: table[name].tolist() for name in table}
    metadata["halves"] = None if source.halves is None else source.halves[:, :, kept].tolist()
    metadata["listed"] = len(source.table) + len(source.rejected)
    metadata["rejected"] = [list(failure) for failure in rejected]
    metadata["fingerprint"] = digest.hexdigest()


class BuiltRecords:
    """The pictures of a prepared builder. Pickles as a path: each process opens the files itself."""

    def __init__(self, folder: Path, size: int):
        self.folder, self.size = folder, size
        self._source: Any = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[Path, int]]:
        return type(self), (self.folder, self.size)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Record:
        if not 0 <= index < self.size:
            raise IndexError(index)
        with self._lock:
            if self._source is None:
                import tensorflow_datasets as tfds

                self._source = tfds.builder_from_directory(str(self.folder)).as_data_source("train")
        example = self._source[index]
        return Record(example["image"].decode(), example["data"])


def open_built(spec: Spec, data_dir: str | Path | None) -> Dataset:
    """A data set through its prepared copy, which is made first where there is none.

    Raises:
        InputError: no usable ``data_dir``, or the cache cannot be written.
    """
    folder = None
    if spec.instructions:
        if data_dir is None:
            raise InputError(f"{spec.name}: a data folder is needed; {spec.instructions}")
        folder = check_folder(data_dir, f"{spec.name}: data folder", spec.instructions)
    home = cache_dir() / "datasets" / f"{spec.name}-{_source_key(spec, folder)[:16]}"
    built = home / spec.name / spec.version
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with open(home.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two processes one prepares, the other waits
            if not (built / "metadata.json").exists():
                _prepare(spec, folder, home)
    except OSError as error:
        if (built / "metadata.json").exists():  # a cache that is complete but read-only
            return _read_built(spec, built)
        reason = error.strerror or error
        raise InputError(f"{home}: cannot be written: {reason}; set MEMJAX_CACHE to a folder with room") from None
    return _read_built(spec, built)


def _source_key(spec: Spec, folder: Path | None) -> str:
    parts: list[object] = [FORMAT, spec.name, spec.version]
    for path in spec.inputs(folder) if folder is not None else ():
        with contextlib.suppress(OSError):
            status = path.stat()
            parts += [path.relative_to(folder), status.st_size, status.st_mtime_ns]
    return fingerprint(*parts)


def _prepare(spec: Spec, folder: Path | None, home: Path) -> None:
    import tensorflow_datasets as tfds

    shutil.rmtree(home, ignore_errors=True)  # what an interrupted preparation left
    source = spec.load(folder)
    if source.table.empty:
        first = f", the first: {source.rejected[0].error}" if source.rejected else ""
        raise InputError(
            f"{spec.name}: no usable image in {folder} ({len(source.rejected)} set aside{first}); {spec.instructions}"
        )
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(
        try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP, register_checksums=False
    )
    with tfds.core.registered.skip_registration(), contextlib.redirect_stdout(io.StringIO()):
        builder = builder_class(spec, source)(data_dir=str(home), file_format="array_record")
        builder.download_and_prepare(download_config=config)


def _read_built(spec: Spec, built: Path) -> Dataset:
    import tensorflow_datasets as tfds

    metadata = tfds.builder_from_directory(str(built)).info.metadata
    columns: dict[str, list[Any]] = metadata["table"]
    ids, scores = columns.pop("image"), columns.pop("memorability")
    table: pd.DataFrame = make_table(ids, scores, **columns)
    halves = None if metadata["halves"] is None else np.asarray(metadata["halves"], np.float64)
    rejected = [Failure(*failure) for failure in metadata["rejected"]]
    info = spec.info(metadata["fingerprint"])
    if spec.n_images is not None:
        info |= {"images_published": spec.n_images, "images_listed": metadata["listed"]}
    return Dataset(spec.name, table, BuiltRecords(built, len(table)), info, halves, rejected)
