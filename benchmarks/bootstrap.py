"""How long do bootstrap intervals take, beside scipy's loop? Synthetic columns, no files.

  python benchmarks/bootstrap.py                             10,000 resamples of 222 columns x 10,000 images
  python benchmarks/bootstrap.py --n-boot 500 --columns 20   smaller

scipy's loop (`scipy.stats.spearmanr` of each column in each resample) is timed on a few resamples and scaled up. The
same resamples through both must give the same rho.
"""

import dataclasses
import time
from typing import Literal

import numpy as np
import scipy.stats

from memjax.checks import expected
from memjax.cli.arguments import read_arguments, run_main
from memjax.stats import resampling
from memjax.stats.correlation import bootstrap

SCIPY = {"spearman": scipy.stats.spearmanr, "pearson": scipy.stats.pearsonr, "kendall": scipy.stats.kendalltau}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Size of the problem."""

    images: int = 10_000
    """Rows."""
    columns: int = 222
    """Columns: layers x metrics x encoders (the paper's three encoders have 222)."""
    n_boot: int = 10_000
    """Bootstrap resamples."""
    method: Literal["spearman", "pearson", "kendall"] = "spearman"
    """Correlation coefficient."""
    scipy_resamples: int = 2
    """Resamples of scipy's loop that are timed."""


def main() -> int:
    args = read_arguments(Arguments, __doc__ or "")
    if min(args.images, args.columns, args.n_boot, args.scipy_resamples) < 1:
        raise expected("sizes", "1 or more", "less")
    x, y = problem(args.images, args.columns)
    started = time.perf_counter()
    bootstrap(x, y, args.method, args.n_boot, seed=0)
    ours = time.perf_counter() - started
    one, difference = scipy_loop(x, y, args.method, args.scipy_resamples)
    print(f"{args.method}, {args.n_boot} resamples of {args.columns} columns x {args.images} images")
    print(f"memjax  {ours:10.1f} s on {resampling.THREADS} threads, compilation included")
    scaled = one * args.n_boot
    print(
        f"scipy   {scaled:10.1f} s (scaled from {args.scipy_resamples} resamples of {one:.2f} s), {scaled / ours:.0f} x"
    )
    print(f"largest difference of rho on the same resamples: {difference:.1e}")
    return 0


def problem(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns that follow the score weakly; the scores have ties, as hit rates have."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=n).round(2)
    return rng.normal(size=(n, k)).astype(np.float32).astype(np.float64) + 0.2 * y[:, None], y


def scipy_loop(x: np.ndarray, y: np.ndarray, method: str, resamples: int) -> tuple[float, float]:
    """Seconds a resample, and the largest difference between scipy's rho and ours on the same resamples."""
    weights = resampling.bootstrap_weights(len(y), resamples, np.random.default_rng(0))
    started = time.perf_counter()
    theirs = []
    for w in weights.T.astype(int):
        rows = np.repeat(np.arange(len(y)), w)
        theirs.append([SCIPY[method](x[rows, j], y[rows]).statistic for j in range(x.shape[1])])
    seconds = (time.perf_counter() - started) / resamples
    return seconds, float(np.abs(resampling.KERNELS[method](x, y, weights) - np.array(theirs)).max())


if __name__ == "__main__":
    run_main(main)
