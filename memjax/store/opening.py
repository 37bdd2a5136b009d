"""What a group is opened for: whose images, which variables, under which identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from memjax.datasets import Dataset
from memjax.storage import Place
from memjax.store.design import Coordinates, Design, coordinates_of, design_of
from memjax.store.layout import Variable
from memjax.store.writer import Writer, full_identity


@dataclass(frozen=True)
class Opening:
    """What a group is opened for.

    Attributes:
        root, group: where it lies.
        dataset: whose images are measured.
        variables: what is kept, by name.
        identity: everything that makes the numbers what they are, JSON types.
        chunk: images per chunk.
    """

    root: Place
    group: str
    dataset: Dataset
    variables: Mapping[str, Variable]
    identity: Mapping[str, Any]
    chunk: int

    @property
    def arguments(self) -> tuple[Place, str, pd.DataFrame, Mapping[str, Variable], Mapping[str, Any], int]:
        """Of `memjax.store.open_writer`."""
        return self.root, self.group, self.dataset.table, self.variables, self.identity, self.chunk

    @property
    def whole_identity(self) -> dict[str, Any]:
        return full_identity(self.identity, self.dataset.table, self.variables, self.chunk)

    @cached_property
    def coordinates(self) -> Coordinates:
        return coordinates_of(self.dataset.table, self.variables, self.identity.get("patch_layers"))

    @cached_property
    def design(self) -> Design:
        return design_of(self.whole_identity, self.variables, self.coordinates)

    @property
    def writer(self) -> Writer:
        return Writer(self.root, self.group, len(self.dataset), self.chunk)
