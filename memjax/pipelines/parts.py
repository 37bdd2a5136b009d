"""The finished parts of a run that takes long, each a sealed file, so that the same run goes on where it was interrupted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memjax.checks import InputError
from memjax.seals import seal_holds, sealed
from memjax.storage import read_json, write_atomically

MOST_BYTES = 2**30
"""Of a part's file."""


@dataclass(frozen=True)
class PartFiles:
    """Where the parts of one run lie.

    Attributes:
        folder: of one identity; the parts of another run lie beside it, and stay.
        identity: all that the parts depend on.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     files = PartFiles.of(Path(out), "parts", {"seed": 0})
        ...     files.write("first", {"values": [1.5]})
        ...     files.read("first")["values"], files.read("second")
        ([1.5], None)
    """

    folder: Path
    identity: Mapping[str, object]

    @classmethod
    def of(cls, out: Path, kind: str, identity: Mapping[str, object]) -> "PartFiles":
        """A folder below ``out / kind`` that is named by the identity."""
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return cls(out / kind / digest[:16], identity)

    def read(self, name: str) -> Mapping[str, object] | None:
        """A part that was finished; None where it is not there.

        Raises:
            InputError: it is not as it was written.
        """
        file = self.folder / f"{name}.json"
        if not file.is_file():
            return None
        found = read_json(file, MOST_BYTES)
        if not seal_holds(found) or found.get("identity") != dict(self.identity):
            raise InputError(f"{file}: not as it was written; delete it and run again", "out")
        return found

    def write(self, name: str, record: Mapping[str, object]) -> None:
        """Keep a finished part."""
        whole = sealed({**record, "identity": dict(self.identity)})
        write_atomically(self.folder / f"{name}.json", json.dumps(whole))
