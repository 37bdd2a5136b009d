"""Places in what is kept of an image: which encoder's, which variable, which index of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class Place(NamedTuple):
    """Where something stands.

    Attributes:
        model: the encoder's name.
        name: of the variable.
        index: in one image's values: ``(layer,)`` of token vectors, which have a width behind it; of a metric its one number.
    """

    model: str
    name: str
    index: tuple[int, ...]

    @property
    def text(self) -> str:
        """As a file has it.

        Example:
            >>> Place("memjax/tiny", "cls", (5,)).text, Place.of("cls:5:memjax/tiny").index
            ('cls:5:memjax/tiny', (5,))
        """
        return f"{self.name}:{'.'.join(map(str, self.index))}:{self.model}"

    @classmethod
    def of(cls, text: object) -> "Place":
        """What `text` gave. Raises `ValueError` for anything else."""
        name, index, model = str(text).split(":", 2)
        return cls(model, name, tuple(map(int, index.split("."))) if index else ())


def values_at(
    values: Mapping[str, Mapping[str, Float[np.ndarray, "n ..."]]], places: Sequence[Place]
) -> Float[np.ndarray, "n k"]:
    """The values at some places, side by side.

    Example:
        >>> values_at({"m": {"cls": np.array([[[1.0, 2.0], [3.0, 4.0]]])}}, [Place("m", "cls", (1,))]).tolist()
        [[3.0, 4.0]]
    """
    columns = [values[model][name][(slice(None), *index)] for model, name, index in places]
    return np.concatenate([x[:, None] if x.ndim == 1 else x for x in columns], axis=1)


def image_values_at(values: Mapping[str, Float[Array, "..."]], places: Sequence[Place]) -> list[Float[Array, " _"]]:
    """The same of one image and one encoder."""
    return [values[name][index].reshape(-1) for _, name, index in places]
