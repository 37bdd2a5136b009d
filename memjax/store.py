"""The feature store: one zarr group an encoder, labelled axes, written chunk by chunk, resumed where it stopped.

Layout of ``features.zarr/<encoder>``: one float32 variable a metric, dimensions ``image, layer`` (``image, layer, head`` where
it is per head; ``image, layer, width`` for token vectors, ``image, patch_layer, patch, width`` for patches), its attributes
``title``, ``unit`` and ``reference``; coordinates ``image`` (ids, text), ``memorability`` and ``layer``; attributes say what
made it.
Chunks hold whole images. A chunk counts as done when its marker (``progress/<encoder>/<chunk>.json``, which also holds its
failures, and how many of its images were turned upright) stands beside the store; a marker is written last, so a run that
dies loses at most the chunk it was writing.
"""

import dataclasses
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from memjax.axes import Sizes
from memjax.checks import InputError
from memjax.datasets import Failure
from memjax.storage import Place, listing, place, write_atomically

STORE, PROGRESS = "features.zarr", "progress"

METRIC_DIMS = (("image", "layer"), ("image", "layer", "head"))
"""Dimensions of the variables that are metrics."""
OWN = "own_metrics"
"""Key of an identity: name -> `memjax.metrics.metric_identity` of the user's metrics."""
CHUNK_BYTES = 2**23
"""Bytes, at most, of a variable's chunk where one image has less: what a reader of a few images has to fetch."""


class Variable(NamedTuple):
    """What is kept under one name: the axes of one image's values, and the attributes that tell what it is."""

    sizes: Sizes
    attrs: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Writer:
    """One encoder's group, open for writing.

    Attributes:
        root: the run's folder, or its place in an object store.
        group: name of the zarr group.
        images: how many there are.
        chunk: images per chunk.
    """

    root: Place
    group: str
    images: int
    chunk: int

    @property
    def chunks(self) -> int:
        return -(-self.images // self.chunk)

    def span(self, chunk: int) -> slice:
        """Rows of a chunk."""
        return slice(chunk * self.chunk, min((chunk + 1) * self.chunk, self.images))

    def rows(self, chunks: Iterable[int]) -> np.ndarray:
        """Rows of some chunks, int64, one after another."""
        return np.concatenate([np.arange(span.start, span.stop) for span in map(self.span, chunks)])

    def images_in(self, chunks: Iterable[int]) -> int:
        """How many images some chunks have."""
        return sum(self.span(c).stop - self.span(c).start for c in chunks)

    def _marker(self, chunk: int) -> Place:
        return self.root / PROGRESS / self.group / f"{chunk:06d}.json"

    def done(self) -> list[int]:
        """Chunks that are whole, written by this process or another."""
        return [int(file.stem) for file in listing(self.root / PROGRESS / self.group, "*.json")]

    def failures(self) -> list[Failure]:
        """Images that could not be used, over all chunks that are done."""
        return [Failure(*row) for c in self.done() for row in read_marker(self._marker(c)).failures]

    def write(self, chunk: int, values: dict[str, np.ndarray], failures: list[Failure], turned: int = 0) -> None:
        """A chunk's values, then its marker.

        Args:
            chunk: which.
            values: variable -> its rows.
            failures: images of the chunk that could not be used.
            turned: how many of its images were turned upright by their EXIF orientation.

        Raises:
            InputError: if the disk is full or read-only; what was done before stays.
        """
        try:
            group = zarr.open_group(str(self.root / STORE), path=self.group, mode="r+")
            for name, rows in values.items():
                array = group[name]
                assert isinstance(array, zarr.Array)
                array[self.span(chunk)] = rows
            marker = {"failures": [list(f) for f in failures], "turned": turned}
            write_atomically(self._marker(chunk), json.dumps(marker))
        except OSError as error:
            raise InputError(
                f"{self.root}: can't write ({error.strerror or error}); make room and run the same command again"
            ) from error


class Marker(NamedTuple):
    """What stands in the marker of a chunk that is done."""

    failures: list[list[str]]
    turned: int


def read_marker(file: Place) -> Marker:
    """A chunk's marker; that of version 0.1 is the failures alone, and no image was turned then."""
    found = json.loads(file.read_text())
    return Marker(found, 0) if isinstance(found, list) else Marker(found["failures"], found["turned"])


def images_turned(out: Place, group: str) -> int:
    """How many images of an encoder's group were turned upright by their EXIF orientation."""
    return sum(read_marker(file).turned for file in listing(out / PROGRESS / group, "*.json"))


def open_writer(
    out: Place,
    group: str,
    table: pd.DataFrame,
    variables: Mapping[str, Variable],
    identity: Mapping[str, Any],
    chunk: int,
) -> Writer:
    """Create an encoder's group, or open it to go on.

    Args:
        out: the run's folder.
        group: see `memjax.naming.group_name`.
        table: of the data set: index ``image``, column ``memorability``.
        variables: what is kept, by name.
        identity: everything that makes the numbers what they are, JSON types; kept as attributes.
        chunk: images per chunk.

    Raises:
        InputError: if the group was made by another identity, naming what differs.
    """
    writer = Writer(out, group, len(table), chunk)
    identity = {**identity, "images": len(table), "chunk": chunk, "variables": sorted(variables)}
    path = out / STORE
    if (path / group / "zarr.json").is_file() and (out / PROGRESS / group / "created").is_file():
        _check_identity(path, group, identity)
        return writer
    attrs = {"model": identity["model"], "memjax": json.dumps(identity, sort_keys=True)}
    frame = xr.Dataset(coords=_coordinates(table, variables, identity.get("patch_layers")), attrs=attrs)
    frame.to_zarr(str(path), group=group, mode="w", zarr_format=3, consolidated=False)
    opened = zarr.open_group(str(path), path=group, mode="r+")
    for name, variable in variables.items():
        shape = tuple(variable.sizes.values())
        opened.create_array(
            name,
            shape=(len(table), *shape),
            chunks=(_images_per_file(chunk, shape), *shape),
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("image", *variable.sizes),
            attributes=dict(variable.attrs),
        )
    consolidate(path)
    write_atomically(out / PROGRESS / group / "created", "")
    return writer


def _coordinates(
    table: pd.DataFrame, variables: Mapping[str, Variable], patch_layers: list[int] | None
) -> dict[str, tuple[str, np.ndarray]]:
    layers = next((v.sizes["layer"] for v in variables.values() if "layer" in v.sizes), 0)
    coords = {
        "image": ("image", table.index.to_numpy(dtype=object)),
        "memorability": ("image", table["memorability"].to_numpy(np.float64)),
        "layer": ("layer", np.arange(layers, dtype=np.int64)),
    }
    return coords | ({"patch_layer": ("patch_layer", np.array(patch_layers, np.int64))} if patch_layers else {})


def _images_per_file(chunk: int, shape: tuple[int, ...]) -> int:
    """The largest divisor of ``chunk`` (so that each file is written once) that keeps a file below `CHUNK_BYTES`."""
    most = max(1, CHUNK_BYTES // (4 * math.prod(shape)))
    return max(size for size in range(1, chunk + 1) if chunk % size == 0 and size <= most)


def consolidate(path: Place) -> None:
    """Gather the metadata of all groups at the store's root, where xarray looks for it."""
    with warnings.catch_warnings():
        # Zarr 3's specification has no consolidated metadata yet; xarray reads and expects it all the same.
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", UserWarning)
        zarr.consolidate_metadata(str(path))


def add_metrics(path: Place, group: str, metrics: dict[str, np.ndarray], made_by: str) -> None:
    """Put further metrics beside a sweep's own, so that its table, figures and report show them when it is run again.

    Args:
        path: the store, ``features.zarr``; hold `locked` on its folder.
        group: see `memjax.naming.group_name`.
        metrics: name -> float32 ``[image, layer]``, NaN where there is no value; one of the same name is replaced.
        made_by: which run made them, kept as an attribute of each.
    """
    opened = zarr.open_group(str(path), path=group, mode="r+")
    for name, values in metrics.items():
        array = opened.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("image", "layer"),
            overwrite=True,
        )
        array[:] = values
        array.attrs["made_by"] = made_by
    consolidate(path)


def _check_identity(path: Place, group: str, identity: Mapping[str, Any]) -> None:
    stored = json.loads(str(zarr.open_group(str(path), path=group, mode="r").attrs["memjax"]))
    if "preprocessing" in stored:  # version 0.1 left every image as it is stored
        stored["preprocessing"] = {"orientation": "stored", **stored["preprocessing"]}
    differ = list(_differences(stored, json.loads(json.dumps(identity))))
    if differ:
        raise InputError(f"{path}/{group}: made by another run ({'; '.join(differ)}); choose another folder", "out")


def _differences(stored: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What differs between two identities, in words."""
    for key in sorted(stored.keys() | now.keys()):
        old, new = stored.get(key), now.get(key)
        if key == OWN:
            both = sorted((old or {}).keys() & (new or {}).keys())
            yield from (f"the metric {name} is another function now" for name in both if old[name] != new[name])
        elif key == "variables" and old != new:
            lists = (("without", set(new) - set(old or ())), ("with", set(old or ()) - set(new)))
            yield " and ".join(f"{word} {', '.join(sorted(names))}" for word, names in lists if names)
        elif old != new:
            yield f"{key} was {old!r}, now {new!r}"


def open_features(out: str | Place) -> dict[str, xr.Dataset]:
    """Every encoder's group of a run, lazily: name -> Dataset with dims ``image, layer``.

    Args:
        out: a run's folder, or its ``features.zarr``.

    Raises:
        InputError: there is no feature store.
    """
    path = place(out)
    path = path if path.name == STORE else path / STORE
    if not path.is_dir():
        raise InputError(f"{path}: no feature store there; run a sweep first")
    groups = sorted(p.parent.name for p in listing(path, "*/zarr.json"))
    return {name: xr.open_zarr(str(path), group=name) for name in groups}


def metric_variables(group: xr.Dataset) -> list[str]:
    """The variables that are metrics, one number an image and layer (and head); token vectors are not among them."""
    return [str(name) for name, variable in group.data_vars.items() if variable.dims in METRIC_DIMS]
