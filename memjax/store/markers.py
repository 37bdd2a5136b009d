"""The marker of a chunk that is done: what failed, checksums of the chunk's values, and which images they are of.

``progress/<group>/<chunk>.json``, written after the chunk's values. Its own checksum is in it. A marker of version 0.1 (the
failures alone) or 0.2 (without checksums) is read too; what it stands for cannot be verified.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from memjax.checks import InputError, unreadable
from memjax.datasets import Failure
from memjax.datasets.content import Content, Stamp
from memjax.seals import seal_holds, sealed
from memjax.storage import Place, listing, write_atomically
from memjax.store.layout import progress_place

_NAME = re.compile(r"\d{6,12}\.json")


class DamagedError(InputError):
    """A file of a feature store is not as it was written."""


@dataclass(frozen=True)
class Marker:
    """What is known of a chunk.

    Attributes:
        failures: its images that could not be used.
        turned: how many of its images were turned upright by their EXIF orientation.
        sums: variable -> `memjax.store.sums.values_sum` of its rows; None where an earlier version wrote it.
        contents: of its images, in order; empty where that is not known.
    """

    failures: list[Failure] = field(default_factory=list)
    turned: int = 0
    sums: Mapping[str, str] | None = None
    contents: Sequence[Content] = ()


def marker_file(root: Place, group: str, chunk: int) -> Place:
    """Where a chunk's marker lies."""
    return progress_place(root, group) / f"{chunk:06d}.json"


def marked_chunks(root: Place, group: str) -> list[int]:
    """The chunks that have a marker; files of any other name are nobody's and are passed over."""
    files = listing(progress_place(root, group), "*.json")
    return sorted(int(file.stem) for file in files if _NAME.fullmatch(file.name))


def write_marker(file: Place, marker: Marker) -> None:
    """Write it, whole or not at all."""
    record = {
        "failures": [list(failure) for failure in marker.failures],
        "turned": marker.turned,
        "sums": dict(marker.sums or {}),
        "contents": [[one.digest, one.stamp] for one in marker.contents],
    }
    write_atomically(file, json.dumps(sealed(record)))


def read_marker(file: Place) -> Marker:
    """A chunk's marker.

    Raises:
        DamagedError: it is not as it was written.
        InputError: it can't be read.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, list):  # version 0.1; no image was turned then
            return Marker(_failures(found))
        if not isinstance(found, dict) or seal_holds(found) is False:
            raise ValueError("its checksum does not fit")
        marker = Marker(_failures(found["failures"]), _count(found["turned"]))
        if seal_holds(found) is None:
            return marker
        contents = [Content(digest, _stamp(stamp)) for digest, stamp in found["contents"]]
        return Marker(marker.failures, marker.turned, found["sums"], contents)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedError(f"{file}: not a whole marker ({error}); run the same sweep again", "out") from error
    except OSError as error:
        raise unreadable(file, error) from error


def has_sums(root: Place, group: str) -> bool:
    """Whether a marker of a group has checksums: then the version that created the group kept its design beside them."""
    for chunk in marked_chunks(root, group):
        try:
            if read_marker(marker_file(root, group, chunk)).sums is not None:
                return True
        except DamagedError:  # another one may tell
            continue
    return False


def _failures(rows: object) -> list[Failure]:
    if not isinstance(rows, list):
        raise TypeError("its failures are no list")
    for row in rows:
        if not (isinstance(row, list) and len(row) == 3 and all(isinstance(text, str) for text in row)):
            raise ValueError("a failure is not three texts")
    return [Failure(*row) for row in rows]


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"a count of {value!r}")
    return value


def _stamp(value: list[int] | None) -> Stamp | None:
    return None if value is None else (value[0], value[1], value[2])


def images_turned(out: Place, group: str) -> int:
    """How many images of an encoder's group were turned upright by their EXIF orientation."""
    return sum(read_marker(marker_file(out, group, chunk)).turned for chunk in marked_chunks(out, group))
