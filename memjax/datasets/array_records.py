"""A prepared copy as array_record files, by a tfds builder, without TensorFlow: written once, then read at random.

The records carry every field; the table, small beside the images, is repeated in the builder's ``metadata.json`` so that
opening a data set does not read the images. The package array_record has no wheel for Windows: where it is missing,
`memjax.datasets.in_place` reads the published files themselves.
"""

import contextlib
import io
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memjax.datasets.base import COLUMNS, Record, Source, Spec
from memjax.datasets.examples import Example, Metadata, examples

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


def is_installed() -> bool:
    """Whether array_record can be used here."""
    try:
        import array_record.python.array_record_module  # noqa: F401
    except ImportError:
        return False
    return True


def builder_class(spec: Spec, source: Source) -> "type[tfds.core.GeneratorBasedBuilder]":
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

        def _split_generators(
            self, dl_manager: "tfds.download.DownloadManager"
        ) -> dict[str, Iterator[tuple[int, Example]]]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, Example]]:
            yield from examples(spec, source, self.info.metadata)

    return Builder


def _features(source: Source) -> "dict[str, tfds.features.FeatureConnector]":
    import tensorflow_datasets as tfds

    features: dict[str, tfds.features.FeatureConnector] = {"image": tfds.features.Text(), "data": tfds.features.Text()}
    for column in source.table:
        features[column] = tfds.features.Text() if COLUMNS[column] is str else tfds.features.Scalar(np.float64)
    if source.halves is not None:
        shape = (2, source.halves.shape[1])
        features["halves"] = tfds.features.Tensor(shape=shape, dtype=np.float64)
    return features


def write(spec: Spec, source: Source, home: Path) -> None:
    """Copy ``source`` into ``home``, which holds nothing yet."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(
        try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP, register_checksums=False
    )
    with tfds.core.registered.skip_registration(), contextlib.redirect_stdout(io.StringIO()):
        builder = builder_class(spec, source)(data_dir=str(home), file_format="array_record")
        builder.download_and_prepare(download_config=config)


def read_metadata(built: Path) -> Metadata:
    """What `memjax.datasets.examples.examples` told of the copy in ``built``."""
    import tensorflow_datasets as tfds

    return dict(tfds.builder_from_directory(str(built)).info.metadata)


class BuiltRecords:
    """The images of a prepared builder. Pickles as a path: each process opens the files itself."""

    def __init__(self, folder: Path, size: int):
        self.folder, self.size = folder, size
        self._source: Sequence[dict[str, bytes]] | None = None
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
