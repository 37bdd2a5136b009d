"""A source read through once: its records, and the table, the rejected images and the fingerprint of what was read."""

import hashlib
from collections.abc import Iterator
from typing import TypeAlias, TypedDict

import numpy as np

from memjax.datasets.base import Failure, Source, Spec, fingerprint
from memjax.decoding import ImageError

Example: TypeAlias = dict[str, str | bytes | float | np.ndarray]
"""One record: ``image`` (id), ``data`` (bytes of the file), the columns of the table, and ``halves`` where there are any."""


class Metadata(TypedDict, total=False):
    """What is known of a source that was read through; JSON types.

    Attributes:
        table: columns of `Dataset.table`, and ``image``.
        halves: as in `Dataset`, nested lists.
        listed: how many images there are, used or not.
        rejected: `Failure` as lists.
        form: as in `Source`.
        fingerprint: SHA-256 in hex.
        rows: of the source that are used; where no copy was made.
    """

    table: dict[str, list[str] | list[float]]
    halves: list[list[list[float]]] | None
    listed: int
    rejected: list[list[str]]
    form: str
    fingerprint: str
    rows: list[int]


def examples(spec: Spec, source: Source, metadata: Metadata) -> Iterator[tuple[int, Example]]:
    """The record of every image that can be read, with its row; what is known of them all comes last.

    Args:
        metadata: filled when the last record has been taken.
    """
    digest, kept, rejected = hashlib.sha256(fingerprint(spec.name, spec.version).encode()), [], list(source.rejected)
    for row, image in enumerate(source.table.index):
        try:
            data = source.read(row)
        except ImageError as error:
            rejected.append(Failure(image, error.stage, str(error)))
            continue
        fields = {name: source.table[name].iloc[row] for name in source.table}
        digest.update(fingerprint(image, *fields.values(), hashlib.sha256(data).hexdigest()).encode())
        if source.halves is not None:
            fields["halves"] = np.ascontiguousarray(source.halves[:, :, row], np.float64)
        kept.append(row)
        yield row, {"image": image, "data": data, **fields}
    table = source.table.iloc[kept]
    metadata["table"] = {"image": table.index.tolist()} | {name: table[name].tolist() for name in table}
    metadata["halves"] = None if source.halves is None else source.halves[:, :, kept].tolist()
    metadata["listed"] = len(source.table) + len(source.rejected)
    metadata["rejected"] = [list(failure) for failure in rejected]
    metadata["form"] = source.form
    metadata["fingerprint"] = digest.hexdigest()
