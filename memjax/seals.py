"""Checksums of what memjax writes, so that what was damaged since is noticed: of a file, and of a JSON object inside it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from upath import UPath

SEAL = "sha256"
"""Key of an object's own checksum."""
BLOCK = 2**20
"""Bytes of a file that are read at once."""


def sealed(record: Mapping[str, object]) -> dict[str, object]:
    """A JSON object with the SHA-256 of all the rest in it.

    Example:
        >>> sorted(sealed({"a": 1}))
        ['a', 'sha256']
    """
    return {**record, SEAL: _sum(record)}


def sealed_text(record: Mapping[str, object]) -> str:
    """`sealed` as the text of a file, to be read by people too.

    Example:
        >>> seal_holds(json.loads(sealed_text({"a": 1})))
        True
    """
    return json.dumps(sealed(record), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def seal_holds(found: Mapping[str, object]) -> bool | None:
    """Whether an object is as `sealed` left it; None where it has no seal (earlier versions wrote none).

    Example:
        >>> seal_holds(sealed({"a": 1})), seal_holds({**sealed({"a": 1}), "a": 2}), seal_holds({"a": 1})
        (True, False, None)
    """
    if SEAL not in found:
        return None
    return found[SEAL] == _sum({name: value for name, value in found.items() if name != SEAL})


def _sum(record: Mapping[str, object]) -> str:
    """Over the object as JSON gives it back: with its keys sorted, tuples as lists."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def file_sum(file: Path | UPath) -> str:
    """SHA-256 of a file, in hex; it is read block by block.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
