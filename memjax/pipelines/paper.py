"""The paper's tables and figures, ours beside theirs, from the authors' per-image files or from one's own features.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders" (arXiv 2509.01453).
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from memjax.checks import make_folder, settings_of
from memjax.datasets import Dataset, open_dataset
from memjax.faults import machine_faults_told
from memjax.outputs import (
    REPORT,
    DatasetRecord,
    Run,
    failure_table,
    now,
    plain_json,
    started,
    versions,
    write_failures,
    write_table,
)  # fmt: skip
from memjax.paper.claims_of_loss import CLAIMS, Claims, weigh_claims
from memjax.paper.inputs import (
    Inputs,
    ceiling_of_sources,
    check_groups,
    halves_of,
    read_measures,
    with_columns,
)  # fmt: skip
from memjax.paper.results import Results, compute
from memjax.paper.settings import PaperSettings, PaperSources
from memjax.pipelines.lowlevel_controls import image_statistics, images_of
from memjax.pipelines.rival_entries import rivals_in
from memjax.promises import start_writing
from memjax.showing import short_repr
from memjax.stats.readout import Readout
from memjax.stats.reliability import Reliability
from memjax.storage import TemporaryFolder, local_folder

DISAGREEMENTS = "disagreements.txt"


@dataclass(frozen=True)
class PaperResult:
    """What the reproduction found.

    Attributes:
        out: the folder with every table (CSV and Parquet), figures, report.html, run.json.
        run: the record, as in run.json.
        tables: by the name of their file: correlations, comparison, and what the sources allow of categories, controls,
            sae_epochs, glm, isola, readout, readout_weights, claims.
        ceiling: how far people agree; None where not known.
        readouts: by encoder, and of all together.
        disagreements: where text, scripts and files of the paper disagree, in sentences.
        failures: images that could not be used for the controls.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    out: Path
    run: Run
    tables: Mapping[str, pd.DataFrame]
    ceiling: Reliability | None
    readouts: Mapping[str, Readout]
    disagreements: list[str]
    failures: pd.DataFrame
    kept: TemporaryFolder | None = field(default=None, repr=False)

    __repr__ = short_repr

    @property
    def report(self) -> Path:
        """The report page."""
        return self.out / REPORT


def reproduce_paper(
    sources: PaperSources,
    out: str | Path | None = None,
    settings: PaperSettings | None = None,
    claims: bool = False,
    cnn: str | Path | None = None,
) -> PaperResult:
    """Compute every table of the paper, set it beside the published numbers, and write all of it.

    Args:
        sources: the authors' released files with MemCat's table, or one's own features; see `PaperSources`.
        out: the folder to write; None for a temporary one, which lives as long as the result.
        settings: resamples, folds, groups, seed.
        claims: whether each claim of the abstract is put to the test too (the table ``claims``).
        cnn: for the claims: the folder of a run of VGG-16's baselines on the same images as the features; None without.

    Raises:
        InputError: sources that do not fit together, or files that are not what they should be.

    Example:
        >>> import memjax
        >>> memjax.reproduce_paper(memjax.PaperSources(memvis="memvis/", memcat="memcat_image_data.csv"))  # doctest: +SKIP
    """
    settings = settings_of(settings, PaperSettings)
    inputs = read_inputs(sources, settings)
    place, kept = local_folder(out)
    folder = make_folder(place, "out", argument="out")
    results = compute(inputs, settings)
    if claims:
        weighed = weigh_claims(inputs, settings, cnn_measures(cnn))
        results = dataclasses.replace(results, tables={**results.tables, CLAIMS: weighed.table})
    failures = failure_table(inputs.controls.failures if inputs.controls else ())
    run = record(results, inputs, sources, settings)
    with machine_faults_told(folder):
        writing = start_writing(folder, folder)
        write_result(folder, results, inputs, (run, settings))
        run = writing.finish(run)
    return PaperResult(
        folder, run, results.tables, results.ceiling, results.readouts, results.disagreements, failures, kept
    )


def paper_claims(sources: PaperSources, settings: PaperSettings | None = None, cnn: str | Path | None = None) -> Claims:
    """Put each claim of the paper's abstract to the test, on the authors' files or one's own run; nothing is written.

    Args:
        sources: the authors' released files with MemCat's table, or one's own features; see `PaperSources`.
        settings: resamples, folds, seed.
        cnn: the folder of a run of VGG-16's baselines on the same images as the features; None without.

    Raises:
        InputError: sources that do not fit together, or files that are not what they should be.

    Example:
        >>> import memjax
        >>> paper_claims(memjax.PaperSources(memvis="memvis/", memcat="memcat_image_data.csv")).table  # doctest: +SKIP
    """
    settings = settings_of(settings, PaperSettings)
    return weigh_claims(read_inputs(sources, settings), settings, cnn_measures(cnn))


def cnn_measures(folder: str | Path | None) -> dict[str, pd.Series]:
    """Each measure of a run of VGG-16's baselines at its last layer, by image, in its expected direction."""
    found = rivals_in(folder) if folder is not None else []
    chosen = (one for one in found if one.kind == "CNN")
    return {one.name: one.direction * one.values.isel(layer=-1).to_series() for one in chosen}


def read_inputs(sources: PaperSources, settings: PaperSettings) -> Inputs:
    """Everything that the sources name, images' statistics and the ceiling included. Raises `InputError`."""
    inputs = read_measures(sources)
    dataset = open_images(sources, inputs.scores)
    scores = inputs.scores if dataset is None else with_columns(inputs.scores, dataset)
    check_groups(settings.groups, scores)
    halves, source = halves_of(scores, dataset, settings.seed)
    return dataclasses.replace(
        inputs,
        scores=scores,
        halves=halves,
        ceiling=ceiling_of_sources(sources, halves, source),
        controls=None if dataset is None else image_statistics(dataset, scores.index),
    )


def open_images(sources: PaperSources, scores: pd.DataFrame) -> Dataset | None:
    """The images that the sources name, if any."""
    if sources.dataset is not None:
        return open_dataset(sources.dataset, sources.data_dir)
    return images_of(Path(sources.images), scores["memorability"]) if sources.images is not None else None


def record(results: Results, inputs: Inputs, sources: PaperSources, settings: PaperSettings) -> Run:
    """The content of run.json."""
    return Run(
        dataset=DatasetRecord(inputs.name, len(inputs.scores)),
        command=started(),
        finished=now(),
        protocol="the authors' per-image files" if inputs.released else "one's own features",
        bootstraps=settings.bootstraps,
        seed=settings.seed,
        settings={**_plain(sources), **_plain(settings)},
        failures=len(inputs.controls.failures) if inputs.controls else 0,
        versions=versions(),
        files={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in inputs.files},
        ceiling=results.ceiling,
    )


def _plain(settings: PaperSources | PaperSettings) -> dict:
    return {name: plain_json(value) for name, value in dataclasses.asdict(settings).items()}


def write_result(folder: Path, results: Results, inputs: Inputs, recorded: tuple[Run, PaperSettings]) -> None:
    """Tables, figures and page."""
    from memjax.paper.page import paper_figures, write_page  # loads matplotlib; not at import
    from memjax.report.figures import save_figure

    for name, table in results.tables.items():
        write_table(table, folder, name)
    write_failures(failure_table(inputs.controls.failures if inputs.controls else ()), folder)
    (folder / DISAGREEMENTS).write_text("\n".join(results.disagreements) + "\n", encoding="utf-8")
    drawn = paper_figures(results, inputs)
    for name, figure in drawn.items():
        save_figure(figure, folder / "figures", name.replace("/", "--"))
    write_page(folder / REPORT, recorded[0], results, inputs, drawn, recorded[1])
