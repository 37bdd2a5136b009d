"""How often the readout finds what is not there, and how often its interval holds what is: simulated studies.

Columns of correlated measures (their variances fall as 1/j), scores that are made of ten of their directions and noise. What
the interval should hold is the expected rho on new images of models that are fitted on as many images as the folds' are; it is
known, because the weights of such models and the population are. Bounds that a row must keep: mean rho of noise within 0.01 and
two of its own standard errors, false positives 2 to 8 %, coverage 92 to 98 %, each with two standard errors of so many studies.
"""

import functools
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from memjax.cli.arguments import read_arguments, run_main

DIRECTIONS = 10
"""Of the columns, that the scores are made of."""


@dataclass(frozen=True)
class Arguments:
    """What to simulate."""

    images: tuple[int, ...] = (60, 256, 2632)
    """Numbers of images."""
    columns: int = 100
    """Measures."""
    signals: tuple[float, ...] = (0.0, 0.3, 0.6)
    """Rho that the models should reach; 0: noise."""
    studies: int = 400
    """Simulated studies of a row."""
    groups: int = 0
    """Groups of images that are held out whole, with means of their own; 0: none."""
    shuffled_groups: bool = False
    """Whether the group labels mean nothing."""
    streamed: bool = False
    """Whether the columns are read in blocks, from sums over cells of images, as those of very many images are."""
    banded: bool = False
    """Whether the columns are of two encoders, half of them each, that are read with a penalty each."""
    one_encoder: bool = False
    """Whether the scores are made of directions of the first of them alone."""
    processes: int = os.cpu_count() or 1
    """Studies at once."""


@dataclass(frozen=True)
class World:
    """A population: columns are ``normal @ mixing``, scores ``signal * columns @ truth + noise``, variance 1."""

    mixing: np.ndarray
    truth: np.ndarray
    signal: float

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Columns and scores of ``n`` images."""
        x = rng.normal(size=(n, len(self.truth))) @ self.mixing
        return x, self.signal * (x @ self.truth) + np.sqrt(1 - self.signal**2) * rng.normal(size=n)

    def rho(self, weights: np.ndarray) -> np.ndarray:
        """Spearman's rho of models ``[f, k]`` with the scores, of the population: normal throughout, so from Pearson's r."""
        made, wanted = weights @ self.mixing.T, self.mixing @ self.truth
        norm = np.linalg.norm(made, axis=1)
        r = self.signal * (made @ wanted) / np.where(norm > 0, norm, 1)
        return 6 / np.pi * np.arcsin(r / 2)


def world(columns: int, signal: float, halves: bool = False) -> World:
    """The population of a signal: the correlation of the scores with the best combination of all columns.

    Args:
        columns: how many.
        signal: that correlation.
        halves: whether one half of the columns is as all are, and the other has nothing to do with the scores.
    """
    if halves:
        one = world(columns // 2, signal)
        nothing = np.zeros_like(one.mixing)
        return World(
            np.block([[one.mixing, nothing], [nothing, one.mixing]]), np.append(one.truth, 0 * one.truth), signal
        )
    rng = np.random.default_rng(5)
    variances = columns / np.arange(1, columns + 1) / np.sum(1 / np.arange(1, columns + 1))
    axes = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    direction = np.zeros(columns)
    direction[: min(DIRECTIONS, columns)] = rng.normal(size=min(DIRECTIONS, columns))
    mixing, truth = (axes * np.sqrt(variances)).T, axes @ (direction / np.sqrt(variances))
    return World(mixing, truth / np.linalg.norm(mixing @ truth), signal)


@dataclass(frozen=True)
class Grouping:
    """How many groups of images are held out whole (0: none), and whether their labels mean nothing."""

    groups: int = 0
    shuffled: bool = False

    def draw(self, of: World, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Columns, scores and labels; labels that mean something come with means of their own, of the scores and of a column."""
        x, y = of.draw(n, rng)
        if not self.groups:
            return x, y, None
        labels = rng.integers(0, self.groups, n)
        if not self.shuffled:
            means = rng.normal(size=(self.groups, 2))
            y, x[:, 0] = y + means[labels, 0], x[:, 0] + means[labels, 1]
        return x, y, labels


def reached(of: World, n: int, seed: int, grouping: Grouping) -> float:
    """Rho that models fitted on a study's folds have on new images, of groups on new images of one group."""
    from memjax.stats.nested import nested
    from memjax.stats.partitions import folds_of

    rng = np.random.default_rng([seed, n])
    x, y, labels = grouping.draw(of, n, rng)
    scale = x.std(axis=0)
    folds = folds_of(np.arange(n) if labels is None else np.unique(labels, return_inverse=True)[1], 5, rng)
    found = nested((x - x.mean(axis=0)) / scale, y[:, None], folds)
    return float(of.rho(found.weights / scale).mean())


def banded_study(seed: int, of: World, n: int) -> tuple[float, ...]:
    """Of columns of two encoders, half of them each, that are read with a penalty each."""
    from memjax.stats.repeats import ReadoutSettings, Study
    from memjax.stats.representations import BANDED, read_representations

    x, y = of.draw(n, np.random.default_rng([seed, n, 0]))
    vectors = {name: {"cls": own[:, None]} for name, own in zip("ab", np.array_split(x, 2, axis=1), strict=True)}
    settings = ReadoutSettings(permutations=99, seed=seed)
    table = read_representations(vectors, Study(y, np.arange(n), None), settings, penalties=True).table
    (found,) = table[table["token"] == BANDED].to_dict("records")
    return found["rho"], found["ci_low"], found["ci_high"], found["p"], banded_reached(of, n, seed)


def banded_reached(of: World, n: int, seed: int) -> float:
    """Rho that such models, fitted on a study's folds, have on new images."""
    from sklearn.linear_model import Ridge

    from memjax.stats.banded import banded
    from memjax.stats.left_out import from_products
    from memjax.stats.partitions import folds_of

    rng = np.random.default_rng([seed, n])
    x, y = of.draw(n, rng)
    scale, folds = x.std(axis=0) * np.sqrt(x.shape[1] / 2), folds_of(np.arange(n), 5, rng)
    z = (x - x.mean(axis=0)) / scale
    products = [own @ own.T for own in np.array_split(z, 2, axis=1)]
    known = [from_products(one, [y[:, None]], [folds]) for one in (products[0] + products[1], *products)]
    found = banded(products, [y[:, None]], [folds], known)
    weights = []
    for f, (place, penalty) in enumerate(zip(found.found[0].chosen[:, 0], found.penalties[0][:, 0], strict=True)):
        root = np.repeat(np.sqrt(found.weights[place]), x.shape[1] // 2)
        model = Ridge(alpha=penalty * n * 4 / 5).fit((z * root)[folds != f], y[folds != f])
        weights.append(model.coef_ * root / scale)
    return float(of.rho(np.array(weights)).mean())


def signal_for(rho: float, n: int, columns: int, studies: int = 40) -> float:
    """The signal at which models reach ``rho`` on average; found by halving."""
    if rho == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(7):
        middle = (low + high) / 2
        mean = np.mean([reached(world(columns, middle), n, seed, Grouping()) for seed in range(studies)])
        low, high = (middle, high) if mean < rho else (low, middle)
    return (low + high) / 2


def study(seed: int, of: World, n: int, grouping: Grouping) -> tuple[float, ...]:
    """One simulated study: rho, interval and p of its readout, and what the interval should hold."""
    from memjax.stats.readout import readout
    from memjax.stats.repeats import ReadoutSettings

    x, y, labels = grouping.draw(of, n, np.random.default_rng([seed, n, grouping.groups]))
    found = readout(x, y, labels, settings=ReadoutSettings(permutations=99, shuffles=0, seed=seed))
    return found.rho, found.ci_low, found.ci_high, found.p, reached(of, n, seed, grouping)


def streamed_study(seed: int, of: World, n: int) -> tuple[float, ...]:
    """The same of columns that are read in blocks; p is of the stack, of the same columns as one band."""
    from memjax.stats.banks import bank_of
    from memjax.stats.many_images import read_many
    from memjax.stats.repeats import ReadoutSettings, Study

    x, y = of.draw(n, np.random.default_rng([seed, n, 0]))
    bank = bank_of({"model": {"cls": lambda rows: x[rows][:, None]}}, y)
    table = read_many(bank, Study(y, np.arange(n), None), ReadoutSettings(permutations=99, seed=seed)).table
    single, stack = table.iloc[0], table.iloc[-1]
    return single["rho"], single["ci_low"], single["ci_high"], stack["p"], reached(of, n, seed, Grouping())


def row(arguments: Arguments, n: int, rho: float, pool: ProcessPoolExecutor) -> str:
    """What many studies show of one number of images and one rho."""
    of = world(arguments.columns, signal_for(rho, n, arguments.columns), arguments.one_encoder)
    one = functools.partial(study, of=of, n=n, grouping=Grouping(arguments.groups, arguments.shuffled_groups))
    if arguments.streamed:
        one = functools.partial(streamed_study, of=of, n=n)
    if arguments.banded:
        one = functools.partial(banded_study, of=of, n=n)
    found = np.array(list(pool.map(one, range(1000, 1000 + arguments.studies), chunksize=4)))
    est, low, high, p, own = found.T
    wanted = own.mean()
    cells = [f"{n:,}", f"{wanted:+.3f}", f"{est.mean():+.4f} ± {est.std() / np.sqrt(len(est)):.4f}", f"{est.std():.3f}"]
    cells += [f"{100 * np.mean((low <= wanted) & (wanted <= high)):.1f} %", f"{100 * np.mean(low > 0):.1f} %"]
    cells += [f"{100 * np.mean(high < 0):.1f} %", f"{100 * np.mean(p <= 0.05):.1f} %"]
    return "| " + " | ".join(cells) + " |"


HEADER = """| images | true rho | mean rho | its sd | interval holds it | interval above 0 | below 0 | p <= 0.05 |
|---|---|---|---|---|---|---|---|"""


def main() -> int:
    """A table in Markdown, a row for every number of images and rho."""
    arguments = read_arguments(Arguments, __doc__ or "")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the studies share the cores
    print(f"{arguments.columns} columns, {arguments.studies} studies, groups: {arguments.groups or 'none'}\n\n{HEADER}")
    import multiprocessing

    with ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("spawn")) as pool:
        for n in arguments.images:
            for rho in arguments.signals:
                print(row(arguments, n, rho, pool), flush=True)
    return 0


if __name__ == "__main__":
    run_main(main)
