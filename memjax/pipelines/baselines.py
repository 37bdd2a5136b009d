"""Simple measures of a sweep's token vectors or of VGG-16's layers, against the human scores and against each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from memjax import devices
from memjax.baselines.vgg import LAYERS, load_vgg
from memjax.checks import expected, settings_of
from memjax.datasets import Dataset, Failure
from memjax.datasets.observers import observers_of
from memjax.outputs import (
    REPORT,
    Run,
    count_failed,
    failure_table,
    now,
    plain_json,
    record_of,
    started,
    versions,
    write_failures,
    write_table,
)
from memjax.pipelines.baseline_measuring import Measured, Vectors, baseline_table, measure_vectors
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.rival_entries import SCORES, VGG, autoencoders_in, rivals_in_all, rivals_of, scores_table
from memjax.pipelines.rivals import Comparison, Held, compare_measures
from memjax.pipelines.sae_tables import with_ceiling
from memjax.pipelines.sweep_result import Sweep, place_of
from memjax.pipelines.tokens import FEWEST, Representations, join_scores, load_representations, open_group
from memjax.pipelines.vgg_layers import vgg_vectors
from memjax.progress import ProgressCallback, progress_of
from memjax.promises import start_writing
from memjax.stats.analysis import ceiling_for
from memjax.stats.scores import check_scores_vary
from memjax.storage import Place, TemporaryFolder, local_folder, locked

BASELINES, RIVALS, COMPARISON, ANSWERED = "baselines", "rivals", "comparison", "answers"
"""Names of the tables: each measure and layer; each compared measure alone, each pair, and the questions."""


@dataclass(frozen=True)
class Beside:
    """What beside the sweep's own token vectors is compared.

    Attributes:
        cnn: folders of runs of VGG-16's baselines, or of its autoencoder, on the same images, for their measures.
        dataset: of the same images, for their categories; None without.
    """

    cnn: str | Path | Sequence[str | Path] = ()
    dataset: Dataset | None = None

    def categories(self) -> pd.Series | None:
        """By image, where the data set has them."""
        table = self.dataset.table if self.dataset is not None else pd.DataFrame()
        return table["category"] if "category" in table and table["category"].nunique() > 1 else None


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """What the baselines give.

    Attributes:
        table: ``measure, source, layer, rho, ci_low, ci_high, p, n, in_sample, note[, rho_over_ceiling]``, one row a measure and
            layer.
        scores: name (``nn_distance_cls``; of VGG-16 ``nn_distance``) -> that measure of every image, dims ``image, layer``.
        comparison: the measures, and the autoencoders' losses that the store has, side by side.
        failures: columns ``image, stage, error``: images that VGG-16 could not be given, and why.
        run: the record of the run, as in run.json.
        out: folder of table and run.json.
        store: the feature store that now has the scores as metrics; None for VGG-16.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    scores: Mapping[str, xr.DataArray]
    comparison: Comparison
    failures: pd.DataFrame
    run: Run = field(repr=False)
    out: Path
    store: Place | None = None
    kept: TemporaryFolder | None = field(default=None, repr=False)


def measure_baselines(
    run: Sweep | str | Place,
    settings: BaselineSettings | None = None,
    out: str | Path | None = None,
    progress: bool | ProgressCallback = True,
    beside: Beside | None = None,
) -> BaselineResult:
    """Measure the token vectors of a sweep, correlate with the human scores, and put the measures into the sweep's store.

    Args:
        run: a sweep that kept token vectors (``SweepSettings(tokens=("cls",))``), its folder, or its features.zarr.
        settings: what to measure; by default `BaselineSettings()`.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        progress: True for a bar, False for none, or a function that is called ``(measure, done, total)``.
        beside: what else is compared; by default nothing.

    Returns:
        The table, the measures and their comparison.

    Raises:
        memjax.checks.InputError: no such store, encoder, token or layer; too few images; another run in ``out``.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", settings=kept, progress=False)
        >>> found = measure_baselines(run, BaselineSettings(measures=("nn_distance",), bootstraps=20), progress=False)
        >>> found.table.columns.tolist()[:4], found.scores["nn_distance_cls"].dims
        (['measure', 'source', 'layer', 'rho'], ('image', 'layer'))
    """
    devices.use_cores()
    settings, beside = settings_of(settings, BaselineSettings), beside or Beside()
    cnn = rivals_in_all([beside.cnn] if isinstance(beside.cnn, (str, Path)) else beside.cnn)
    group = open_group(place_of(run), settings.model)
    record = Run(group.dataset, models=(group.encoder,), ceiling=group.ceiling)
    folder, kept = local_folder(out)
    with locked(folder):
        data = {
            name: load_representations(group, name, settings.layers, False, block=256) for name in settings.tokens()
        }
        scores = measure_vectors([vectors_of(one, name) for name, one in data.items()], settings, progress)
        first = next(iter(data.values()))
        held = Held(group.values["cls_norm"].load() if "cls_norm" in group.values else None, beside.categories())
        rivals = [*rivals_of(scores.scores, group.model), *autoencoders_in(group), *cnn]
        compared = compare_measures(rivals, first.ids, first.y, held, settings.bootstraps, settings.seed)
        found = _result((group.model, scores, compared), settings, record, folder)
        for name, one in data.items():
            join_scores(one, scores.values[name], json.dumps(_about(found.run), sort_keys=True), folder)
        found = _write(found)
    return replace(found, store=group.store, kept=kept)


def measure_vgg_baselines(
    dataset: Dataset,
    weights: str | Path,
    settings: BaselineSettings | None = None,
    out: str | Path | None = None,
    progress: bool | ProgressCallback = True,
) -> BaselineResult:
    """The same measures of VGG-16's seven layers over a data set: five blocks (1 to 5), fc1 (6) and fc2 (7).

    Args:
        dataset: images and scores.
        weights: safetensors with torchvision's names (`memjax.baselines.load_vgg`).
        settings, out, progress: as in `measure_baselines`; ``model`` and ``token`` are not used.

    Raises:
        memjax.checks.InputError: weights that do not fit, no such layer, too few images.
    """
    devices.use_cores()
    settings = settings_of(settings, BaselineSettings)
    chosen = settings.layers or tuple(range(1, len(LAYERS) + 1))
    if wrong := sorted(set(chosen) - set(range(1, len(LAYERS) + 1))):
        raise expected("layers", f"among 1 to {len(LAYERS)} of VGG-16", wrong, argument="layers")
    y = scores_of(dataset)
    folder, kept = local_folder(out)
    with locked(folder):
        params = load_vgg(weights)
        with progress_of("vgg16", len(dataset), progress) as advance:
            found = vgg_vectors(dataset, params, settings.units, settings.seed, advance)
        scored = np.isfinite(y[found.positions])
        images = ReadImages(dataset, found.positions[scored], found.failures)
        x = [found.vectors[LAYERS[layer - 1]][scored] for layer in chosen]
        vectors = Vectors("", np.array(chosen), x, images.ids, images.y)
        scores = measure_vectors([vectors], settings, progress)
        return replace(network_result((VGG, scores), images, settings, folder), kept=kept)


def scores_of(dataset: Dataset) -> Float[np.ndarray, " n"]:
    """The human scores of a data set; NaN where an image has none.

    Raises:
        memjax.checks.InputError: they do not vary.
    """
    y = dataset.table["memorability"].to_numpy(np.float64)
    check_scores_vary(y, f"scores of data set {dataset.name}")
    return y


@dataclass(frozen=True, eq=False)
class ReadImages:
    """The images of a data set that could be read and have a score.

    Attributes:
        dataset: where they are from.
        positions: their rows in its table.
        failures: the others, and why.
    """

    dataset: Dataset
    positions: Int[np.ndarray, " n"]
    failures: Sequence[Failure]

    def __post_init__(self) -> None:
        if len(self.positions) < FEWEST:
            what = f"data set {self.dataset.name}, readable images with a score"
            raise expected(what, "ten or more", len(self.positions))

    @property
    def ids(self) -> np.ndarray:
        """Their names."""
        return self.dataset.table.index.to_numpy(object)[self.positions]

    @property
    def y(self) -> Float[np.ndarray, " n"]:
        """Their scores."""
        return self.dataset.table["memorability"].to_numpy(np.float64)[self.positions]


def network_result(
    measured: tuple[str, Measured],
    images: ReadImages,
    settings: BaselineSettings,
    folder: Path,
    training: Mapping[str, object] | None = None,
) -> BaselineResult:
    """What a convolutional network's measures of images come to, compared and written.

    Args:
        measured: the network's name, and its measures.
        images: of which.
        settings: their seed and resamples.
        folder: where the results go.
        training: how the network was trained, where it was; run.json has it.
    """
    (source, scores), failures = measured, failure_table(images.failures)
    halves, observers = observers_of(images.dataset)
    ceiling = ceiling_for(halves, "spearman", observers)
    record = Run(record_of(images.dataset), failures=count_failed(failures), ceiling=ceiling)
    held, rivals = Held(None, Beside(dataset=images.dataset).categories()), rivals_of(scores.scores, source)
    compared = compare_measures(rivals, images.ids, images.y, held, settings.bootstraps, settings.seed)
    result = _result((source, scores, compared), settings, record, folder)
    about = {**result.run.settings} | ({} if training is None else {"training": plain_json(training)})
    return _write(replace(result, failures=failures, run=replace(result.run, settings=about)))


def vectors_of(data: Representations, token: str) -> Vectors:
    """A token's vectors of all layers, as the measures take them."""
    return Vectors(token, data.layers, list(data.images.block(0)), data.ids, data.y)


def _result(
    measured: tuple[str, Measured, Comparison], settings: BaselineSettings, record: Run, folder: Path
) -> BaselineResult:
    """Everything that is written, computed once."""
    source, scores, compared = measured
    run = replace(
        record,
        command=started(),
        finished=now(),
        seed=settings.seed,
        bootstraps=settings.bootstraps,
        settings=plain_json(asdict(settings)),
        metrics={source: sorted(scores.scores)},
        versions=versions(),
    )
    table = with_ceiling(baseline_table(scores, source, settings.bootstraps), run.ceiling)
    return BaselineResult(table, scores.scores, compared, failure_table([]), run, folder)


def _about(run: Run) -> dict[str, object]:
    """What the store keeps of the run beside its metrics."""
    return {"command": run.command, "synthetic": run.dataset.synthetic, "settings": run.settings}


def _write(found: BaselineResult) -> BaselineResult:
    """The tables, failures.csv, the page, and run.json, which marks the end."""
    from memjax.report.rivals import write_baselines_page  # loads matplotlib; not before the measuring

    writing, compared = start_writing(found.out, found.out), found.comparison
    tables = {BASELINES: found.table, RIVALS: compared.alone, COMPARISON: compared.pairs, ANSWERED: compared.answers}
    for name, table in (tables | {SCORES: scores_table(found.scores, found.table["source"].iloc[0])}).items():
        if len(table.columns):
            write_table(table, found.out, name)
    write_baselines_page(found.out / REPORT, found.run, found.table, (compared.alone, compared.pairs, compared.answers))
    write_failures(found.failures, found.out)
    return replace(found, run=writing.finish(found.run))
