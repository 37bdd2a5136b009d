"""What a sweep writes beside its store: tables, figures, the report page, and the record of where it came from."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from memjax.datasets import Dataset
from memjax.encoder import Encoder
from memjax.metrics import METRICS
from memjax.naming import file_stems
from memjax.outputs import REPORT, Run, failed_images, write_table
from memjax.pipelines.illustrations import attention_maps, thumbnails
from memjax.pipelines.sweep_representations import HOW
from memjax.pipelines.sweep_result import (
    CORRELATIONS,
    LABELLED,
    READOUTS,
    REPRESENTATIONS,
    STRONGEST,
    WEIGHTS,
    Controlled,
    Sweep,
)  # fmt: skip
from memjax.progress import Advance, ProgressCallback, progress_of, stage_of
from memjax.promises import FIGURES
from memjax.report import figures as draw
from memjax.report.attention import Looked, attention_by_encoder, attention_over_image
from memjax.report.chart import laid_out_once
from memjax.report.encoder_pairs import corrected_sections, pair_sections, pair_sentences
from memjax.report.groups import group_sections, group_sentences
from memjax.report.headline import claimed_row
from memjax.report.heads import rho_by_head
from memjax.report.heatmap import rho_map
from memjax.report.kept import drawn_once, shared_with
from memjax.report.labels import Context, Label, head_of
from memjax.report.lowlevel import lowlevel_sections, lowlevel_sentences
from memjax.report.notebook import run_html
from memjax.report.page import Page, Section, write_report
from memjax.report.predictions import prediction_sections, prediction_sentences
from memjax.report.readout import READOUT_TITLE, readout_section, sentences
from memjax.report.representations import representation_section, representation_sentences
from memjax.report.scores import score_distribution
from memjax.report.seen import seen_words
from memjax.report.style import encoder_styles
from memjax.stats.analysis import READOUT_IMAGES, Analysis
from memjax.stats.reliability import Reliability
from memjax.stats.repeats import FOLDS
from memjax.store import metric_variables


def context_of(result: Sweep) -> Context:
    """What figures and page have in common; labels of metrics that the package has no row for come from the store."""
    run = result.run
    labels = {
        name: Label(str(group[name].attrs.get("title") or name), str(group[name].attrs.get("unit", "")))
        for group in result.features.values()
        for name in metric_variables(group)
        if name not in METRICS and "title" in group[name].attrs
    }
    return Context(run.method, run.level, run.dataset.synthetic, run.ceiling, labels)


def write_findings(
    folder: Path,
    result: Sweep,
    analysis: Analysis,
    shown: tuple[Dataset, Sequence[Encoder]],
    progress: bool | ProgressCallback = False,
) -> None:
    """Tables, then the page, which is what is looked at, then the figures' files; each figure is laid out once.

    Args:
        folder: where to.
        result: the sweep with its analysis.
        analysis: where its tables come from.
        shown: where the images on the page are, and whose attention is drawn over them.
        progress: True for a bar over the figures, and a spinner before.
    """
    tables = {
        CORRELATIONS: analysis.table,
        READOUTS: analysis.readouts,
        WEIGHTS: analysis.weights,
        LABELLED: analysis.labels,
        REPRESENTATIONS: None if analysis.representations is None else analysis.representations.table,
        STRONGEST: result.rivals,
        **result.controlled.tables(),
    }
    for name, table in tables.items():
        if table is not None:
            write_table(table, folder, name)
    with ExitStack() as held:
        with stage_of("page", progress):
            looked = attention_maps(*shown)
            page = findings_page(result, analysis, shown, looked)
            drawn = {f"attention_of_{image}": figure for image, figure in page.attention.items()}
            for figures in (page.lead, page.figures, *(part.figures for part in page.sections)):
                drawn |= figures
            held.enter_context(laid_out_once(drawn.values()))
            write_report(folder / REPORT, page)
        for files in (metric_figures(analysis.table, page.context), *(part.files for part in page.sections)):
            drawn |= files
        drawn |= attention_files(looked, page.context.synthetic)
        advance = held.enter_context(progress_of("figures", len(drawn), progress is True, unit="figures"))
        save_figures(folder / FIGURES, drawn, advance)


def findings_page(
    result: Sweep,
    analysis: Analysis,
    shown: tuple[Dataset, Sequence[Encoder]],
    looked: Mapping[str, Sequence[Looked]],
) -> Page:
    """What the page of a sweep shows; see `write_findings`. ``looked``: image id -> each encoder's attention there."""
    run, context = result.run, context_of(result)
    parts = [*representation_parts(analysis, run, context), readout_part(analysis, run, context)]
    return Page(
        run=run,
        table=analysis.table,
        context=context,
        failures=failed_images(result.failures),
        features=result.features,
        figures=sweep_figures(analysis.table, context),
        lead=lead_figures(result, analysis.table, context),
        title=str(run.settings.get("title") or "") or Page.title,
        thumbnails=lambda ids: thumbnails(shown[0], ids, shown[1][0].preprocessing.orientation),
        attention={image: attention_figure(image, seen, context.synthetic) for image, seen in looked.items()},
        sections=[*parts, *control_sections(result.controlled, run, context)],
        findings=readout_findings(result, analysis.readout_ceiling),
    )


def attention_figure(image: str, seen: Sequence[Looked], synthetic: bool) -> Figure:
    """What the page shows of an image: all layers of the one encoder, or some of each."""
    if len(seen) > 1:
        return attention_by_encoder(seen, image, synthetic)
    return attention_over_image(seen[0].image, seen[0].maps, image, seen[0].encoder, synthetic=synthetic)


def attention_files(looked: Mapping[str, Sequence[Looked]], synthetic: bool) -> dict[str, Figure]:
    """All layers of each encoder, a figure each; where there is one, the page's is it."""
    found = {}
    for image, seen in looked.items():
        path = PurePosixPath(f"attention_of_{image}")
        for one in seen if len(seen) > 1 else ():
            name = f"{path.with_suffix('')}_by_{one.encoder}{path.suffix}"
            found[name] = attention_figure(image, [one], synthetic)
    return found


def readout_findings(result: Sweep, ceiling: Reliability | None) -> list[str]:
    """What the readouts reach, of representations and of measures, and which of their measures have seen the images.

    Args:
        result: with its analysis.
        ceiling: of Spearman's rho.
    """
    read, record = result.representations, result.run.readout
    said = [] if read is None else representation_sentences(read, ceiling)
    if result.readouts is None or record is None:
        return said
    labels = pd.DataFrame([dict(row) for row in record.labels])
    return [*said, *sentences(result.readouts, ceiling, labels), *seen_words(result.features)]


def lead_figures(result: Sweep, table: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """What stands below the headline: every correlation as a map, the strongest one's images, and the scores."""
    kept, best = drawn_once(table), claimed_row(table, result.run.strongest)
    drawn = {"map": rho_map(kept, context)} if len(kept) else {}
    if best is not None and (model := str(best["model"])) in result.features:
        group, place = result.features[model], (model, str(best["metric"]), int(best["layer"]))
        if place[1] in group:
            values = group[place[1]].sel(layer=place[2])
            colour = encoder_styles(table)[model].colour
            drawn["strongest"] = draw.score_scatter(
                values.values.astype(float), values["memorability"].values, place, context, colour
            )
    scores = next((group["memorability"].values for group in result.features.values()), np.empty(0))
    return drawn | ({"scores": score_distribution(scores, context)} if np.isfinite(scores).any() else {})


def sweep_figures(table: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """All metrics beside each other, and a map for a metric by head."""
    heads = dict.fromkeys(found[0] for metric in pd.unique(table["metric"]) if (found := head_of(metric)))
    kept = drawn_once(table)
    drawn = {"overview": draw.overview(kept, context)} if len(kept) else {}
    return drawn | {metric: rho_by_head(table, metric, context) for metric in heads}


def metric_figures(table: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """One figure a metric, for the folder alone; a fixed multiple of another shares its figure."""
    kept = drawn_once(table)
    return {str(metric): draw.rho_by_layer(kept, metric, context) for metric in pd.unique(kept["metric"])}


def save_figures(folder: Path, drawn: Mapping[str, Figure], advance: Advance = lambda added: None) -> None:
    """PNG and PDF of each, which are counted; a metric that shares another's figure gets a copy under its own name."""
    stems = file_stems(drawn)
    for name, figure in drawn.items():
        files = draw.save_figure(figure, folder, stems[name])
        for twin in (metric for metric in METRICS if shared_with(metric) == name):
            for file in files:
                shutil.copyfile(file, file.with_stem(twin))
        advance(1)


def representation_parts(analysis: Analysis, run: Run, context: Context) -> list[Section]:
    """The section on what can be read from token vectors, if any were kept."""
    if analysis.representations is None:
        return []
    table = analysis.representations.table
    how = f"{FOLDS} folds of {table['n'].iloc[0]:,} images, drawn at random {HOW.repeats} times (seed {run.seed})."
    how += f" {analysis.representations.how}" if analysis.representations.how else ""
    ranked = Context("spearman", run.level, context.synthetic, analysis.readout_ceiling, context.labels)
    return [representation_section(table, ranked, how)]


def readout_part(analysis: Analysis, run: Run, context: Context) -> Section:
    """The section on the readout, or why there is none."""
    if analysis.readouts is None or analysis.weights is None:
        images = f"{READOUT_IMAGES} images with every measure, and one that varies; there are {analysis.images}."
        return Section(READOUT_TITLE, [f"Left out: it needs {images}"])
    row = analysis.readouts.iloc[-1]
    how = f"{run.readout.folds if run.readout else 0} folds of images, drawn at random {row['repeats']} times (seed {run.seed})."
    how += f" {run.readout.together}" if run.readout and run.readout.together else ""
    if analysis.sample is not None:
        how += f" It is of {len(analysis.sample):,} images, drawn at random from those with a score."
    ranked = Context("spearman", run.level, context.synthetic, analysis.readout_ceiling, context.labels)
    return readout_section(analysis.readouts, analysis.weights, ranked, how)


def control_sections(found: Controlled, run: Run, context: Context) -> list[Section]:
    """What controls the findings: groups, low-level statistics, predictions from elsewhere."""
    grouping = str(run.settings.get("groups") or "groups")
    tables = (found.within_groups, found.by_group, found.group_models)
    return [
        *group_sections(grouping, tables, context),
        *lowlevel_sections(found.lowlevel, context),
        *prediction_sections(found.predictions),
        *pair_sections(found.encoders),
        *corrected_sections(found.noise_corrected),
    ]


def control_sentences(result: Sweep) -> list[str]:
    """The same for the terminal, in sentences."""
    found, said = result.controlled, []
    if found.within_groups is not None:
        said += group_sentences(str(result.run.settings.get("groups") or "groups"), found.within_groups)
    if found.lowlevel is not None:
        said += lowlevel_sentences(found.lowlevel)
    if found.encoders is not None:
        said += pair_sentences(found.encoders)
    return said if found.predictions is None else said + prediction_sentences(found.predictions)


def notebook_html(result: Sweep) -> str:
    """A result as a notebook shows it."""
    kept = None if result.table is None else drawn_once(result.table)
    ranked = result.run.ceiling if result.run.method == "spearman" else None
    return run_html(
        f"Sweep of {result.run.dataset.name}",
        kept,
        context_of(result),
        readout_findings(result, ranked),
        result.run.strongest,
    )
