"""One encoder's group: created, opened to go on, written chunk by chunk; further metrics beside it."""

import dataclasses
import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from memjax.checks import InputError, unreadable
from memjax.datasets import Failure
from memjax.datasets.content import Content
from memjax.storage import Place
from memjax.store.design import CREATED, Coordinates, Design, coordinates_of, design_of, read_design, write_design
from memjax.store.identity import check_identity
from memjax.store.layout import STORE, Variable, group_place, progress_place
from memjax.store.markers import DamagedError, Marker, marked_chunks, marker_file, read_marker, write_marker
from memjax.store.sums import values_sum

SUM, MADE_BY, MEASURED_WITH, COORDINATES = "sum", "made_by", "measured_with", "coordinates"
"""Attributes: of a further metric its checksum and which run made it; of a group the versions that measured it, JSON, and what
xarray takes for a coordinate beside those that are called as their dimension.
"""


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

    def done(self) -> list[int]:
        """Chunks that are whole, written by this process or another."""
        return [chunk for chunk in marked_chunks(self.root, self.group) if chunk < self.chunks]

    def failures(self) -> list[Failure]:
        """Images that could not be used, over all chunks that are done."""
        return [failure for c in self.done() for failure in read_marker(marker_file(self.root, self.group, c)).failures]

    def write(
        self,
        chunk: int,
        values: dict[str, np.ndarray],
        failures: list[Failure],
        turned: int = 0,
        contents: Sequence[Content] = (),
    ) -> None:
        """A chunk's values, then its marker.

        Args:
            chunk: which.
            values: variable -> its rows.
            failures: images of the chunk that could not be used.
            turned: how many of its images were turned upright by their EXIF orientation.
            contents: of its images, in order; empty where that is not known.

        Raises:
            InputError: if the disk is full or read-only; what was done before stays.
        """
        try:
            group = zarr.open_group(str(self.root / STORE), path=self.group, mode="r+", use_consolidated=False)
            sums = {}
            for name, rows in values.items():
                array = group[name]
                assert isinstance(array, zarr.Array)
                array[self.span(chunk)] = rows
                sums[name] = values_sum(np.asarray(rows, array.dtype))
            write_marker(marker_file(self.root, self.group, chunk), Marker(failures, turned, sums, contents))
        except OSError as error:
            raise InputError(
                f"{self.root}: can't write ({error.strerror or error}); make room and run the same command again"
            ) from error


def full_identity(
    identity: Mapping[str, Any], table: pd.DataFrame, variables: Mapping[str, Variable], chunk: int
) -> dict[str, Any]:
    """An identity with what the group's form adds to it."""
    return {**identity, "images": len(table), "chunk": chunk, "variables": sorted(variables)}


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
    whole = full_identity(identity, table, variables, chunk)
    if (group_place(out, group) / "zarr.json").is_file() and (progress_place(out, group) / CREATED).is_file():
        check_identity(out, group, stored_identity(out, group), whole)
        return writer
    coordinates = coordinates_of(table, variables, whole.get("patch_layers"))
    create_group(out, group, design_of(whole, variables, coordinates), variables, coordinates)
    consolidate(out / STORE)
    return writer


def stored_identity(root: Place, group: str) -> dict[str, Any]:
    """The identity that a group has.

    Raises:
        DamagedError: neither the group's attributes nor what was kept beside its markers can be read.
        InputError: they can't be read.
    """
    if (kept := read_design(root, group)) is not None:
        return dict(kept.identity)
    return identity_of_attributes(root, group)


def identity_of_attributes(root: Place, group: str) -> dict[str, Any]:
    """The identity in the attributes of a group.

    Raises:
        DamagedError: they are not as they were written.
        InputError: they can't be read.
    """
    where = group_place(root, group) / "zarr.json"
    try:
        found = json.loads(where.read_text(encoding="utf-8"))
        identity = json.loads(found["attributes"]["memjax"])
        whole = {"images", "chunk", "variables", "model"} <= identity.keys() and found["node_type"] == "group"
        if not whole or found["attributes"]["model"] != identity["model"] or not found["attributes"][COORDINATES]:
            raise ValueError("it is not what memjax wrote")
        return identity
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, FileNotFoundError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DamagedError(f"{where}: damaged ({reason}); run the same sweep again", "out") from error
    except OSError as error:
        raise unreadable(where, error) from error


def create_group(
    root: Place, group: str, design: Design, variables: Mapping[str, Variable], coordinates: Coordinates
) -> None:
    """A group without values, in the place of whatever had its name; no marker of that stays."""
    for chunk in marked_chunks(root, group):
        marker_file(root, group, chunk).unlink()
    frame = xr.Dataset(coords=coordinates, attrs=group_attributes(design))
    path = root / STORE
    frame.to_zarr(str(path), group=group, mode="w", zarr_format=3, consolidated=False)
    opened = zarr.open_group(str(path), path=group, mode="r+", use_consolidated=False)
    for name, variable in variables.items():
        create_variable(opened, name, design, variable)
    write_design(root, group, design)


def group_attributes(design: Design) -> dict[str, Any]:
    """The attributes of a group of this design."""
    return {"model": design.identity["model"], "memjax": json.dumps(design.identity, sort_keys=True)}


def create_variable(opened: zarr.Group, name: str, design: Design, variable: Variable) -> None:
    """A variable's array, whose values are NaN; files of values that lie there already stay."""
    opened.create_array(
        name,
        shape=design.shape(name),
        chunks=design.files(name),
        dtype="float32",
        fill_value=np.nan,
        dimension_names=("image", *variable.sizes),
        attributes=dict(variable.attrs),
    )


def consolidate(path: Place) -> None:
    """Gather the metadata of all groups at the store's root, where xarray looks for it.

    Raises:
        InputError: those of a group are damaged, or the system does not let them be read or written.
    """
    with warnings.catch_warnings():
        # Zarr 3's specification has no consolidated metadata yet; xarray reads and expects it all the same.
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", UserWarning)
        warnings.filterwarnings("ignore", "Object at .* is not recognized", UserWarning)  # a stray file of a user's
        try:
            zarr.consolidate_metadata(str(path))
        except OSError as error:
            raise InputError(f"{path}: can't gather its metadata ({error.strerror or error})", "out") from error
        except Exception as error:  # damaged metadata make zarr raise nearly every type
            reason = " ".join(str(error).split())[:120]
            fix = "run the sweep that made it again, or move its folder away"
            raise InputError(
                f"{path}: the metadata of one of its groups are damaged ({reason}); {fix}", "out"
            ) from error


def note_versions(root: Place, group: str, versions: Mapping[str, str]) -> None:
    """Keep, as an attribute of the group, with which versions some of its chunks are measured."""
    opened = zarr.open_group(str(root / STORE), path=group, mode="r+", use_consolidated=False)
    before = versions_of(opened.attrs.get(MEASURED_WITH))
    if dict(versions) not in before:
        opened.attrs[MEASURED_WITH] = json.dumps([*before, dict(versions)], sort_keys=True)
        consolidate(root / STORE)


def versions_of(attribute: object) -> list[dict[str, str]]:
    """What `note_versions` kept; empty where an earlier version made the group, or the attribute is damaged.

    Example:
        >>> versions_of('[{"jax": "0.10.2"}]'), versions_of(None)
        ([{'jax': '0.10.2'}], [])
    """
    try:
        found = json.loads(str(attribute))
    except (ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def add_metrics(path: Place, group: str, metrics: dict[str, np.ndarray], made_by: str) -> None:
    """Put further metrics beside a sweep's own, so that its table, figures and report show them when it is run again.

    Args:
        path: the store, ``features.zarr``; hold `locked` on its folder.
        group: see `memjax.naming.group_name`.
        metrics: name -> float32 ``[image, layer]``, NaN where there is no value; one of the same name is replaced.
        made_by: which run made them, kept as an attribute of each.
    """
    opened = zarr.open_group(str(path), path=group, mode="r+", use_consolidated=False)
    for name, values in metrics.items():
        array = opened.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("image", "layer"),
            attributes={MADE_BY: made_by, SUM: values_sum(np.asarray(values, np.float32))},
            overwrite=True,
        )
        array[:] = values
    consolidate(path)
