"""Official splits of a data set: a model of the training images of each, held against its test images.

Ridge regression on token vectors, every layer and token a band of the same weight, from sums over images: all training images
are fitted on, however many. The penalty is the one that predicts the validation images best; where a split has none, the inner
folds of the training part. Columns are standardised by the training images alone.

The mean over splits has an interval from each image's influence on it, however many splits it is tested in, and from what
varies between splits. Where there is nothing to predict, the product u_ij of images i and j contributes to the rho of every
split that tests one and trains on the other, with the weight 1 / (m sqrt(t)) of m tested and t training images. The influences'
squares add up to the part in which i is tested each time; what is missing is that i is tested in split k and j in split l:

    sum over k, l of |test_k and train_l| |train_k and test_l| / (m_k m_l sqrt(t_k t_l)) / J^2

That, divided by the variance expected between splits, is how often the variance found between them counts (`missing_share`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from memjax.stats.banks import Bank, images_at_once
from memjax.stats.cells import Cells, CellSums, ChosenBands, summed
from memjax.stats.partitions import folds_of
from memjax.stats.strata import Estimate, WithinRho, rho_interval, within_rho
from memjax.stats.streamed import OneModel, one_model

INNER_FOLDS = 5
"""Of the training images, where there are no validation images."""

FEWEST_VALIDATED = 30
"""Validation images: of fewer the penalty is chosen by inner folds, and they are left out."""


@dataclass(frozen=True)
class Split:
    """One official split.

    Attributes:
        name: of it.
        train, val, test: which images are in which part.
        scores: of the images, as this split has them.
    """

    name: str
    train: Bool[np.ndarray, " n"]
    val: Bool[np.ndarray, " n"]
    test: Bool[np.ndarray, " n"]
    scores: Float[np.ndarray, " n"]

    def of(self, rows: Int[np.ndarray, " a"]) -> "Split":
        """Of some images; those without a score are in no part."""
        y = self.scores[rows]
        known = np.isfinite(y)
        return Split(self.name, self.train[rows] & known, self.val[rows] & known, self.test[rows] & known, y)

    @property
    def validated(self) -> bool:
        """Whether the penalty is chosen by validation images."""
        return int(self.val.sum()) >= FEWEST_VALIDATED


@dataclass(frozen=True)
class SplitReadout:
    """What the model of one split predicts of its test images.

    Attributes:
        split: of the images that were read.
        predicted: of all images; only the test images' are out of sample.
        model: of the training images.
        parts: rho of the test images, and influence of every image.
    """

    split: Split
    predicted: Float[np.ndarray, " n"]
    model: OneModel
    parts: WithinRho


def read_split(bank: Bank, split: Split, clusters: Int[np.ndarray, " n"], seed: int = 0) -> SplitReadout:
    """Fit on the training images of a split, and predict its test images.

    Args:
        bank: where the columns of the images are read.
        split: of the images of ``bank``; with training images, and test images whose scores vary.
        clusters: images of one label are in one inner fold.
        seed: of inner folds.

    Example:
        >>> from memjax.stats.banks import bank_of
        >>> x = np.random.default_rng(0).normal(size=(300, 1, 4))
        >>> y, part = x[:, 0, 0], np.arange(300) % 3
        >>> bank = bank_of({"m": {"cls": lambda rows: x[rows]}}, y)
        >>> found = read_split(bank, Split("1", part == 0, part == 1, part == 2, y), np.arange(300))
        >>> round(found.parts.rho, 3)
        1.0
    """
    bands, mean = bank.bands(), float(split.scores[split.train].mean())
    widths = [band.width for band in bands]
    block = images_at_once(sum(widths))
    cells, train, pairs = _cells(split, clusters, seed)

    def read(start: int, stop: int) -> Float[np.ndarray, "b k"]:
        return bank.columns(bands, start, stop)

    sums = summed(widths, cells, np.where(np.isfinite(split.scores), split.scores - mean, 0)[:, None], read, block)
    model = one_model(sums, ChosenBands(tuple(range(len(bands))), _scale(sums, train, widths)), train, pairs)
    predicted = np.concatenate([
        read(start, start + block) @ model.weights for start in range(0, len(split.scores), block)
    ])  # fmt: skip
    predicted += mean + model.intercept
    return SplitReadout(split, predicted, model, _parts(predicted, split))


def _cells(
    split: Split, clusters: Int[np.ndarray, " n"], seed: int
) -> tuple[Cells, Int[np.ndarray, " _"], list[tuple[np.ndarray, np.ndarray]]]:
    """Cells of the training and validation images, those that are fitted on, and which models choose the penalty."""
    of_images = np.full(len(split.scores), -1)
    if split.validated:
        of_images[split.train], of_images[split.val] = 0, 1
        train, pairs = np.array([0]), [(np.array([0]), np.array([1]))]
        return Cells(of_images, [np.arange(2)], 1.0), train, pairs
    own = np.unique(clusters[split.train], return_inverse=True)[1]
    count = min(INNER_FOLDS, len(np.unique(own)))
    of_images[split.train] = folds_of(own, count, np.random.default_rng(seed))
    train = np.arange(count)
    return Cells(of_images, [train], 1.0), train, [(np.delete(train, fold), train[[fold]]) for fold in train]


def _scale(sums: CellSums, train: Int[np.ndarray, " _"], widths: Sequence[int]) -> Float[np.ndarray, " k"]:
    """What standardises the columns over the training images, and makes every band weigh the same; 0: it does not vary there."""
    deviations = sums.deviations(train)
    varied = deviations > 1e-6  # of columns whose deviation over all images is 1
    return np.where(varied, 1 / np.where(varied, deviations, 1), 0) / np.repeat(np.sqrt(widths), widths)


def _parts(predicted: Float[np.ndarray, " n"], split: Split) -> WithinRho:
    here = np.flatnonzero(split.test)
    own = within_rho([predicted[here]], split.scores[here], [np.zeros(len(here), np.int64)])
    influence = np.zeros(len(predicted))
    influence[here] = own.influence
    return replace(own, influence=influence, by_stratum=None)


def rho_without(of: SplitReadout, left_out: Bool[np.ndarray, " n"]) -> float:
    """Rho of the test images but some."""
    return _parts(of.predicted, replace(of.split, test=of.split.test & ~left_out)).rho


def missing_share(train: Bool[np.ndarray, "q n"], test: Bool[np.ndarray, "q n"]) -> float:
    """How often the variance between splits counts, beside the influences: see the module; exact where nothing is predicted.

    Args:
        train, test: of each split, which images.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> places = np.stack([rng.permutation(1000) for _ in range(5)])
        >>> round(missing_share(places < 750, places >= 830), 2)
        0.14
    """
    count, fitted, tested = len(train), train.sum(axis=1), test.sum(axis=1)
    across = test.astype(np.float64) @ train.T.astype(np.float64)
    weight = np.outer(tested, tested) * np.sqrt(np.outer(fitted, fitted))
    both = (test.astype(np.float64) @ test.T.astype(np.float64)) * (
        train.astype(np.float64) @ train.T.astype(np.float64)
    )
    missing = float((across * across.T / weight).sum()) / count**2
    mean = float((both / weight).sum()) / count**2 + missing
    between = count / (count - 1) * (float((1 / tested).mean()) - mean) if count > 1 else 0.0
    return missing / between if between > 1e-12 else 0.0


def mean_over(
    found: Sequence[SplitReadout], clusters: Int[np.ndarray, " n"] | None = None, level: float = 0.95
) -> Estimate:
    """Mean rho over splits of the same images, with its interval on the scale of Fisher's z.

    Args:
        found: of each split.
        clusters, level: see `memjax.stats.strata.rho_interval`.
    """
    by_split = np.concatenate([one.parts.by_repeat for one in found])
    influence = np.mean([one.parts.influence for one in found], axis=0)
    train, test = (np.stack([getattr(one.split, part) for one in found]) for part in ("train", "test"))
    once = 3  # folds of which the variance between repeats counts once
    return rho_interval(WithinRho(by_split, influence, once, None, missing_share(train, test)), clusters, level)
