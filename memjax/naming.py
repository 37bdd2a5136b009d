"""Names of images, encoders and folders may hold anything; here they become what each place that shows or keeps them can hold.

Messages, tables and the terminal take `printable` (what rich would read as markup is escaped where it is printed), files
`file_stems`, groups of a store `group_name`. Figures leave out what no font has (`memjax.report.chart`), pages are escaped by
their template.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

STEM_BYTES = 120
"""Longest name of a figure's file or of a group, without what is appended to it; file systems allow 255 bytes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\:*?"<>|#%]')
"""What some file system, or an object store's address, has no place for."""
_RESERVED = re.compile(r"\.|__|zarr\.json$|(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Starts of names that a file system or the zarr format keeps for itself."""


def printable(name: str) -> str:
    """A name as one line of text that can be written as UTF-8: control characters and bytes that are no text escaped.

    Example:
        >>> printable("a\\n.png")
        'a\\\\n.png'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), as_utf8(name))


def as_utf8(text: str) -> str:
    """A text that can be written as UTF-8: bytes that are no text escaped.

    Example:
        >>> as_utf8("b\\udcff")
        'b\\\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def group_name(model: str) -> str:
    """The zarr group of an encoder: its name with ``/`` replaced.

    A name that cannot stand in a path on every system, or is too long, loses what is in the way and ends in eight digits
    of its SHA-256.

    Example:
        >>> group_name("facebook/dinov2-small"), group_name("zarr.json")
        ('facebook--dinov2-small', 'group-zarr.json-b03c070e')
    """
    return _safe(model, model.replace("/", "--"), "group-")


def file_stems(names: Iterable[str]) -> dict[str, str]:
    """Names of files for figures called after metrics, encoders and images: folders in one level, no extension of an image.

    A name that is too long for a file, cannot stand in a path on every system, or would be another's, ends in eight digits
    of its SHA-256.

    Example:
        >>> file_stems(["cls_mean", "attention_of_indoor/001.png"])
        {'cls_mean': 'cls_mean', 'attention_of_indoor/001.png': 'attention_of_indoor--001'}
    """
    plain = {name: _without_extension(name).replace("/", "--") for name in names}
    several = Counter(stem.casefold() for stem in plain.values())
    return {name: _safe(name, stem, "figure-", several[stem.casefold()] > 1) for name, stem in plain.items()}


def _without_extension(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name


def _safe(name: str, plain: str, front: str, marked: bool = False) -> str:
    """``plain``, if it can be part of a path everywhere; else what can be kept of it, and a mark of ``name``."""
    kept = _UNSAFE.sub("_", plain)
    kept = f"{front}{kept}" if _RESERVED.match(kept) or not kept else kept
    short = kept.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(" .")
    if short == plain and not marked:
        return plain
    return f"{short}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
