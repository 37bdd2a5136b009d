"""A store before it is read: whatever is not as it was written is named."""

from collections.abc import Collection

from memjax.checks import InputError
from memjax.storage import Place
from memjax.store.design import CREATED, Design, read_design
from memjax.store.inspection import further_metrics, inspect_chunks, metadata_faults, small_variables
from memjax.store.layout import group_place, progress_place
from memjax.store.markers import DamagedError, marked_chunks, marker_file
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
    if not (progress_place(root, group) / CREATED).is_file() and not marked_chunks(root, group):
        return None  # a store by itself, without the folder of the run that made it
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
    if faults := metadata_faults(root, group, design):
        raise DamagedError(
            f"{where}: {'; '.join(f'{name} {fault}'.strip() for name, fault in faults.items())}; {AGAIN}", "out"
        )
    further = further_metrics(root, group, design)
    own = [name for name in (small_variables(design) if names is None else names) if name in design.variables]
    state = inspect_chunks(root, group, design, own)
    writer = Writer(root, group, design.images, design.chunk)
    for chunk in state.damaged if forget else ():
        marker_file(root, group, chunk).unlink(missing_ok=True)
    if state.damaged:
        whats = ", ".join(sorted({what for found in state.damaged.values() for what in found}))
        raise DamagedError(f"{where}: {writer.images_in(state.damaged)} images are damaged ({whats}); {AGAIN}", "out")
    if state.missing:
        left = writer.images_in(state.missing)
        raise InputError(
            f"{where}: {left} of {design.images} images are not measured; run that sweep to its end", "out"
        )
    if broken := [f"{name} {fault}" for name, fault in further.items() if fault and (names is None or name in names)]:
        again = "run the autoencoders or baselines that made it again"
        raise DamagedError(f"{where}: {'; '.join(broken)}; {again}", "out")
