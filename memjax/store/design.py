"""What a group is to hold, known before its first value: axes of each variable, checksums of the coordinates, its identity.

``progress/<group>/created`` keeps it, with its own checksum, and marks that the group was created whole: with it a group
whose metadata are damaged can be told from another run's, and made anew. It is empty in stores of version 0.2 and before,
until a sweep opens them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from memjax.checks import unreadable
from memjax.seals import seal_holds, sealed
from memjax.storage import Place, write_atomically
from memjax.store.layout import Variable, images_per_file, progress_place
from memjax.store.markers import DamagedError
from memjax.store.sums import texts_sum, values_sum

CREATED = "created"

Coordinates = dict[str, tuple[str, np.ndarray]]
"""Name -> its one dimension, and its values."""


@dataclass(frozen=True)
class Design:
    """See the module.

    Attributes:
        identity: everything that makes the numbers what they are, JSON types.
        variables: name -> sizes of the axes after ``image``.
        coordinates: name -> checksum of its values.
        strict: every marker has checksums; not so where an earlier version began the group.
    """

    identity: Mapping[str, object]
    variables: Mapping[str, Mapping[str, int]]
    coordinates: Mapping[str, str] = field(default_factory=dict)
    strict: bool = True

    @property
    def images(self) -> int:
        return int(str(self.identity["images"]))

    @property
    def chunk(self) -> int:
        """Images per chunk."""
        return int(str(self.identity["chunk"]))

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a variable's array."""
        return (self.images, *self.variables[name].values())

    def files(self, name: str) -> tuple[int, ...]:
        """Shape of what one file of a variable's array holds."""
        return (images_per_file(self.chunk, self.shape(name)[1:]), *self.shape(name)[1:])


def coordinates_of(
    table: pd.DataFrame, variables: Mapping[str, Variable], patch_layers: list[int] | None
) -> Coordinates:
    """Ids and scores of a data set's table, and the numbers of the layers."""
    layers = next((v.sizes["layer"] for v in variables.values() if "layer" in v.sizes), 0)
    found: Coordinates = {
        "image": ("image", table.index.to_numpy(dtype=object)),
        "memorability": ("image", table["memorability"].to_numpy(np.float64)),
        "layer": ("layer", np.arange(layers, dtype=np.int64)),
    }
    return found | ({"patch_layer": ("patch_layer", np.array(patch_layers, np.int64))} if patch_layers else {})


def coordinate_sum(values: np.ndarray) -> str:
    """Checksum of a coordinate, text or numbers."""
    return values_sum(values) if values.dtype.kind in "fiu" else texts_sum(map(str, values))


def design_of(identity: Mapping[str, object], variables: Mapping[str, Variable], coordinates: Coordinates) -> Design:
    """Of a group that is about to be made; ``identity`` has ``images`` and ``chunk``."""
    sizes = {name: dict(variable.sizes) for name, variable in variables.items()}
    sums = {name: coordinate_sum(values) for name, (_, values) in coordinates.items()}
    return Design(json.loads(json.dumps(identity)), sizes, sums)


def write_design(root: Place, group: str, design: Design) -> None:
    """Keep it; that marks that the group is there."""
    record = {
        "identity": design.identity,
        "variables": {name: list(sizes.items()) for name, sizes in design.variables.items()},
        "coordinates": dict(design.coordinates),
        "strict": design.strict,
    }
    write_atomically(progress_place(root, group) / CREATED, json.dumps(sealed(record)))


def read_design(root: Place, group: str) -> Design | None:
    """What `write_design` kept; None where there is none, or an earlier version made the group.

    Raises:
        DamagedError: it is not as it was written.
        InputError: it can't be read.
    """
    file = progress_place(root, group) / CREATED
    try:
        text = file.read_text(encoding="utf-8")
        if not text:
            return None
        found = json.loads(text)
        if not isinstance(found, dict) or not seal_holds(found):
            raise ValueError("its checksum does not fit")
        variables = {name: dict(sizes) for name, sizes in found["variables"].items()}
        return Design(found["identity"], variables, found["coordinates"], found["strict"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedError(f"{file}: not as it was written ({error}); run the same sweep again", "out") from error
    except OSError as error:
        raise unreadable(file, error) from error
