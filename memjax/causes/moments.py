"""Mean and spread over images of what is too much to be kept of each, summed as the images come."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass
class CellMoments:
    """Of values that come in batches; a value that is not finite is left out of its cell.

    Attributes:
        n: how many values a cell has had.
        total: their sum.
        squares: the sum of their squares.

    Example:
        >>> found = CellMoments()
        >>> found.add(np.array([[1.0, np.nan]]))
        >>> found.add(np.array([[3.0, 5.0]]))
        >>> found.n.tolist(), found.mean.tolist(), round(float(found.sd[0]), 3)
        ([2, 1], [2.0, 5.0], 1.414)
    """

    n: Int[np.ndarray, "..."] = dataclasses.field(default_factory=lambda: np.zeros((), np.int64))
    total: Float[np.ndarray, "..."] = dataclasses.field(default_factory=lambda: np.zeros(()))
    squares: Float[np.ndarray, "..."] = dataclasses.field(default_factory=lambda: np.zeros(()))

    def add(self, values: Float[np.ndarray, "n ..."]) -> None:
        """A batch of images."""
        known = np.isfinite(values)
        exact = np.where(known, values, 0).astype(np.float64)
        self.n = self.n + known.sum(axis=0)
        self.total = self.total + exact.sum(axis=0)
        self.squares = self.squares + (exact**2).sum(axis=0)

    @property
    def mean(self) -> Float[np.ndarray, "..."]:
        """NaN where there was no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.total / self.n

    @property
    def sd(self) -> Float[np.ndarray, "..."]:
        """With n - 1; NaN of fewer than two values."""
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (self.squares - self.total**2 / self.n) / (self.n - 1)
        return np.sqrt(np.where(self.n > 1, np.maximum(spread, 0), np.nan))
