"""The main job: every layer of every encoder measured on every image, correlated with the human scores, and reported."""

import dataclasses
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from memjax import devices, processes
from memjax.checks import InputError, expected
from memjax.datasets import Dataset, Failure
from memjax.encoder import Encoder, load
from memjax.extract import extract
from memjax.faults import machine_faults_told
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
    write_run,
)
from memjax.pipelines.agreement import agree_on_place, facts
from memjax.pipelines.settings import SweepSettings, model_record, run_identity
from memjax.pipelines.sweep_result import Sweep, features_of, finished_run, read_sweep, stored_metrics
from memjax.preprocessing import Orientation
from memjax.progress import ProgressCallback, progress_of
from memjax.storage import Place, asked, locked, results_folder, staged
from memjax.store import group_name, images_turned, open_features


def sweep(
    dataset: Dataset,
    encoders: str | Encoder | Sequence[str | Encoder],
    out: str | Place | None = None,
    settings: SweepSettings | None = None,
    progress: bool | ProgressCallback = True,
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

    Returns:
        A `Sweep`. Of several processes, all but the first have neither table nor readouts.

    Raises:
        memjax.checks.InputError: an encoder that cannot be loaded, no usable image, another run in ``out``.
        memjax.processes.ProcessLostError: another process has died.

    Example:
        >>> import memjax
        >>> dataset = memjax.open_dataset("demo", limit=60)
        >>> run = memjax.sweep(dataset, "memjax/tiny", settings=memjax.SweepSettings(bootstraps=20), progress=False)
        >>> run.table.columns.tolist()[:4], run.features["memjax/tiny"].sizes["image"]
        (['model', 'metric', 'layer', 'rho'], 60)
    """
    devices.use_cores()
    settings = settings or SweepSettings()
    settings.plan()  # what is wrong with the settings is told before anything is loaded
    where, kept = results_folder(out)
    with processes.failures_told():
        job = _Job(dataset, load_encoders(encoders, settings), where, settings)
        processes.agree(facts(job.dataset, job.encoders, settings))
        made = _run(job, progress)
    return dataclasses.replace(made, kept=kept)


def _run(job: "_Job", progress: bool | ProgressCallback) -> Sweep:
    """This process's part of the run."""
    where, first = job.out, processes.this()[0] == 0
    with locked(where) if first else machine_faults_told(where):
        agree_on_place(where)
        before = asked(lambda: finished_run(where, job.identity, job.dataset.scored), where)
        processes.wait_for_all("start")
        if before is not None:
            return asked(lambda: read_sweep(where, before), where)
        failures, seconds = measure(job, progress if first else False)
        return conclude(job, failures, seconds) if first else measured(job, failures, seconds)


@dataclasses.dataclass(frozen=True)
class _Job:
    """What one call of `sweep` works on."""

    dataset: Dataset
    encoders: Sequence[Encoder]
    out: Place
    settings: SweepSettings

    @property
    def identity(self) -> str:
        return run_identity(self.settings, self.dataset, self.encoders)


def load_encoders(encoders: str | Encoder | Sequence[str | Encoder], settings: SweepSettings) -> list[Encoder]:
    """The encoders that a sweep names, loaded; they read images in the orientation that the settings say.

    Raises:
        InputError: none, two of one name, one that is loaded in another type, or one that cannot be loaded.
    """
    dtype = settings.dtype
    several = [encoders] if isinstance(encoders, (str, Encoder)) else list(encoders)
    loaded = [load(one, dtype) if isinstance(one, str) else one for one in several]
    labels = [encoder.label for encoder in loaded]
    if not loaded or len(set(labels)) < len(labels):
        raise expected("models", "encoders of different names", ", ".join(labels) or "none", argument="models")
    for encoder in loaded:
        if encoder.dtype != dtype:
            fix = f"load it in {dtype}, or set dtype={encoder.dtype!r}"
            raise expected(f"encoder {encoder.label}", dtype, encoder.dtype, fix, argument="dtype")
    return [_oriented(encoder, settings.orientation) for encoder in loaded]


def _oriented(encoder: Encoder, orientation: Orientation) -> Encoder:
    return dataclasses.replace(
        encoder, preprocessing=dataclasses.replace(encoder.preprocessing, orientation=orientation)
    )


def measure(job: _Job, progress: bool | ProgressCallback) -> tuple[list[Failure], float]:
    """Extract into the store; the failures of all encoders and of the data set, and seconds spent."""
    failures, started, plan = list(job.dataset.rejected), time.perf_counter(), job.settings.plan()
    for encoder in job.encoders:
        with progress_of(encoder.label, len(job.dataset), progress) as advance:
            failures += extract(job.dataset, encoder, job.out, plan, advance)
    return list(dict.fromkeys(failures)), time.perf_counter() - started


def measured(job: _Job, failures: Iterable[Failure], seconds: float) -> Sweep:
    """The result as far as measuring goes: features, failures and the record."""
    failed, settings = failure_table(failures), job.settings
    run = Run(
        dataset=record_of(job.dataset),
        run_id=job.identity,
        models=tuple(model_record(encoder) for encoder in job.encoders),
        protocol=settings.protocol,
        dtype=settings.dtype,
        method=settings.method,
        bootstraps=settings.bootstraps,
        seed=settings.seed,
        settings=settings.to_json(),
        metrics=stored_metrics(open_features(job.out)),
        failures=count_failed(failed),
        turned=max(images_turned(job.out, group_name(encoder.label)) for encoder in job.encoders),
        seconds=round(seconds, 1),
        command=started(),
        finished=now(),
        versions=versions(),
    )
    features = features_of(job.out, [encoder.label for encoder in job.encoders])
    return Sweep(job.out, run, None, features, failed)


def conclude(job: _Job, failures: Iterable[Failure], seconds: float) -> Sweep:
    """The statistics and everything that is written of them, by one process, once the store is whole.

    Raises:
        InputError: no image could be used; failures.csv then says why.
    """
    result = asked(lambda: measured(job, failures, seconds), job.out)
    with staged(job.out, last=RUN) as folder:
        write_failures(result.failures, folder)
        if len(set(result.failures["image"]) & set(job.dataset.table.index)) == len(job.dataset):
            raise InputError(f"none of {len(job.dataset)} images could be used; {job.out / FAILURES} says why")
        if job.dataset.scored:
            return _with_analysis(job, result, folder)
        write_run(result.run, folder)
    return result


def _with_analysis(job: _Job, result: Sweep, folder: Path) -> Sweep:
    from memjax.pipelines.sweep_analysis import analyse_sweep  # scipy and matplotlib: not before the last image
    from memjax.pipelines.sweep_report import write_findings

    analysed, analysis = analyse_sweep(result, job.dataset)
    write_findings(folder, analysed, analysis, (job.dataset, job.encoders[0]))
    return analysed
