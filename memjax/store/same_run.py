"""Is a group that lies there this run's? Its identity, kept in two places, against the one of now; images that came or went."""

from typing import Any

import numpy as np

from memjax.datasets.content import deep_images
from memjax.storage import Place
from memjax.store.identity import SHOWN, another_run, check_identity, table_differences
from memjax.store.inspection import array_of, coordinate_fault, open_arrays, read_design_or_none
from memjax.store.markers import DamagedError, Marker, marker_file, read_marker
from memjax.store.opening import Opening
from memjax.store.writer import identity_of_attributes, stored_identity

DECODING = "decoding"
"""Key of an identity: `memjax.decoding.VERSION`. Version 0.2 had none."""


def known_identity(root: Place, group: str) -> dict[str, Any] | None:
    """From beside the markers or, where that is damaged, from the group's attributes; None where both are lost."""
    for read in (stored_identity, identity_of_attributes):
        try:
            return read(root, group)
        except DamagedError:
            continue
    return None


def check_same_run(opening: Opening, stored: dict[str, Any]) -> None:
    """Refuse another run's group. Other contents of the same images are no other run: those are measured again.

    A store of version 0.2, which does not say how images were decoded, is gone on with unless one of its images is grey of
    more than 8 bits: only those have other pixels since.

    Raises:
        InputError: naming what differs: images that came or went, scores, settings, weights.
    """
    root, group, now = opening.root, opening.group, opening.whole_identity
    if stored.get("fingerprint") != now.get("fingerprint") or stored["images"] != now["images"]:
        check_identity(root, group, stored, now, ("fingerprint", "images", DECODING))
        if differ := _table_differences(opening):
            was, are = stored["images"], now["images"]
            counts = [] if was == are else [f"images was {was}, now {are}"]
            raise another_run(root, group, "; ".join([*counts, *differ]))
    but = ["fingerprint"] if all(marker.contents for marker in whole_markers(opening).values()) else []
    if DECODING not in stored and DECODING in now:
        but.append(DECODING)
        if deep := deep_images(opening.dataset):
            shown = f"{', '.join(deep[:SHOWN])}{', ..' if len(deep) > SHOWN else ''}"
            raise another_run(root, group, f"before deep grey was read by its range, which concerns {shown}")
    check_identity(root, group, stored, now, but)


def _table_differences(opening: Opening) -> list[str]:
    """How the data set's table differs from the store's; empty where the store's is damaged."""
    kept = read_design_or_none(opening.root, opening.group)
    try:
        opened = open_arrays(opening.root, opening.group)
    except DamagedError:
        return []
    found = []
    for name in ("image", "memorability"):
        array = array_of(opened, name)
        if coordinate_fault(opened, name, kept.coordinates.get(name, "") if kept else "") or isinstance(array, str):
            return []
        found.append(np.asarray(array[:]))
    ids = [str(image) for image in found[0]]
    whole = len(set(ids)) == len(ids) == len(found[1])
    return table_differences(ids, found[1], opening.dataset.table) if whole else []


def whole_markers(opening: Opening) -> dict[int, Marker]:
    """Chunk -> its marker, of those that are as they were written."""
    found = {}
    for chunk in opening.writer.done():
        try:
            found[chunk] = read_marker(marker_file(opening.root, opening.group, chunk))
        except DamagedError:  # measured again: `memjax.store.mending` says so
            continue
    return found
