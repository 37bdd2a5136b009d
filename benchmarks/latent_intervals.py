"""Do the intervals and q of an atlas of latents hold what they say? Made-up sparse latents: mostly 0, some of them rare.

  python benchmarks/latent_intervals.py                       coverage by firings, and false discoveries; minutes
  python benchmarks/latent_intervals.py --images 5000 --runs 400

A latent fires where a normal variable that has the correlation of `slope` with the score passes a threshold, with lognormal
values. The truth is rho of two million images of the same distribution. For false discoveries, latents of one autoencoder share
eight factors, so that they are not independent; none, or a tenth of them, goes with the score.
"""

import dataclasses

import numpy as np
import scipy.stats

from memjax.cli.arguments import read_arguments, run_main
from memjax.latents.scoring import rho_of
from memjax.stats.correlation import benjamini_hochberg
from memjax.stats.influence import ranked, ranked_sparse

TRUTH, FACTORS = 2_000_000, 8


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is simulated."""

    images: tuple[int, ...] = (300, 1_316)
    """Scored images."""
    firings: tuple[int, ...] = (5, 10, 20, 30, 100)
    """Images that a latent fires for, on average."""
    slopes: tuple[float, ...] = (0.0, 0.3, 0.7)
    """Correlations of what drives a latent with the score."""
    runs: int = 1_000
    """Data sets of each kind."""
    latents: int = 256
    """Of an autoencoder, for false discoveries."""


def draw(rng: np.random.Generator, n: int, rate: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """A latent and the score, ``[n]`` each."""
    score = rng.standard_normal(n)
    return sparse(slope * score + np.sqrt(1 - slope**2) * rng.standard_normal(n), rate), score


def sparse(drive: np.ndarray, rate: float) -> np.ndarray:
    """What fires for a share ``rate`` of a normal variable."""
    return np.where(drive > scipy.stats.norm.ppf(1 - rate), np.exp(drive), 0.0)


def correlated(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, int]:
    """Rho, the ends of its interval, and firings."""
    fires = np.flatnonzero(x)
    fires = fires[np.argsort(x[fires], kind="stable")]
    return *rho_of(ranked_sparse(fires, x[fires], len(x)), ranked(y), len(fires)), len(fires)


def coverage(n: int, firings: int, slope: float, runs: int) -> float:
    """Share of the intervals that hold the true rho."""
    truth = (
        scipy.stats.spearmanr(*draw(np.random.default_rng(7), TRUTH, firings / n, slope)).statistic if slope else 0.0
    )
    rng, held = np.random.default_rng(0), []
    for _ in range(runs):
        _, low, high, fires = correlated(*draw(rng, n, firings / n, slope))
        held += [low <= truth <= high] if fires >= 2 else []
    return float(np.mean(held))


def false_discoveries(n: int, latents: int, share: float, runs: int, least: int = 20) -> tuple[float, float]:
    """Share of data sets with any latent of q < 0.05 that does not go with the score; mean share of those among all found."""
    rng, some, shares = np.random.default_rng(1), [], []
    true = np.arange(latents) < share * latents
    for _ in range(runs):
        score, common = rng.standard_normal(n), rng.standard_normal((n, FACTORS))
        loads = rng.normal(0, 0.7 / np.sqrt(FACTORS), (FACTORS, latents))
        drive = common @ loads + rng.standard_normal((n, latents)) + 0.3 * true * score[:, None]
        rates = np.exp(rng.uniform(np.log(5 / n), np.log(0.5), latents))
        columns = [sparse(column, rate) for column, rate in zip((drive / drive.std(axis=0)).T, rates, strict=True)]
        found = [correlated(column, score) for column in columns]
        rho = np.array([one[0] if one[3] >= least else np.nan for one in found])
        p = 2 * scipy.stats.t.sf(np.abs(rho * np.sqrt((n - 2) / (1 - rho**2))), n - 2)
        q = benjamini_hochberg(p) < 0.05
        some.append(bool((q & ~true).any()))
        shares.append((q & ~true).sum() / max(q.sum(), 1))
    return float(np.mean(some)), float(np.mean(shares))


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    print("| images | firings | " + " | ".join(f"slope {slope:g}" for slope in args.slopes) + " |")
    print("|---" * (2 + len(args.slopes)) + "|")
    for n in args.images:
        for firings in args.firings:
            found = [coverage(n, firings, slope, args.runs) for slope in args.slopes]
            print(f"| {n:,} | {firings} | " + " | ".join(f"{value:.3f}" for value in found) + " |", flush=True)
    print("\n| images | latents that go with the score | data sets with a false one | false among those found |")
    print("|---|---|---|---|")
    for n in args.images:
        for share in (0.0, 0.1):
            some, mean = false_discoveries(n, args.latents, share, max(1, args.runs // 5))
            print(f"| {n:,} | {share:.0%} | {some:.3f} | {mean:.3f} |", flush=True)
    return 0


if __name__ == "__main__":
    run_main(main)
