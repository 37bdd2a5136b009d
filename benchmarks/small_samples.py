"""Do p, intervals and the tests of the strongest correlation hold what they promise? Made-up images of known correlations.

  python benchmarks/small_samples.py                    three tables, a few minutes
  python benchmarks/small_samples.py --images 12 --runs 2000

Normal pairs, and heavy ones: of Student's t with three degrees of freedom. The paired tests are of two measures that are equally
correlated with the score; ours is `memjax.stats.strongest`'s, from the images' influences.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from memjax.cli.arguments import read_arguments, run_main
from memjax.stats.correlation import coefficients
from memjax.stats.dependent import meng, williams
from memjax.stats.exact import reported
from memjax.stats.strongest import FEWEST, against_rivals

TRUTH, LEVEL = 200_000, 0.05
PAIRS = ((0.0, 0.6), (0.3, 0.6), (0.6, 0.6), (0.8, 0.95))
"""Correlations of two measures with the score, and with each other."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is simulated."""

    images: tuple[int, ...] = (7, 12, 25, 60, 250)
    """Images of a data set."""
    methods: tuple[str, ...] = ("spearman", "pearson", "kendall")
    """Correlation coefficients."""
    runs: int = 400
    """Data sets of each kind."""
    n_boot: int = 300
    """Resamples of an interval."""


def drawn(rng: np.random.Generator, covariance: np.ndarray, n: int, heavy: bool) -> np.ndarray:
    """Measures, and the score as the last column."""
    x = rng.normal(size=(n, len(covariance))) @ np.linalg.cholesky(covariance).T
    return x * np.sqrt(3 / rng.chisquare(3, size=(n, 1))) if heavy else x


def pair(rho: float) -> np.ndarray:
    return np.array([[1, rho], [rho, 1.0]])


def covered(args: Arguments, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Rows: method, images, tails, rho, share of p below the level, share of intervals that hold rho, their width."""
    for method in args.methods:
        for heavy in (False, True):
            for rho in (0.0, 0.3, 0.6, 0.9):
                sizes = 5_000 if method == "kendall" else TRUTH
                x, y = drawn(rng, pair(rho), sizes, heavy).T
                true = 2 / np.pi * np.arcsin(rho) if method == "kendall" else coefficients(x[:, None], y, method)[0][0]
                for n in args.images:
                    sets = (drawn(rng, pair(rho), n, heavy).T for _ in range(args.runs))
                    found = [reported(x[:, None], y, method, args.n_boot) for x, y in sets]
                    p, low, high = (
                        np.array([getattr(f, name)[0] for f in found]) for name in ("p", "ci_low", "ci_high")
                    )
                    known = np.isfinite(low)
                    held = ((low <= true) & (true <= high))[known].mean()
                    yield (
                        method,
                        n,
                        "heavy" if heavy else "normal",
                        rho,
                        (p < LEVEL).mean(),
                        held,
                        (high - low)[known].mean(),
                    )


def paired(args: Arguments, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Rows: method, images, tails, correlations, share of p below the level: ours, Williams', Meng's."""
    for method in args.methods:
        for heavy in (False, True):
            for rho, between in PAIRS:
                covariance = np.array([[1, between, rho], [between, 1, rho], [rho, rho, 1]])
                for n in (n for n in args.images if n >= FEWEST):
                    p = [_three(drawn(rng, covariance, n, heavy), method) for _ in range(args.runs)]
                    yield (
                        method,
                        n,
                        "heavy" if heavy else "normal",
                        f"{rho}, {between}",
                        *(np.array(p) < LEVEL).mean(axis=0),
                    )


def _three(x: np.ndarray, method: str) -> tuple[float, float, float]:
    """p of a pair: ours, Williams', Meng's."""
    y, n = x[:, 2], len(x)
    (one, other), _ = coefficients(x[:, :2], y, method)
    (between,), _ = coefficients(x[:, :1], x[:, 1], method)
    ours = against_rivals(x[:, :2], y, np.ones(2), method)["p"][1]
    return float(ours), williams(one, other, between, n).p, meng(one, other, between, n).p


def lost(args: Arguments, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Rows: measures, images, by how much the truly strongest leads, how often it is put below the one that came out first, and
    how often any is.
    """
    for k in (2, 10, 60):
        for lead in (0.0, 0.03):
            covariance = np.full((k + 1, k + 1), 0.6) + 0.4 * np.eye(k + 1)
            covariance[k, :k] = covariance[:k, k] = np.where(np.arange(k) == 0, 0.3, 0.3 - lead)
            for n in (n for n in args.images if n >= FEWEST):
                below = np.zeros((args.runs, k), bool)
                for run in range(args.runs):
                    x = drawn(rng, covariance, n, heavy=False)
                    rho, _ = coefficients(x[:, :k], x[:, k], "spearman")
                    order = np.argsort(-np.abs(rho))
                    p = against_rivals(x[:, order], x[:, k], np.sign(rho[order]), "spearman")["p_holm"]
                    below[run, order] = p < LEVEL
                yield k, n, lead, below[:, 0].mean(), below.any(axis=1).mean()


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    tables = {
        "| method | images | tails | rho | p < 0.05 | covered | width |": covered,
        "| method | images | tails | rho, between | ours | Williams | Meng |": paired,
        "| measures | images | lead | truly strongest lost | any put below |": lost,
    }
    for heading, rows in tables.items():
        print(heading, "|" + "---|" * (heading.count("|") - 1), sep="\n")
        for row in rows(args, np.random.default_rng(0)):
            print("| " + " | ".join(f"{x:.3f}" if isinstance(x, float) else str(x) for x in row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    run_main(main)
