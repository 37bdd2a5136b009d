"""Readout of representations: how much of memorability can be read linearly from an encoder's token vectors, layer by layer.

Each layer by itself; the layer that the inner folds prefer (chosen anew inside every training part, so that the choice is paid
for); and all layers together. Together, every layer and token is a band: its columns are standardised and divided by the root of
its width, so that all bands weigh the same under one penalty; of several encoders, an encoder may have a penalty of its own
(`memjax.stats.banded`). Folds, rho and intervals are those of `memjax.stats.readout`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax.stats.banded import MOST_BANDS, banded
from memjax.stats.left_out import LeftOut, from_columns, from_products
from memjax.stats.repeats import ReadoutSettings, Study, share_as_high
from memjax.stats.strata import WithinRho, within_rho

ALL_LAYERS, CHOSEN_LAYER = -1, -2
"""In place of a layer: all of them together, and the one that is chosen inside each training part."""

COLUMNS = ["model", "token", "layer", "rho", "ci_low", "ci_high", "p", "n", "columns"]

EVERY = "all encoders"
"""In place of an encoder: the vectors of all of them."""

ALL, WITH_MEASURES, BANDED = "all", "all and measures", "all, a penalty each"
"""In place of a token: every token of all layers; these and measures; these, each encoder with a penalty of its own."""

Vectors = Mapping[str, Mapping[str, Float[np.ndarray, "n l1 d"]]]
"""Encoder -> token -> vectors of every image at every layer; a token that has one layer stands at the last."""


@dataclass(frozen=True)
class Site:
    """One place to read from: an encoder's token (``both``: cls and mean side by side) at a layer."""

    model: str
    token: str
    layer: int


@dataclass(frozen=True)
class Predicted:
    """What is predicted from one source: of each repeat, ``[n]``, less the training part's mean, and the inner folds' error."""

    source: Site
    columns: int
    by_repeat: list[np.ndarray]
    errors: list[np.ndarray]
    p: float = float("nan")


@dataclass(frozen=True)
class RepresentationReadouts:
    """Readouts of token vectors.

    Attributes:
        table: ``model, token, layer, rho, ci_low, ci_high, p, n, columns``; `ALL_LAYERS` and `CHOSEN_LAYER` in place of a layer;
            p is of permutations of the scores, for all layers together.
        widest: rho and influence of the last row, of all that there is together.
        predicted: of the same, ``[n]``: mean over repeats.
        strata: of each repeat, within what rho is taken.
        found: what is predicted in each row of the table; of very many images not of single layers.
        study: scores, clusters and groups of the images.
        images: their positions among all images; None: they are all.
        between: see `memjax.stats.strata.WithinRho`.
        how: in a sentence, by what way the models were found.
        shares: where encoders have penalties of their own, of the weight each encoder's.
    """

    table: pd.DataFrame
    widest: WithinRho
    predicted: Float[np.ndarray, " n"]
    strata: list[Int[np.ndarray, " n"]]
    found: Sequence[Predicted]
    study: Study
    images: Int[np.ndarray, " n"] | None = None
    between: float = 1.0
    how: str = ""
    shares: Mapping[str, float] | None = None


def standardised(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """The columns that vary, with mean 0 and variance 1."""
    x = np.asarray(x, np.float64)
    x = x - x.mean(axis=0)
    scale = x.std(axis=0)
    varied = scale > 1e-12 * max(float(np.abs(scale).max(initial=0)), 1e-300)
    return x[:, varied] / scale[varied]


@dataclass(frozen=True)
class Bands:
    """Columns of several bands, known by the products of all pairs of images; a band's weight does not depend on its width."""

    products: np.ndarray
    columns: int

    @classmethod
    def none(cls, images: int) -> "Bands":
        """No columns."""
        return cls(np.zeros((images, images)), 0)

    def beside(self, x: Float[np.ndarray, "n k"]) -> "Bands":
        """These, and a band of standardised columns."""
        return Bands(self.products + x @ x.T / x.shape[1], self.columns + x.shape[1])

    def and_those_of(self, others: "Bands") -> "Bands":
        """These and others."""
        return Bands(self.products + others.products, self.columns + others.columns)


@dataclass(frozen=True)
class _Stack:
    """Bands of columns, and their models of every partition."""

    bands: Bands
    models: list[LeftOut]


def layers_of(tokens: Mapping[str, Float[np.ndarray, "n l1 d"]]) -> dict[str, range]:
    """The layer coordinates of each token; one that stands at a single layer stands at the last."""
    last = max(x.shape[1] for x in tokens.values()) - 1
    return {token: range(last + 1 - x.shape[1], last + 1) for token, x in tokens.items()}


def sources(model: str, layers: Mapping[str, Sequence[int]]) -> list[Site]:
    """Each token at each of its layers, and cls and mean side by side where both were kept."""
    found = [Site(model, token, layer) for token, every in layers.items() for layer in every]
    if {"cls", "mean"} <= set(layers):
        found += [Site(model, "both", layer) for layer in layers["cls"]]
    return found


def together_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Of the table of readouts, the rows of all layers together."""
    return table[table["layer"] == ALL_LAYERS]


class _Reading:
    """The readouts of some images' vectors, all over the same partitions."""

    def __init__(self, study: Study, settings: ReadoutSettings) -> None:
        self.study, self.settings = study, settings
        self.partitions = study.partitions(settings)
        self.strata = [study.strata(folds) for folds in self.partitions]
        self.permuted = study.permuted(settings)

    def of_columns(self, source: Site, x: np.ndarray) -> Predicted:
        """From one layer's columns."""
        y = self.study.y
        if x.shape[1] > len(x) / 2:
            found = from_products(x @ x.T, [y[:, None]] * len(self.partitions), self.partitions)
        else:
            found = [from_columns(x, y, folds) for folds in self.partitions]
        return Predicted(source, x.shape[1], [one.predicted[:, 0] for one in found], [one.error[:, 0] for one in found])

    def scores(self) -> list[Float[np.ndarray, "n _"]]:
        """Of each repeat; of the first with permutations."""
        y = self.study.y[:, None]
        return [np.column_stack([y, self.permuted]), *[y] * (len(self.partitions) - 1)]

    def stack(self, bands: Bands) -> "_Stack":
        """Many columns, under one penalty."""
        return _Stack(bands, from_products(bands.products, self.scores(), self.partitions))

    def layers(self, model: str, tokens: Mapping[str, np.ndarray]) -> tuple[list[Predicted], "_Stack"]:
        """Each layer of an encoder by itself, and all together."""
        layers, own, each = layers_of(tokens), Bands.none(len(self.study.y)), []
        for source in sources(model, layers):
            if (x := standardised_columns(tokens, source, layers)).shape[1]:
                each.append(self.of_columns(source, x))
                own = own if source.token == "both" else own.beside(x)
        return each, self.stack(own)

    def predicted(self, source: Site, stack: "_Stack") -> Predicted:
        """What models of many columns predict; with p, of the first repeat."""
        found = stack.models
        null = self.study.rho(found[0].predicted, self.scores()[0], self.partitions[0])
        by_repeat, errors = [one.predicted[:, 0] for one in found], [one.error[:, 0] for one in found]
        return Predicted(source, stack.bands.columns, by_repeat, errors, share_as_high(null))

    def with_penalties(self, stacks: Mapping[str, "_Stack"]) -> tuple[Predicted, dict[str, float]]:
        """All encoders, each with a penalty of its own, and of the weight each encoder's share.

        Args:
            stacks: of each encoder, and of `EVERY`.
        """
        each = {model: stack for model, stack in stacks.items() if model != EVERY}
        known = [stacks[EVERY].models, *(stack.models for stack in each.values())]
        products = [stack.bands.products for stack in each.values()]
        found = banded(products, self.scores(), self.partitions, known)
        shares = dict(zip(each, found.shares().tolist(), strict=True))
        site = Site(EVERY, BANDED, ALL_LAYERS)
        return self.predicted(site, _Stack(stacks[EVERY].bands, found.found)), shares

    def chosen(self, model: str, among: Sequence[Predicted]) -> Predicted:
        """In every fold of every repeat what the source predicts whose error over the inner folds is smallest."""
        by_repeat, errors = [], []
        for repeat, folds in enumerate(self.partitions):
            every = np.stack([one.errors[repeat] for one in among])
            best = every.argmin(axis=0)
            by_repeat.append(np.stack([one.by_repeat[repeat] for one in among])[best[folds], np.arange(len(folds))])
            errors.append(every.min(axis=0))
        return Predicted(Site(model, "any", CHOSEN_LAYER), max(one.columns for one in among), by_repeat, errors)

    def parts(self, one: Predicted) -> WithinRho:
        """Rho and influence."""
        return within_rho(one.by_repeat, self.study.y, self.strata)

    def row(self, one: Predicted) -> tuple[object, ...]:
        """Of the table."""
        return row_of(one, self.parts(one), self.study, self.settings.level)


def row_of(one: Predicted, parts: WithinRho, study: Study, level: float) -> tuple[object, ...]:
    """A row of the table, by `COLUMNS`: what was read, and how well it does."""
    ends, source = study.interval(parts, level), one.source
    return source.model, source.token, source.layer, ends.value, ends.low, ends.high, one.p, len(study.y), one.columns


def read_representations(
    vectors: Vectors,
    study: Study,
    settings: ReadoutSettings,
    measures: Float[np.ndarray, "n k"] | None = None,
    report: Callable[[str], None] = lambda said: None,
    penalties: bool = False,
) -> RepresentationReadouts:
    """Read every layer, the chosen layer and all layers of every encoder, then all encoders, then these and the measures.

    Args:
        vectors: of the images of ``study``, finite.
        study: their scores, clusters and groups.
        settings: folds, repeats, permutations (of the first repeat), seed.
        measures: the encoders' scalar measures, complete columns, as one more band; None: without.
        report: told, a line an encoder, what is being read.
        penalties: whether all encoders, where there are two to `memjax.stats.banded.MOST_BANDS`, are read with a penalty for each
            too.
    """
    reading = _Reading(study, settings)
    each_encoder = penalties and 1 < len(vectors) <= MOST_BANDS
    found: list[Predicted] = []
    bands, stacks = Bands.none(len(study.y)), dict[str, _Stack]()
    for model, tokens in vectors.items():
        report(f"{model}: reading {', '.join(tokens)} of every layer, and all layers together")
        each, stack = reading.layers(model, tokens)
        found += [*each, reading.chosen(model, each), reading.predicted(Site(model, ALL, ALL_LAYERS), stack)]
        bands = bands.and_those_of(stack.bands)
        if each_encoder:
            stacks[model] = stack
    name, shares = EVERY if len(vectors) > 1 else next(iter(vectors)), None
    if len(vectors) > 1:
        stacks[EVERY] = reading.stack(bands)
        if each_encoder:
            report(f"{EVERY}: reading all layers, with a penalty for each encoder and with one")
            one, shares = reading.with_penalties(stacks)
            found.append(one)
        found.append(reading.predicted(Site(EVERY, ALL, ALL_LAYERS), stacks[EVERY]))
    if measures is not None and (x := standardised(measures)).shape[1]:
        found.append(reading.predicted(Site(name, WITH_MEASURES, ALL_LAYERS), reading.stack(bands.beside(x))))
    table = pd.DataFrame([reading.row(one) for one in found], columns=COLUMNS)
    predicted = np.mean(found[-1].by_repeat, axis=0) + study.y.mean()
    return RepresentationReadouts(
        table, reading.parts(found[-1]), predicted, reading.strata, found, study, shares=shares
    )


def standardised_columns(
    tokens: Mapping[str, Float[np.ndarray, "n l1 d"]], source: Site, layers: Mapping[str, Sequence[int]]
) -> Float[np.ndarray, "n k"]:
    """A source's standardised columns."""
    parts = ("cls", "mean") if source.token == "both" else (source.token,)
    return np.concatenate([standardised(tokens[part][:, source.layer - layers[part][0]]) for part in parts], axis=1)
