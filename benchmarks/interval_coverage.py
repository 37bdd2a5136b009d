"""How often do intervals hold the true correlation, with resamples drawn and with the bootstrap's linear part? Made-up images.

  python benchmarks/interval_coverage.py                     all methods, 300 and 2,000 images, with and without ties
  python benchmarks/interval_coverage.py --images 20000 --runs 100

The truth is the coefficient of a million images of the same distribution. Both intervals are of the same images; how far
their ends lie apart is given in widths of the interval. Above `memjax.stats.correlation.EXACT_IMAGES` only the second is used.
"""

import dataclasses

import numpy as np

from memjax.cli.arguments import read_arguments, run_main
from memjax.stats.correlation import correlate
from memjax.stats.influence import INFLUENCES, half_width, ranked

TRUTH = 1_000_000


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is simulated."""

    images: tuple[int, ...] = (300, 2_000)
    """Images of a data set."""
    methods: tuple[str, ...] = ("spearman", "pearson", "kendall")
    """Correlation coefficients."""
    runs: int = 400
    """Data sets of each kind."""
    n_boot: int = 500
    """Resamples of the first interval."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A distribution of measure and score: how strong their relation, how many distinct scores, how heavy the tails."""

    slope: float
    decimals: int | None
    heavy: bool

    def draw(self, rng: np.random.Generator, runs: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Measures and scores, ``[runs, n]`` each."""
        score, noise = rng.standard_normal((runs, n)), rng.standard_normal((runs, n))
        measure = self.slope * score + noise * (np.abs(score) if self.heavy else 1)
        return measure, score if self.decimals is None else score.round(self.decimals)

    def __str__(self) -> str:
        ties = "no ties" if self.decimals is None else f"scores of {self.decimals} decimals"
        return f"slope {self.slope:g}, {ties}, {'spread grows with the score' if self.heavy else 'normal'}"


KINDS = (Kind(0, None, False), Kind(0, 0, True), Kind(0.5, 1, False), Kind(2.0, None, True))


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    print("| method | images | distribution | rho | coverage, drawn | coverage, linear | ends apart (widths) |")
    print("|---|---|---|---|---|---|---|")
    for method in args.methods:
        for kind in KINDS:
            truth = true_value(kind, method)
            for n in args.images:
                print(
                    f"| {method} | {n:,} | {kind} | {truth:.3f} | {compared(kind, method, n, truth, args)} |",
                    flush=True,
                )
    return 0


def true_value(kind: Kind, method: str) -> float:
    """Of very many images."""
    x, y = kind.draw(np.random.default_rng(99), 1, TRUTH)
    return float(correlate(x.T, y[0], method, n_boot=0).rho[0])


def compared(kind: Kind, method: str, n: int, truth: float, args: Arguments) -> str:
    """The last three cells of a row."""
    x, y = kind.draw(np.random.default_rng(n), args.runs, n)
    drawn = np.array([drawn_ends(*pair, method, args.n_boot) for pair in zip(x, y)])
    linear = np.array([linear_ends(*pair, method) for pair in zip(x, y)])
    held = [((found[:, 0] <= truth) & (truth <= found[:, 1])).mean() for found in (drawn, linear)]
    apart = np.abs(drawn - linear).mean() / np.diff(drawn, axis=1).mean()
    return f"{held[0]:.3f} | {held[1]:.3f} | {apart:.3f}"


def drawn_ends(x: np.ndarray, y: np.ndarray, method: str, n_boot: int) -> tuple[float, float]:
    """Of the interval from resamples."""
    found = correlate(x[:, None], y, method, n_boot)
    return float(found.ci_low[0]), float(found.ci_high[0])


def linear_ends(x: np.ndarray, y: np.ndarray, method: str) -> tuple[float, float]:
    """Of the interval from the linear part."""
    rho = float(correlate(x[:, None], y, method, n_boot=0).rho[0])
    half = half_width(INFLUENCES[method](x, y, ranked(x), ranked(y)), 0.95)
    return rho - half, rho + half


if __name__ == "__main__":
    run_main(main)
