"""A store before it is gone on with: what is damaged is made anew, or its marker is taken away so that it is measured again.

Whatever is mended is said, one line each. What is another run's is refused, and nothing of it is touched.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import xarray as xr
import zarr

from memjax.checks import misplaced
from memjax.datasets.content import changed_images
from memjax.storage import Place, is_remote, listing
from memjax.store.answering import check_answered
from memjax.store.design import CREATED, design_of, read_design, write_design
from memjax.store.identity import SHOWN
from memjax.store.inspection import (
    MAKE_AGAIN,
    further_metrics,
    inspect_chunks,
    lost_metrics,
    metadata_faults,
    root_fault,
    small_variables,
)
from memjax.store.layout import PROGRESS, STORE, group_place, progress_place
from memjax.store.markers import DamagedError, Marker, has_sums, marked_chunks, marker_file, write_marker
from memjax.store.opening import Opening
from memjax.store.same_run import check_same_run, known_identity, whole_markers
from memjax.store.writer import (
    COORDINATES,
    consolidate,
    create_group,
    create_variable,
    group_attributes,
    identity_of_attributes,
)


class Mended(NamedTuple):
    """What `mend` did.

    Attributes:
        repaired: what was made anew, or will be measured again, a line each.
        remarks: what could not be verified, a line each.
    """

    repaired: list[str]
    remarks: list[str]


def mend(openings: Sequence[Opening]) -> Mended:
    """Make the groups of a run fit to go on.

    A group that was not begun is left to `memjax.store.open_writer`.

    Raises:
        InputError: a group is another run's; something of it can't be read or made anew.
    """
    begun = [opening for opening in openings if _begun(opening)]
    if not begun:
        return Mended([], [])
    root, said, remarks = begun[0].root, [], []
    faults = [fault for opening in begun if (fault := root_fault(root, opening.group))]
    stale = any(known_identity(root, opening.group) != opening.design.identity for opening in begun)
    lost = [line for opening in begun for line in lost_metrics(root, opening.group, opening.design)]
    for opening in begun:
        repaired, unverifiable = _mend_group(opening)
        said += repaired
        remarks += unverifiable
    if faults or said or stale:
        for opening in begun:
            _write_plainly(root, opening.group)
        _unlink_damaged_root(root)
        consolidate(root / STORE)
    return Mended(said + lost + [f"{fault}; made anew" for fault in faults if not said], remarks)


def _begun(opening: Opening) -> bool:
    """Whether anything of a group was written before."""
    root, group = opening.root, opening.group
    check_places(root, group)
    kept = group_place(root, group) / "zarr.json", progress_place(root, group) / CREATED
    return any(file.is_file() for file in kept) or bool(marked_chunks(root, group))


def check_places(root: Place, group: str) -> None:
    """Refuse files where folders belong, and folders where files do: they are somebody's, and stay.

    Raises:
        InputError: naming the first.
    """
    if is_remote(root):
        return  # an object store has no folders
    homes = group_place(root, group), progress_place(root, group)
    for folder in (root, root / STORE, homes[0], root / PROGRESS, homes[1]):
        if folder.is_file():
            raise misplaced(folder, "folder")
    markers = [marker_file(root, group, chunk) for chunk in marked_chunks(root, group)]
    for file in (root / STORE / "zarr.json", homes[0] / "zarr.json", homes[1] / CREATED, *markers):
        if file.is_dir():
            raise misplaced(file, "file")


def _mend_group(opening: Opening) -> Mended:
    root, group = opening.root, opening.group
    stored = known_identity(root, group)
    if stored is None:
        return Mended([_made_anew(opening, "its metadata were lost, so all its images are measured again")], [])
    if not marked_chunks(root, group) and not (progress_place(root, group) / CREATED).is_file():
        return Mended([_made_anew(opening, "its creation was cut off; made anew")], [])
    check_same_run(opening, stored)
    said = _mended_attributes(opening, stored)
    said += _damaged_metrics(opening)
    said += _mended_arrays(opening)
    again, remarks = _mended_chunks(opening)
    said += again
    said += _replaced_images(opening, stored.get("fingerprint") != opening.identity.get("fingerprint"))
    return Mended(said + _kept_identity(opening), remarks)


def _made_anew(opening: Opening, why: str) -> str:
    """A group created again: nothing in it could be told from another run's."""
    _unlink_damaged_root(opening.root)
    create_group(opening.root, opening.group, opening.design, opening.variables, opening.coordinates)
    return f"{group_place(opening.root, opening.group)}: {why}"


def _mended_attributes(opening: Opening, stored: dict[str, Any]) -> list[str]:
    """The group's own metadata, where they were damaged; its arrays stay."""
    root, group = opening.root, opening.group
    try:
        identity_of_attributes(root, group)
        return []
    except DamagedError as error:
        (group_place(root, group) / "zarr.json").unlink(missing_ok=True)
        _unlink_damaged_root(root)
        attributes = group_attributes(design_of(stored, {}, {})) | {COORDINATES: "memorability"}
        zarr.create_group(str(root / STORE), path=group, attributes=attributes, overwrite=False)
        what = str(error).rpartition(";")[0]
        return [f"{what}; made anew, but which versions measured it is not known any more"]


def _mended_arrays(opening: Opening) -> list[str]:
    """Arrays whose metadata are wrong, created again; files of their values stay, and are verified after."""
    root, group, design = opening.root, opening.group, opening.design
    faults = metadata_faults(root, group, design, design.variables)
    if not faults:
        return []
    opened = zarr.open_group(str(root / STORE), path=group, mode="r+", use_consolidated=False)
    for name in faults:
        where = group_place(root, group) / name
        if where.is_file():
            raise misplaced(where, "folder")
        if name in design.variables:
            (where / "zarr.json").unlink(missing_ok=True)
            create_variable(opened, name, design, opening.variables[name])
        else:
            del opened[name]
    if coordinates := {name: values for name, values in opening.coordinates.items() if name in faults}:
        attributes = opened.attrs.asdict()
        frame = xr.Dataset(coords=coordinates)
        frame.to_zarr(str(root / STORE), group=group, mode="a", zarr_format=3, consolidated=False)
        opened.attrs.put(attributes)
    return [f"{group_place(root, group) / name}: {fault}; made anew" for name, fault in faults.items()]


def _mended_chunks(opening: Opening) -> Mended:
    """Markers of damaged chunks taken away, and those of no chunk."""
    root, group, writer = opening.root, opening.group, opening.writer
    state = inspect_chunks(root, group, opening.design, small_variables(opening.design))
    stray = [chunk for chunk in marked_chunks(root, group) if chunk >= writer.chunks]
    for chunk in [*state.damaged, *stray]:
        marker_file(root, group, chunk).unlink(missing_ok=True)
    said = [f"{progress_place(root, group)}: markers of no chunk ({len(stray)}); removed"] if stray else []
    if state.damaged:
        chunks = f"{len(state.damaged)} of {writer.chunks} chunks are not as they were written ({state.whats})"
        count = writer.images_in(state.damaged)
        said.append(f"{group_place(root, group)}: {chunks}; {count} images are measured again")
    if not state.unverifiable:
        return Mended(said, [])
    count = writer.images_in(state.unverifiable)
    why = "by a version that kept no checksums, so they can't be verified"
    return Mended(said, [f"{group_place(root, group)}: {count} images were measured {why}"])


def _replaced_images(opening: Opening, other_data: bool) -> list[str]:
    """Markers of chunks whose images are others now taken away; stamps of files that were only touched renewed."""
    writer, markers = opening.writer, whole_markers(opening)
    seen = {}
    for chunk, marker in markers.items():
        seen |= dict(zip(range(writer.span(chunk).start, writer.span(chunk).stop), marker.contents))
    changed, touched = changed_images(opening.dataset, seen, other_data)
    again = sorted({row // writer.chunk for row in changed})
    for chunk in sorted({row // writer.chunk for row in touched} - set(again)):
        start, old = writer.span(chunk).start, markers[chunk]
        contents = [touched.get(row, content) for row, content in enumerate(old.contents, start)]
        file = marker_file(opening.root, opening.group, chunk)
        write_marker(file, Marker(old.failures, old.turned, old.sums, contents))
    for chunk in again:
        marker_file(opening.root, opening.group, chunk).unlink(missing_ok=True)
    if not changed:
        return []
    ids = [str(opening.dataset.table.index[row]) for row in changed[:SHOWN]]
    shown = ", ".join(ids) + (", .." if len(changed) > SHOWN else "")
    what = "1 image was replaced" if len(changed) == 1 else f"{len(changed)} images were replaced"
    count = writer.images_in(again)
    where = group_place(opening.root, opening.group)
    return [f"{where}: {what} since it was measured ({shown}); {count} images, whole chunks, are measured again"]


def _kept_identity(opening: Opening) -> list[str]:
    """The identity of now in both its places; what is said of the one beside the markers, where that was damaged."""
    root, group, design, said, strict = opening.root, opening.group, opening.design, [], True
    file = progress_place(root, group) / CREATED
    try:
        kept = read_design(root, group)
        if kept is not None:
            strict = kept.strict
        elif has_sums(root, group) or not file.is_file():
            said = [f"{file}: lost; made anew"]
        else:  # an earlier version left it empty
            strict = False
    except DamagedError as error:
        kept, said = None, [f"{str(error).rpartition(';')[0]}; made anew"]
    if said:
        strict = all(marker.sums is not None for marker in whole_markers(opening).values())
    if kept != (design := replace(design, strict=strict)):
        write_design(root, group, design)
    if identity_of_attributes(root, group) != design.identity:
        opened = zarr.open_group(str(root / STORE), path=group, mode="r+", use_consolidated=False)
        opened.attrs.update(group_attributes(design))
    return said


def _damaged_metrics(opening: Opening) -> list[str]:
    """Further metrics that are damaged, taken out: who put them there can make them again."""
    root, group, said = opening.root, opening.group, []
    opened = zarr.open_group(str(root / STORE), path=group, mode="r+", use_consolidated=False)
    for name, fault in further_metrics(root, group, opening.design).items():
        if fault:
            del opened[name]
            said.append(f"{group_place(root, group) / name}: {fault}; removed: {MAKE_AGAIN}")
    return said


def _write_plainly(root: Place, group: str) -> None:
    """The metadata of a group and its arrays written again as zarr reads them: what it passes over in a damaged file is gone."""
    opened = zarr.open_group(str(root / STORE), path=group, mode="r+", use_consolidated=False)
    opened.attrs.put(opened.attrs.asdict())
    for file in listing(group_place(root, group), "*/zarr.json"):
        node = opened[file.parent.name]
        node.attrs.put(node.attrs.asdict())


def _unlink_damaged_root(root: Place) -> None:
    """The root's own metadata made anew where zarr can't read them; what they gather is with each group."""
    file = root / STORE / "zarr.json"
    try:
        zarr.open_group(str(root / STORE), mode="r", use_consolidated=False)
        return
    except FileNotFoundError:
        pass
    except Exception as error:  # damaged metadata make zarr raise nearly every type
        check_answered(error, file)
        file.unlink(missing_ok=True)
    zarr.create_group(str(root / STORE), overwrite=False)
