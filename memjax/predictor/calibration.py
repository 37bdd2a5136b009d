"""How far predictions are from human scores: intervals from out-of-fold residuals.

An image that comes from where the others came from has a residual that is exchangeable with theirs, so the interval between two
quantiles of theirs covers its score as often as it says, whatever their distribution is (Vovk 2015; Barber et al. 2021, Ann.
Statist. 49, who show for residuals of cross-validation at least 1 - 2 (1 - level) in the worst case and about the level in
practice). The quantiles are of both signs, since scores are skewed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from memjax.checks import expected

LEVEL = 0.95
"""Coverage of an interval, by default."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """Human score less out-of-fold prediction.

    Attributes:
        ordered: of all repeats, ascending.
        images: how many they are of.
    """

    ordered: Float[np.ndarray, " _"]
    images: int

    @classmethod
    def of(cls, by_repeat: Float[np.ndarray, "q n"]) -> "Residuals":
        """From the residuals of repeated partitions of the same images."""
        return cls(np.sort(by_repeat.ravel()), by_repeat.shape[1])

    def ends(self, level: float = LEVEL) -> tuple[float, float]:
        """What is to be added to a prediction for the ends of its interval.

        Args:
            level: its coverage; what lies outside is as much below as above.

        Raises:
            InputError: a level that is no share, or that so few images cannot give.

        Example:
            >>> Residuals(np.arange(-9.0, 10.0), 19).ends(0.9)
            (-9.0, 9.0)
        """
        if not 0 < level < 1:
            raise expected("level", "a number between 0 and 1", level, argument="level")
        if not self.give(level):
            most = 1 - 2 / (self.images + 1)
            raise expected(
                "level", f"at most {most:.3f}, with {self.images} images to calibrate on", level, argument="level"
            )
        share = (1 - level) / 2 * (self.images + 1) / self.images  # of a new image among these
        outside = int(share * len(self.ordered) + 1e-9)
        return float(self.ordered[outside - 1]), float(self.ordered[-outside])

    def give(self, level: float) -> bool:
        """Whether there are enough images for intervals of a level: one or more on each side."""
        return (1 - level) / 2 * (self.images + 1) >= 1 - 1e-9


def coverage_of(residuals: Float[np.ndarray, " n"], folds: Int[np.ndarray, " n"], level: float = LEVEL) -> float:
    """Share of the images whose score lies in its interval, each fold's intervals being of the residuals of the others; NaN where
    those are too few.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> round(coverage_of(rng.normal(size=5000), np.arange(5000) % 5), 2)
        0.95
    """
    inside = np.zeros(len(residuals), bool)
    for fold in np.unique(folds):
        here = folds == fold
        others = Residuals.of(residuals[~here][None])
        if not others.give(level):
            return float("nan")
        low, high = others.ends(level)
        inside[here] = (low <= residuals[here]) & (residuals[here] <= high)
    return float(inside.mean())
