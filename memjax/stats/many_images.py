"""The readout of representations of very many images: as `memjax.stats.representations`, from sums over cells of the images.

Memory does not grow with the images but for their scores and predictions: the columns are read in blocks, once for the sums, and
once more for the predictions of each stack of layers (of single layers: of as many as there is room for).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.stats.banks import MEASURES, Band, Bank, images_at_once
from memjax.stats.cells import Cells, CellSums, ChosenBands, cells_of, cells_that_fit, summed
from memjax.stats.repeats import ReadoutSettings, Study, share_as_high
from memjax.stats.representations import (
    ALL_LAYERS,
    CHOSEN_LAYER,
    COLUMNS,
    EVERY,
    Predicted,
    RepresentationReadouts,
    Site,
    row_of,
    sources,
    standardised,
)
from memjax.stats.strata import WithinRho, within_rho
from memjax.stats.streamed import CellModels, models_of_cells

PARTITIONS = {3_000: 10, 6_000: 3}
"""Columns that are read from together, up to which so many partitions at most are made; of more `FEWEST_PARTITIONS`."""

FEWEST_PARTITIONS = 2

PREDICTED_BYTES = 2**29
"""Predictions of single layers that are held at once."""


def partitions_for(columns: int, repeats: int) -> int:
    """Partitions of a stack of layers: each takes the time of fifteen decompositions, which grows with the columns' cube.

    Example:
        >>> [partitions_for(columns, 10) for columns in (768, 4_608, 14_400)]
        [10, 3, 2]
    """
    return min(repeats, next((most for upto, most in PARTITIONS.items() if columns <= upto), FEWEST_PARTITIONS))


@dataclass(frozen=True)
class _Job:
    """A source, the models of its partitions, and how many scores they are of (the scores, and permutations)."""

    site: Site
    source: ChosenBands
    models: Sequence[CellModels]

    @property
    def columns(self) -> int:
        return len(self.source.scale)


class _Many:
    """The readouts of the columns of many images, over the same cells."""

    def __init__(self, bank: Bank, study: Study, settings: ReadoutSettings) -> None:
        self.bank, self.study, self.settings, self.bands = bank, study, settings, bank.bands()
        self.cells: Cells = cells_of(study, cells_that_fit(sum(band.width for band in self.bands)), settings)
        self.folds = self.cells.folds()
        self.strata = [study.strata(folds) for folds in self.folds]
        self.scores = np.column_stack([study.y, study.permuted(settings)]) - study.y.mean()
        widths = [band.width for band in self.bands]
        block = images_at_once(sum(widths))
        self.sums: CellSums = summed(
            widths, self.cells, self.scores, lambda start, stop: bank.columns(self.bands, start, stop), block
        )

    def models_of(self) -> list[str]:
        """The encoders."""
        return list(dict.fromkeys(band.site.model for band in self.bands if band.site.model != MEASURES))

    def bands_of(self, models: Sequence[str]) -> list[int]:
        """The bands of some encoders."""
        return [place for place, band in enumerate(self.bands) if band.site.model in models]

    def widest(self) -> list[tuple[Site, Sequence[int]]]:
        """What is read last: all encoders, where there are several, and these with measures, where there are any."""
        models, found = self.models_of(), list[tuple[Site, Sequence[int]]]()
        if len(models) > 1:
            found.append((Site(EVERY, "all", ALL_LAYERS), self.bands_of(models)))
        if any(band.site.model == MEASURES for band in self.bands):
            name = EVERY if len(models) > 1 else models[0]
            found.append((Site(name, "all and measures", ALL_LAYERS), range(len(self.bands))))
        return found

    def places(self, site: Site) -> tuple[int, ...]:
        """The bands of one source of an encoder."""
        tokens = ("cls", "mean") if site.token == "both" else (site.token,)
        wanted = [replace(site, token=token) for token in tokens]
        return tuple(place for place, band in enumerate(self.bands) if band.site in wanted)

    def single(self, site: Site) -> _Job | None:
        """Of one layer, in all partitions; None where nothing of it varies."""
        places = self.places(site)
        if not places:
            return None
        source = ChosenBands(places, np.ones(sum(self.bands[place].width for place in places)))
        made = [models_of_cells(self.sums, source, folds, 1) for folds in self.cells.partitions]
        return _Job(site, source, made)

    def stack(self, site: Site, places: Sequence[int]) -> _Job:
        """Of many layers, each a band of the same weight; of the first partition with permutations of the scores."""
        scale = np.concatenate([np.full(width, width**-0.5) for width in (self.bands[place].width for place in places)])
        source = ChosenBands(tuple(places), scale)
        partitions = self.cells.partitions[: partitions_for(len(scale), len(self.cells.partitions))]
        counts = [self.scores.shape[1], *[1] * (len(partitions) - 1)]
        made = [
            models_of_cells(self.sums, source, folds, scores) for folds, scores in zip(partitions, counts, strict=True)
        ]
        return _Job(site, source, made)

    def predictions(self, jobs: Sequence[_Job]) -> list[list[np.ndarray]]:
        """Of every job and partition ``[n, r]``, from one reading of the columns."""
        places = sorted({place for job in jobs for place in job.source.bands})
        bands: list[Band] = [self.bands[place] for place in places]
        ends = np.cumsum([0, *(band.width for band in bands)])
        here = {place: np.arange(ends[i], ends[i + 1]) for i, place in enumerate(places)}
        n, block = len(self.study.y), images_at_once(int(ends[-1]))
        out = [[np.empty((n, models.offset.shape[1])) for models in job.models] for job in jobs]
        for start in range(0, n, block):
            x, rows = self.bank.columns(bands, start, start + block), slice(start, start + block)
            for job, into in zip(jobs, out, strict=True):
                at = np.concatenate([here[place] for place in job.source.bands])
                own = x if len(at) == x.shape[1] else x[:, at]
                for models, folds, made in zip(job.models, self.folds, into, strict=False):
                    models.predict(own, folds[rows], made[rows])
        return out

    def parts(self, by_repeat: Sequence[np.ndarray]) -> WithinRho:
        """Rho and influence."""
        found = within_rho(by_repeat, self.study.y, self.strata[: len(by_repeat)])
        return replace(found, between=self.cells.between)

    def row(self, one: Predicted) -> tuple[object, ...]:
        """Of the table."""
        return row_of(one, self.parts(one.by_repeat), self.study, self.settings.level)

    def read_stack(self, site: Site, places: Sequence[int]) -> Predicted:
        """All that there is of some bands, with p."""
        job = self.stack(site, places)
        (made,) = self.predictions([job])
        null = self.study.rho(made[0], self.scores, self.folds[0])
        return Predicted(site, job.columns, [one[:, 0] for one in made], [], share_as_high(null))

    def read_single(self, model: str) -> tuple[list[tuple[object, ...]], Predicted]:
        """Rows of an encoder's layers, and what the layer predicts that is chosen in every training part."""
        jobs = [job for site in sources(model, self.bank.layers(model)) if (job := self.single(site)) is not None]
        errors = np.array([[models.error[:, 0] for models in job.models] for job in jobs])
        best, rows = errors.argmin(axis=0), []
        chosen = [np.empty(len(self.study.y)) for _ in self.folds]
        at_once = max(PREDICTED_BYTES // (8 * len(self.study.y) * len(self.folds)), 1)
        for start in range(0, len(jobs), at_once):
            group = jobs[start : start + at_once]
            for place, (job, made) in enumerate(zip(group, self.predictions(group), strict=True), start):
                by_repeat = [one[:, 0] for one in made]
                rows.append(self.row(Predicted(job.site, job.columns, by_repeat, [])))
                for into, own, folds, wanted in zip(chosen, by_repeat, self.folds, best, strict=True):
                    here = wanted[folds] == place
                    into[here] = own[here]
        columns = max(job.columns for job in jobs)
        return rows, Predicted(Site(model, "any", CHOSEN_LAYER), columns, chosen, list(errors.min(axis=0)))


def read_many(
    bank: Bank,
    study: Study,
    settings: ReadoutSettings,
    measures: Float[np.ndarray, "n k"] | None = None,
    report: Callable[[str], None] = lambda said: None,
) -> RepresentationReadouts:
    """As `memjax.stats.representations.read_representations`, of vectors that are read in blocks.

    Args:
        bank: where they are read.
        study: scores, clusters and groups of the images of ``bank``.
        settings, measures, report: see there.

    Returns:
        Without what single layers predict.

    Example:
        >>> from memjax.stats.banks import bank_of
        >>> x = np.random.default_rng(0).normal(size=(200, 2, 5))
        >>> y = x[:, 1, 0]
        >>> bank = bank_of({"m": {"cls": lambda rows: x[rows]}}, y)
        >>> found = read_many(bank, Study(y, np.arange(200), None), ReadoutSettings(permutations=99))
        >>> found.table["layer"].tolist(), float(found.table["rho"].iloc[-1].round(2)), float(found.table["p"].iloc[-1])
        ([0, 1, -2, -1], 1.0, 0.01)
    """
    x = np.empty((len(study.y), 0)) if measures is None else standardised(measures)
    report(f"reading {len(study.y):,} images once, for sums of products of all columns")
    many = _Many(bank.beside(x) if x.shape[1] else bank, study, settings)
    rows: list[tuple[object, ...]] = []
    found: list[Predicted] = []

    def keep(one: Predicted) -> None:
        found.append(one)
        rows.append(many.row(one))

    for model in many.models_of():
        report(f"{model}: reading every layer, and all layers together")
        single, chosen = many.read_single(model)
        rows += single
        keep(chosen)
        keep(many.read_stack(Site(model, "all", ALL_LAYERS), many.bands_of([model])))
    for site, places in many.widest():
        report(f"{site.model}: reading {site.token} of all layers")
        keep(many.read_stack(site, places))
    predicted = np.mean(found[-1].by_repeat, axis=0) + study.y.mean()
    return RepresentationReadouts(
        pd.DataFrame(rows, columns=COLUMNS),
        many.parts(found[-1].by_repeat),
        predicted,
        many.strata,
        found,
        study,
        between=many.cells.between,
        how=_said(many, found),
    )


def _said(many: _Many, found: Sequence[Predicted]) -> str:
    """By what way, in a sentence."""
    counts = {one.columns: len(one.by_repeat) for one in found if one.source.layer == ALL_LAYERS}
    together = ", ".join(f"{count} of {columns:,} columns" for columns, count in counts.items())
    return (
        f"All {len(many.study.y):,} images were read in blocks, from sums over {many.cells.count} cells of which the folds are "
        f"made; partitions of all layers together: {together}."
    )
