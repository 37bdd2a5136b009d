"""The main job: every layer of every encoder measured on every image, correlated with the human scores, and reported."""

import dataclasses
import functools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from memjax import devices, processes
from memjax.checks import InputError, check_kind, expected, settings_of
from memjax.clusters import check_scheduler, cluster
from memjax.datasets import Dataset, Failure
from memjax.datasets.base import check_dataset
from memjax.encoder import Encoder, load
from memjax.extract import extract, opening_of
from memjax.faults import machine_faults_told
from memjax.image_table import write_images
from memjax.naming import group_name
from memjax.outputs import (
    FAILURES,
    RUN,
    Run,
    count_failed,
    failure_table,
    now,
    record_of,
    started,
    versions,
    write_failures,
)
from memjax.pipelines.agreement import agree_on_place, agree_on_run
from memjax.pipelines.controls import Controls, read_controls
from memjax.pipelines.identity import model_record, run_identity, without_output
from memjax.pipelines.settings import SweepSettings
from memjax.pipelines.sweep_result import (
    Sweep,
    features_of,
    finished_run,
    measured_with,
    read_sweep,
    set_aside_since,
    stored_metrics,
)
from memjax.pipelines.values import noted
from memjax.progress import ProgressCallback, progress_of, stage_of, tell
from memjax.promises import start_writing, unfinish
from memjax.stats.scores import check_scores_vary
from memjax.storage import Place, asked, locked, results_folder, staged
from memjax.store import STORE, images_turned, mend, verify_group


def sweep(
    dataset: Dataset,
    encoders: str | Encoder | Sequence[str | Encoder],
    out: str | Place | None = None,
    settings: SweepSettings | None = None,
    progress: bool | ProgressCallback = True,
    scheduler: str | None = None,
) -> Sweep:
    """Measure every layer of every encoder on every image, correlate each measure with the scores, write all of it.

    The same call again resumes where it stopped; a finished run is recognised at once. Of several processes
    (`memjax.processes.start`) each measures its share of the images, and the first does the statistics.

    Args:
        dataset: from `memjax.open_dataset`, `open_folder` or `open_table`; without scores there are features only.
        encoders: hub ids, local folders or ``memjax/tiny``, or encoders from `memjax.load`; one or several.
        out: the run's folder or URL; None for a temporary folder, which lives as long as the result.
        settings: what to measure and how to correlate; by default `SweepSettings()`.
        progress: True for a bar an encoder, False for none, or a function that is called ``(encoder, done, total)``.
        scheduler: address of a dask scheduler whose workers do the statistics, ``host:port``; None: this process. The numbers
            are the same.

    Returns:
        A `Sweep`. Of several processes, all but the first have neither table nor readouts.

    Raises:
        memjax.checks.InputError: an encoder that cannot be loaded, no usable image, another run in ``out``, a scheduler that
            does not answer.
        memjax.processes.ProcessLostError: another process has died.

    Example:
        >>> import memjax
        >>> dataset = memjax.open_dataset("demo", limit=60)
        >>> run = memjax.sweep(dataset, "memjax/tiny", settings=memjax.SweepSettings(bootstraps=20), progress=False)
        >>> run.table.columns.tolist()[:4], run.features["memjax/tiny"].sizes["image"]
        (['model', 'metric', 'layer', 'rho'], 60)
    """
    devices.use_cores()
    settings = settings_of(settings, SweepSettings)
    check_dataset(dataset)
    settings.plan()  # what is wrong with the settings is told before anything is loaded
    where, kept = results_folder(out)
    with processes.failures_told():
        if scheduler is not None and processes.this()[0] == 0:
            check_scheduler(scheduler)
        if dataset.scored:
            check_scores_vary(dataset.table["memorability"].to_numpy(np.float64), f"scores of data set {dataset.name}")
        controls = read_controls(dataset, settings)
        mine = progress if processes.this()[0] == 0 else False
        with stage_of("loading encoders", mine):
            loaded = load_encoders(encoders, settings)
        job = _Job(dataset, loaded, where, settings, controls, scheduler)
        agree_on_run(job.dataset, job.encoders, settings, controls.checksum)
        made = _run(job, progress)
    return dataclasses.replace(made, kept=kept)


def _run(job: "_Job", progress: bool | ProgressCallback) -> Sweep:
    """This process's part of the run."""
    where, first = job.out, processes.this()[0] == 0
    with locked(where) if first else machine_faults_told(where):
        agree_on_place(where)
        with stage_of("verifying what is in the store", progress if first else False):
            repaired = asked(lambda: mended(job, progress), where) if first else []
        processes.wait_for_all("store verified")
        before, broken = asked(lambda: finished_run(where, job.identity, job.models, job.dataset.scored), where)
        processes.wait_for_all("start")
        if before is not None:
            return asked(lambda: read_sweep(where, before), where)
        lacking = [
            encoder for encoder in job.encoders if "pooled" in job.settings.tokens and not encoder.config.has_output
        ]
        for line in (*broken, *map(without_output, lacking)) if first else ():
            tell(line, progress)
        repaired += broken
        failures, seconds = measure(job, progress if first else False)
        return conclude(job, failures, seconds, repaired, progress) if first else measured(job, failures, seconds)


@dataclasses.dataclass(frozen=True)
class _Job:
    """What one call of `sweep` works on."""

    dataset: Dataset
    encoders: Sequence[Encoder]
    out: Place
    settings: SweepSettings
    controls: Controls
    scheduler: str | None = None

    @property
    def identity(self) -> str:
        return run_identity(self.settings, self.dataset, self.encoders, self.controls.checksum)

    @property
    def models(self) -> list[str]:
        """The encoders' names."""
        return [encoder.label for encoder in self.encoders]


def load_encoders(encoders: str | Encoder | Sequence[str | Encoder], settings: SweepSettings) -> list[Encoder]:
    """The encoders that a sweep names, loaded; they read images in the orientation, and by the decoder, that the settings say.

    Raises:
        InputError: none, two of one name, one that is loaded in another type or precision, one that cannot be loaded, or one
            of which nothing says how its pixels are made.
    """
    fix = "write a hub id, or what memjax.load gives"
    check_kind(encoders, (str, Encoder, Iterable), "encoders", "an encoder or several", fix, "models")
    several = [encoders] if isinstance(encoders, (str, Encoder)) else list(encoders)
    for one in several:
        check_kind(one, (str, Encoder), "encoders", "hub ids or encoders", fix, "models")
    how = (settings.dtype, settings.preprocessing, settings.precision)
    loaded = [load(one, *how) if isinstance(one, str) else one for one in several]
    labels = [encoder.label for encoder in loaded]
    if not loaded or len(set(labels)) < len(labels):
        raise expected("models", "encoders of different names", ", ".join(labels) or "none", argument="models")
    if len({group_name(label).casefold() for label in labels}) < len(labels):
        raise expected("models", "names whose folders in the store differ", ", ".join(labels), argument="models")
    for encoder in loaded:
        encoder.preprocessing.check_known(f"encoder {encoder.label}")
        _check_computing(encoder, settings)
    if "pooled" in settings.tokens and not any(encoder.config.has_output for encoder in loaded):
        fix = "leave it out, or take an encoder with a head (CLIP, SigLIP, DINOv2)"
        raise expected("tokens pooled", "an encoder whose head makes a pooled output", ", ".join(labels), fix, "tokens")
    return [_reading(encoder, settings) for encoder in loaded]


def _check_computing(encoder: Encoder, settings: SweepSettings) -> None:
    """Raises `InputError` where an encoder is loaded in another type or precision than the run is to have."""
    if encoder.dtype != settings.dtype:
        fix = f"load it in {settings.dtype}, or set dtype={encoder.dtype!r}"
        raise expected(f"encoder {encoder.label}", settings.dtype, encoder.dtype, fix, argument="dtype")
    if encoder.precision != settings.precision:
        fix = f"load it at {settings.precision}, or set precision={encoder.precision!r}"
        wanted = f"precision {settings.precision}"
        raise expected(f"encoder {encoder.label}", wanted, encoder.precision, fix, argument="precision")


def _reading(encoder: Encoder, settings: SweepSettings) -> Encoder:
    how = {"orientation": settings.orientation, "decoder": settings.decoder}
    return dataclasses.replace(encoder, preprocessing=dataclasses.replace(encoder.preprocessing, **how))


def mended(job: _Job, progress: bool | ProgressCallback) -> list[str]:
    """The store made fit to go on, and what had to be mended; then the run is not finished any more."""
    found = mend([opening_of(job.dataset, encoder, job.out, job.settings.plan()) for encoder in job.encoders])
    repaired = [*found.repaired, *set_aside_since(job.out, job.identity, job.dataset.rejected)]
    for line in (*repaired, *found.remarks):
        tell(line, progress)
    if repaired:
        unfinish(job.out)
    return repaired


def measure(job: _Job, progress: bool | ProgressCallback) -> tuple[list[Failure], float]:
    """Extract into the store; the failures of all encoders and of the data set, and seconds spent."""
    failures, started, plan = list(job.dataset.rejected), time.perf_counter(), job.settings.plan()
    for encoder in job.encoders:
        with progress_of(encoder.label, len(job.dataset), progress, first="compiling") as advance:
            failures += extract(
                job.dataset, encoder, job.out, plan, advance, functools.partial(tell, progress=progress)
            )
    return list(dict.fromkeys(failures)), time.perf_counter() - started


def measured(job: _Job, failures: Iterable[Failure], seconds: float, repaired: Sequence[str] = ()) -> Sweep:
    """The result as far as measuring goes: features, failures and the record."""
    failed, settings, features = failure_table(failures), job.settings, features_of(job.out, job.models)
    run = Run(
        dataset=record_of(job.dataset),
        run_id=job.identity,
        models=tuple(model_record(encoder, settings.tokens) for encoder in job.encoders),
        protocol=settings.protocol,
        dtype=settings.dtype,
        precision=settings.precision,
        method=settings.method,
        bootstraps=settings.bootstraps,
        seed=settings.seed,
        settings=settings.to_json(),
        metrics=stored_metrics(features),
        failures=count_failed(failed),
        turned=max(images_turned(job.out, group_name(encoder.label)) for encoder in job.encoders),
        seconds=round(seconds, 1),
        command=started(),
        finished=now(),
        versions=versions(),
        measured_with=measured_with(features),
        files=job.controls.files,
        notes=job.controls.notes,
        repaired=tuple(repaired),
    )
    return Sweep(job.out, run, None, features, failed)


def conclude(
    job: _Job, failures: Iterable[Failure], seconds: float, repaired: Sequence[str], progress: bool | ProgressCallback
) -> Sweep:
    """The statistics and everything that is written of them, by one process, once the store is whole.

    Args:
        repaired: what was found damaged before, a line each.
        progress: as in `sweep`: where there is a bar, what takes minutes is told.

    Raises:
        InputError: no image could be used; failures.csv then says why. Or an encoder gave no finite value, or what was written
            is not what can be read.
    """
    with stage_of("verifying the store", progress):
        for model in job.models:
            asked(functools.partial(verify_group, job.out, group_name(model)), job.out)
    result = asked(lambda: measured(job, failures, seconds, repaired), job.out)
    with staged(job.out, last=RUN) as folder:
        writing = asked(lambda: start_writing(job.out, folder), job.out)
        write_failures(result.failures, folder)
        write_images(job.dataset, folder)
        if len(set(result.failures["image"]) & set(job.dataset.table.index)) == len(job.dataset):
            raise InputError(f"none of {len(job.dataset)} images could be used; {job.out / FAILURES} says why")
        models = tuple(noted(model, result.features) for model in result.run.models)
        result = dataclasses.replace(result, run=dataclasses.replace(result.run, models=models))
        if job.dataset.scored:
            result = _with_analysis(job, result, folder, progress)
        return dataclasses.replace(result, run=writing.finish(result.run))


def _with_analysis(job: _Job, result: Sweep, folder: Path, progress: bool | ProgressCallback) -> Sweep:
    with stage_of("correlations, intervals, readouts", progress), cluster(job.scheduler, job.out / STORE):
        from memjax.pipelines.sweep_analysis import analyse_sweep  # scipy: not before the last image

        analysed, analysis = analyse_sweep(
            result, job.dataset, job.controls, functools.partial(tell, progress=progress)
        )
    with stage_of("loading what draws", progress):
        from memjax.pipelines.sweep_report import write_findings  # matplotlib: not before the last image
    write_findings(folder, analysed, analysis, (job.dataset, job.encoders), progress)
    return analysed
