"""Is a group as it was written? Its metadata and coordinates, each chunk's values against its marker, further metrics.

Nothing is changed here: `memjax.store.mending` makes anew what can be made anew.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import zarr

from memjax.checks import InputError
from memjax.storage import Place, listing, read_json
from memjax.store.answering import check_answered
from memjax.store.design import Design, coordinate_sum, read_design
from memjax.store.layout import METRIC_DIMS, STORE, group_place
from memjax.store.markers import DamagedError, Marker, marked_chunks, marker_file, read_marker
from memjax.store.sums import values_sum
from memjax.store.writer import MADE_BY, SUM, Writer, identity_of_attributes

COORDINATE_NAMES = ("image", "memorability", "layer", "patch_layer")
BLOCK_BYTES = 2**26
"""Values that are read at once, in bytes, at most (but for one chunk)."""
MAKE_AGAIN = "run the autoencoders or baselines that made it again"
"""What is to be done about a further metric."""
LARGE = 2**28
"""A variable of more bytes is verified when it is read, not each time that the sweep is run."""


@dataclass(frozen=True)
class ChunkState:
    """The chunks of a group.

    Attributes:
        damaged: chunk -> what is not as it was written: names of variables, or what is wrong with its marker.
        missing: chunks that are not done.
        unverifiable: chunks that an earlier version wrote, without checksums.
    """

    damaged: dict[int, list[str]] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    unverifiable: list[int] = field(default_factory=list)

    @property
    def whats(self) -> str:
        """Everything that is not as it was written in any chunk, by name."""
        return ", ".join(sorted({what for found in self.damaged.values() for what in found}))


def open_arrays(root: Place, group: str) -> zarr.Group:
    """A group by its own metadata, not by those gathered at the root.

    Raises:
        DamagedError: they are not as they were written.
        InputError: they can't be read.
    """
    try:
        return zarr.open_group(str(root / STORE), path=group, mode="r", use_consolidated=False)
    except FileNotFoundError as error:
        raise DamagedError(f"{group_place(root, group)}: no zarr.json there", "out") from error
    except Exception as error:  # damaged metadata make zarr raise nearly every type
        check_answered(error, group_place(root, group))
        raise DamagedError(f"{group_place(root, group)}: not as it was written ({error})", "out") from error


def array_of(opened: zarr.Group, name: str) -> zarr.Array | str:
    """An array of a group, or what is wrong with it."""
    try:
        found = opened[name]
    except KeyError:
        return "is missing"
    except Exception as error:  # as above
        check_answered(error, f"{opened.store_path}/{name}")
        return "has damaged metadata"
    return found if isinstance(found, zarr.Array) else "is no array"


def variable_fault(opened: zarr.Group, name: str, design: Design) -> str:
    """What is wrong with the metadata of a variable; empty where nothing is."""
    array = array_of(opened, name)
    if isinstance(array, str):
        return array
    if not design.variables[name]:  # an earlier version did not keep the shape
        return "" if array.ndim > 1 and array.shape[0] == design.images else f"has the shape {array.shape}"
    wanted = design.shape(name)
    if array.shape != wanted:
        return f"has the shape {array.shape}, not {wanted}"
    if array.dtype != np.float32 or not np.isnan(array.fill_value):
        return f"has type {array.dtype} and fill value {array.fill_value}, not float32 and NaN"
    if array.chunks[1:] != wanted[1:] or not 0 < array.chunks[0] <= max(design.chunk, 1):
        return f"has chunks of {array.chunks}"
    dims = ("image", *design.variables[name])
    return "" if tuple(array.metadata.dimension_names or ()) == dims else f"has dimensions other than {', '.join(dims)}"


def coordinate_fault(opened: zarr.Group, name: str, total: str) -> str:
    """What is wrong with a coordinate; empty where nothing is.

    Args:
        total: its checksum; empty where an earlier version kept none.
    """
    array = array_of(opened, name)
    if isinstance(array, str):
        return array
    try:
        values = np.asarray(array[:])
    except Exception as error:  # as above
        check_answered(error, f"{opened.store_path}/{name}")
        return "can't be decoded"
    dims = tuple(array.metadata.dimension_names or ())
    if dims != (("image",) if name in ("image", "memorability") else (name,)):
        return "has other dimensions"
    return "" if not total or coordinate_sum(values) == total else "has other values"


def metadata_faults(root: Place, group: str, design: Design, names: Collection[str]) -> dict[str, str]:
    """Of some variables and all coordinates: what is wrong with the metadata, of a coordinate with its values too; "" is the
    group itself.
    """
    try:
        identity_of_attributes(root, group)
        opened = open_arrays(root, group)
    except DamagedError as error:
        return {"": str(error)}
    found = {name: variable_fault(opened, name, design) for name in names}
    found |= {name: coordinate_fault(opened, name, total) for name, total in design.coordinates.items()}
    return {name: fault for name, fault in found.items() if fault}


def inspect_chunks(root: Place, group: str, design: Design, names: Collection[str]) -> ChunkState:
    """Every chunk's marker, and its values of some variables against that; their metadata have to be right.

    Raises:
        InputError: something can't be read.
    """
    state, markers = ChunkState(), {}
    writer = Writer(root, group, design.images, design.chunk)
    there = set(marked_chunks(root, group))
    kept = read_design_or_none(root, group)
    strict = kept is not None and kept.strict
    for chunk in range(writer.chunks):
        if chunk not in there:
            state.missing.append(chunk)
            continue
        try:
            markers[chunk] = _checked(marker_file(root, group, chunk), writer, chunk, design, strict)
        except DamagedError:
            state.damaged[chunk] = ["a marker"]
    state.unverifiable.extend(chunk for chunk, marker in markers.items() if marker.sums is None)
    opened = open_arrays(root, group)
    for name in names:
        array = array_of(opened, name)
        assert isinstance(array, zarr.Array), f"{name}: its metadata come first"
        for chunk in _damaged(array, writer, name, markers):
            state.damaged.setdefault(chunk, []).append(name)
    return state


def read_design_or_none(root: Place, group: str) -> Design | None:
    """`read_design`, where a damaged one counts as none."""
    try:
        return read_design(root, group)
    except DamagedError:
        return None


def _checked(file: Place, writer: Writer, chunk: int, design: Design, strict: bool) -> Marker:
    """A marker that fits its chunk."""
    marker, images = read_marker(file), writer.images_in([chunk])
    fits = marker.turned <= images and len(marker.failures) <= images and len(marker.contents) in (0, images)
    known = marker.sums is None or marker.sums.keys() == design.variables.keys()
    if not fits or not known or (strict and marker.sums is None):
        raise DamagedError(f"{file}: does not fit the chunk", "out")
    return marker


def _damaged(array: zarr.Array, writer: Writer, name: str, markers: Mapping[int, Marker]) -> Iterator[int]:
    """The chunks whose values of a variable are not those that their marker tells of."""
    each = 4 * int(np.prod(array.shape[1:])) * writer.chunk
    together = max(1, BLOCK_BYTES // max(1, each))
    chunks = sorted(markers)
    for start in range(0, len(chunks), together):
        for chunk, rows in _rows(array, writer, chunks[start : start + together]):
            if rows is None or not _as_written(rows, markers[chunk], name):
                yield chunk


def _as_written(rows: np.ndarray, marker: Marker, name: str) -> bool:
    if marker.sums is not None:
        return values_sum(rows) == marker.sums[name]
    empty = bool(np.isnan(rows).all())  # what a lost file looks like, where there are no checksums
    return not empty or len(marker.failures) >= len(rows)


def _rows(array: zarr.Array, writer: Writer, chunks: list[int]) -> Iterator[tuple[int, np.ndarray | None]]:
    """The values of some chunks, None of one that can't be decoded; read together where that goes."""
    first, last = writer.span(chunks[0]).start, writer.span(chunks[-1]).stop
    try:
        together = np.asarray(array[first:last])
    except Exception as error:  # a damaged file makes the codecs raise nearly every type
        check_answered(error, array.store_path)
        if len(chunks) == 1:
            yield chunks[0], None
            return
        for chunk in chunks:
            yield from _rows(array, writer, [chunk])
        return
    for chunk in chunks:
        span = writer.span(chunk)
        yield chunk, together[span.start - first : span.stop - first]


def small_variables(design: Design) -> list[str]:
    """The variables that are verified each time: all but very large token vectors."""
    return [name for name in design.variables if 4 * int(np.prod(design.shape(name))) <= LARGE]


def further_metrics(root: Place, group: str, design: Design) -> dict[str, str]:
    """The metrics that autoencoders and baselines put there -> what is wrong with them, empty where nothing is."""
    opened, found = open_arrays(root, group), {}
    for file in listing(group_place(root, group), "*/zarr.json"):
        name = file.parent.name
        if name not in design.variables and name not in COORDINATE_NAMES:
            found[name] = _metric_fault(opened, name, design)
    return found


def lost_metrics(root: Place, group: str, design: Design) -> list[str]:
    """Further metrics that the store's root tells of and that are not there any more, a line each."""
    try:
        gathered = read_json(root / STORE / "zarr.json")["consolidated_metadata"]["metadata"]
        told = [name.partition("/")[2] for name in gathered if name.startswith(f"{group}/")]
    except (InputError, KeyError, TypeError, AttributeError):
        return []  # `root_fault` says that
    known = {
        *design.variables,
        *COORDINATE_NAMES,
        *(file.parent.name for file in listing(group_place(root, group), "*/zarr.json")),
    }
    return [f"{group_place(root, group) / name}: has gone; {MAKE_AGAIN}" for name in told if name not in known]


def _metric_fault(opened: zarr.Group, name: str, design: Design) -> str:
    array = array_of(opened, name)
    if isinstance(array, str):
        return array
    dims = tuple(array.metadata.dimension_names or ())
    if dims not in METRIC_DIMS or array.shape[0] != design.images or array.dtype != np.float32:
        return "is no metric of these images"
    total = array.attrs.get(SUM)
    try:
        values = np.asarray(array[:]) if total is not None else None
    except Exception as error:  # a damaged file makes the codecs raise nearly every type
        check_answered(error, f"{opened.store_path}/{name}")
        return "can't be decoded"
    if values is None:  # version 0.2 kept no checksum
        return "" if MADE_BY in array.attrs else "has lost its attributes"
    return "" if values_sum(values) == total else "has other values"


def root_fault(root: Place, group: str) -> str:
    """What is wrong with what the store's root says of a group; empty where nothing is."""
    where = root / STORE / "zarr.json"
    try:
        gathered = read_json(where)["consolidated_metadata"]["metadata"]
        own = {f"{group}/{file.parent.name}": file for file in listing(group_place(root, group), "*/zarr.json")}
        own[group] = group_place(root, group) / "zarr.json"
        said = {name: gathered[name] for name in gathered if name == group or name.startswith(f"{group}/")}
        same = {name: _plain(read_json(file)) for name, file in own.items()} == {n: _plain(m) for n, m in said.items()}
        return "" if same else f"{where}: says something else of {group} than its own metadata"
    except (InputError, KeyError, TypeError, AttributeError) as error:
        return f"{where}: not as it was written ({error})"


def _plain(metadata: Mapping[str, object]) -> dict[str, object]:
    """Metadata without what only gathers others'."""
    return {name: value for name, value in metadata.items() if name != "consolidated_metadata"}
