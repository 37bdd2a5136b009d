"""Which heads, MLPs and blocks a predicted score hangs on: each taken out, over the images of a data set."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from memjax import devices
from memjax.causes.latent_measuring import editable, measure_latents
from memjax.causes.measuring import Effects, measure_effects
from memjax.causes.settings import CausesSettings
from memjax.causes.table import causes_table, effects_table, latent_effects_table, metric_effects_table
from memjax.checks import check_kind, settings_of
from memjax.outputs import REPORT, Json, Run, failure_table, plain_json, write_failures, write_table
from memjax.pipelines.atlas_sources import autoencoders_of
from memjax.pipelines.run_records import record_of_predictor
from memjax.predictor.predictor import Predictor
from memjax.predictor.sources import Images, named_images
from memjax.progress import ProgressCallback
from memjax.promises import start_writing
from memjax.report.causes import CAUSES_TITLE, causes_figure, causes_section, causes_sentences, latents_section
from memjax.report.figures import save_figure
from memjax.report.labels import Context
from memjax.report.metric_changes import metric_changes_figure, metric_changes_section
from memjax.report.page import Page, Section, write_report
from memjax.showing import short_repr
from memjax.storage import TemporaryFolder, local_folder, locked

CAUSES, EFFECTS, METRIC_EFFECTS, LATENTS = "causes", "effects", "metric_effects", "latent_effects"
"""Names of the table, which is also the figures', of the effects on every image, of those on metrics, and of latents."""


@dataclasses.dataclass(frozen=True)
class CausesResult:
    """What `measure_causes` gives.

    Attributes:
        table: see `memjax.causes.table.causes_table`.
        effects: encoder -> the effect on every image.
        metrics: what happens to metrics, see `memjax.causes.table.metric_effects_table`; empty where none were asked for.
        latents: without each latent of autoencoders, see `memjax.causes.table.latent_effects_table`; empty where there are none.
        failures: columns ``image, stage, error``.
        run: the record, as in run.json.
        out: the results' folder.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    effects: dict[str, Effects]
    metrics: pd.DataFrame
    latents: pd.DataFrame
    failures: pd.DataFrame
    run: Run
    out: Path
    kept: TemporaryFolder | None = dataclasses.field(default=None, repr=False)

    __repr__ = short_repr


def measure_causes(
    predictor: Predictor,
    images: Images,
    out: str | Path | None = None,
    settings: CausesSettings | None = None,
    progress: bool | ProgressCallback = True,
    batch_size: int | None = None,
) -> CausesResult:
    """Take out every head, MLP and block of a predictor's encoders, one at a time, and see what that does to the scores.

    Where the paper's correlations show traces, this shows causes, of the PREDICTED score: what it hangs on, not what people's
    memory does.

    Args:
        predictor: from `memjax.fit_predictor` or `memjax.load_predictor`.
        images: see `memjax.predictor.Predictor.predict`.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        settings: what stands in for what is taken out, and how many images are used.
        progress: True for bars, False for none, or a function that is called ``(what, done, total)``.
        batch_size: images at once over all devices; each is as many passes as a block has heads, and three.

    Raises:
        InputError: an encoder that is not as it was, another run in ``out``, fewer than two images that can be used.

    Example:
        >>> import memjax
        >>> from memjax.causes import CausesSettings
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> predictor = memjax.fit_predictor(run, progress=False)
        >>> found = measure_causes(predictor, memjax.open_dataset("demo", limit=6), progress=False)
        >>> found.table.columns.tolist()
        ['model', 'layer', 'part', 'head', 'effect', 'ci_low', 'ci_high', 'sd', 'kept', 'n']
    """
    devices.use_cores()
    check_kind(predictor, Predictor, "predictor", "a predictor", "memjax.load_predictor(folder) reads one")
    chosen, named = settings_of(settings, CausesSettings), named_images(images)
    folder, kept = local_folder(out)
    scored = predictor.scored()
    pairs = editable(autoencoders_of(chosen.saes), scored) if chosen.saes else []
    with locked(folder):
        found = {one.encoder.label: measure_effects(one, named.dataset, chosen, batch_size, progress) for one in scored}
        without = [measure_latents(*pair, named.dataset, chosen, batch_size, progress) for pair in pairs]
        table, metrics = causes_table(found), metric_effects_table(found)
        latents = latent_effects_table(without, np.sum([one.score for one in found.values()], axis=0))
        unread = named.called(failure for one in found.values() for failure in one.failures)
        failures = [*named.dataset.rejected, *unread]
        failed = failure_table(dict.fromkeys(failures))
        run = record_of_predictor(predictor, named.dataset, failed, _told(chosen))
        writing = start_writing(folder, folder)
        write_table(table, folder, CAUSES)
        for name, rows in ((METRIC_EFFECTS, metrics), (LATENTS, latents)):
            if len(rows):
                write_table(rows, folder, name)
        effects_table(found, named.names).to_parquet(folder / f"{EFFECTS}.parquet", index=False)
        synthetic = bool(named.dataset.info.get("synthetic", False))
        drawn = {model: causes_figure(table, model, chosen.ablation, synthetic) for model in found}
        changes = {model: metric_changes_figure(metrics, model, synthetic) for model in found if len(metrics)}
        _save_figures(folder / "figures", {CAUSES: drawn, METRIC_EFFECTS: changes})
        write_failures(failed, folder)
        sections = [causes_section(table, drawn)]
        sections += [metric_changes_section(metrics, changes)] if len(metrics) else []
        sections += [latents_section(latents)] if len(latents) else []
        _write_page(folder / REPORT, run, causes_sentences(table), failed, sections)
        run = writing.finish(run)
    return CausesResult(table, found, metrics, latents, failed, run, folder, kept)


def _save_figures(folder: Path, drawn: Mapping[str, Mapping[str, Figure]]) -> None:
    """Of each kind one an encoder, numbered."""
    for name, figures in drawn.items():
        for place, figure in enumerate(figures.values()):
            save_figure(figure, folder, f"{name}_{place + 1}")


def _told(settings: CausesSettings) -> dict[str, Json]:
    """The settings as run.json has them."""
    return {name: plain_json(value) for name, value in dataclasses.asdict(settings).items()}


def _write_page(file: Path, run: Run, said: list[str], failed: pd.DataFrame, sections: list[Section]) -> None:
    first, *others = said or ["No part of the encoder could be compared: the scores do not vary."]
    page = Page(
        run=run,
        table=None,
        context=Context(synthetic=run.dataset.synthetic),
        failures=failed,
        sections=sections,
        findings=others,
        headline=first,
        title=CAUSES_TITLE,
    )
    write_report(file, page)
