"""A store before it is read: whatever is not as it was written is named."""

from collections.abc import Collection
from typing import NamedTuple

from memjax.checks import InputError
from memjax.storage import Place, listing
from memjax.store.design import CREATED, Design, read_design
from memjax.store.inspection import (
    MAKE_AGAIN,
    further_metrics,
    inspect_chunks,
    lost_metrics,
    metadata_faults,
    root_fault,
    small_variables,
)
from memjax.store.layout import group_place, progress_place
from memjax.store.markers import DamagedError, has_sums, marked_chunks, marker_file
from memjax.store.writer import Writer, identity_of_attributes

AGAIN = "run the same sweep again, which measures again what is damaged"


def found_design(root: Place, group: str) -> Design | None:
    """A group's design as it was kept or, of an earlier version, as far as its attributes tell it; None where nothing does.

    Raises:
        DamagedError: it is not as it was written.
        InputError: it can't be read.
    """
    if (kept := read_design(root, group)) is not None:
        return kept
    file = progress_place(root, group) / CREATED
    if not file.is_file() and not marked_chunks(root, group):
        return None  # a store by itself, without the folder of the run that made it
    if has_sums(root, group):
        raise DamagedError(f"{file}: {'empty' if file.is_file() else 'lost'}; {AGAIN}", "out")
    identity = identity_of_attributes(root, group)
    return Design(identity, {name: {} for name in identity["variables"]}, {"image": "", "memorability": ""})


def verify_group(root: Place, group: str, names: Collection[str] | None = None, forget: bool = False) -> None:
    """Refuse a group that is not as it was written.

    Args:
        root: the run's folder.
        group: see `memjax.naming.group_name`.
        names: of the variables to verify; None: all but very large token vectors.
        forget: take the markers of damaged chunks away, so that the sweep, run again, measures them whatever it verifies.

    Raises:
        DamagedError: naming what is damaged.
        InputError: the sweep was not run to its end, or something can't be read.
    """
    design, where = found_design(root, group), group_place(root, group)
    if design is None:
        return
    own = [name for name in (design.variables if names is None else names) if name in design.variables]
    if faults := metadata_faults(root, group, design, own):
        raise DamagedError(
            f"{where}: {'; '.join(f'{name} {fault}'.strip() for name, fault in faults.items())}; {AGAIN}", "out"
        )
    further = further_metrics(root, group, design)
    state = inspect_chunks(root, group, design, small_variables(design) if names is None else own)
    writer = Writer(root, group, design.images, design.chunk)
    for chunk in state.damaged if forget else ():
        marker_file(root, group, chunk).unlink(missing_ok=True)
    if state.damaged:
        count = writer.images_in(state.damaged)
        raise DamagedError(f"{where}: {count} images are damaged ({state.whats}); {AGAIN}", "out")
    if state.missing:
        left = writer.images_in(state.missing)
        raise InputError(
            f"{where}: {left} of {design.images} images are not measured; run that sweep to its end", "out"
        )
    if broken := [f"{name} {fault}" for name, fault in further.items() if fault and (names is None or name in names)]:
        raise DamagedError(f"{where}: {'; '.join(broken)}; {MAKE_AGAIN}", "out")


class Findings(NamedTuple):
    """What is known of a group after everything in it was read.

    Attributes:
        damaged: what is not as it was written, or was not finished, a line each.
        remarks: what could not be verified, and files that are nobody's, a line each.
    """

    damaged: list[str]
    remarks: list[str]


def inspect_group(root: Place, group: str) -> Findings:
    """Read everything of a group, very large token vectors too, and change nothing.

    Raises:
        InputError: the system does not let something be read.
    """
    try:
        design = found_design(root, group)
    except DamagedError as error:
        return Findings([str(error).rpartition(";")[0]], [])
    if design is None:
        return Findings([], ["no markers beside it, so its values can't be verified"])
    faults = metadata_faults(root, group, design, design.variables)
    damaged = [f"{name or 'its own metadata'}: {fault}" for name, fault in faults.items()]
    damaged += [fault for fault in [root_fault(root, group)] if fault]
    if "" in faults:
        return Findings(damaged, [])
    state = inspect_chunks(root, group, design, [name for name in design.variables if name not in faults])
    writer = Writer(root, group, design.images, design.chunk)
    for chunk, what in state.damaged.items():
        span = writer.span(chunk)
        damaged.append(f"images {span.start} to {span.stop - 1}: not as they were written ({', '.join(what)})")
    if state.missing:
        damaged.append(f"{writer.images_in(state.missing)} of {design.images} images are not measured")
    damaged += [f"{name}: {fault}" for name, fault in further_metrics(root, group, design).items() if fault]
    damaged += lost_metrics(root, group, design)
    remarks = [f"{name}: nobody's file" for name in stray_files(root, group, writer.chunks)]
    if state.unverifiable:
        count = writer.images_in(state.unverifiable)
        remarks.append(f"{count} images were measured by a version that kept no checksums, so they can't be verified")
    return Findings(damaged, remarks)


def stray_files(root: Place, group: str, chunks: int) -> list[str]:
    """Names beside the markers that are no chunk's; they are passed over."""
    ours = {CREATED, *(f"{chunk:06d}.json" for chunk in range(chunks))}
    return [file.name for file in listing(progress_place(root, group), "*") if file.name not in ours]
