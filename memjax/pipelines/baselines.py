"""The measures of the CNN era, of a sweep's token vectors or of VGG-16's layers, against the human scores."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from memjax import devices
from memjax.baselines.proxies import PROXIES
from memjax.baselines.vgg import LAYERS, load_vgg
from memjax.checks import expected
from memjax.datasets import Dataset
from memjax.datasets.observers import observers_of
from memjax.outputs import (
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
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.sae_tables import with_ceiling, with_rho
from memjax.pipelines.sweep_result import Sweep
from memjax.pipelines.tokens import FEWEST, join_scores, load_representations, open_group
from memjax.pipelines.vgg_layers import vgg_vectors
from memjax.progress import ProgressCallback, progress_of
from memjax.promises import start_writing
from memjax.stats.analysis import ceiling_for
from memjax.stats.scores import check_scores_vary
from memjax.storage import Place, TemporaryFolder, locked, place, results_folder

BASELINES = "baselines"
"""Name of the table."""


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """What the baselines give.

    Attributes:
        table: ``measure, source, layer, rho, ci_low, ci_high, p, n[, rho_over_ceiling]``, one row a measure and layer.
        scores: name (``nn_distance_cls``; of VGG-16 ``nn_distance``) -> that measure of every image, dims ``image, layer``.
        failures: columns ``image, stage, error``: images that VGG-16 could not be given, and why.
        run: the record of the run, as in run.json.
        out: folder of table and run.json.
        store: the feature store that now has the scores as metrics; None for VGG-16.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    scores: Mapping[str, xr.DataArray]
    failures: pd.DataFrame
    run: Run = field(repr=False)
    out: Path
    store: Place | None = None
    kept: TemporaryFolder | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Vectors:
    """One source's layers.

    Attributes:
        source: the encoder's name, or vgg16.
        suffix: what follows a measure's name in the store.
        layers: their coordinates.
        x: of each layer, the vectors of all images.
        images: their ids.
        y: their memorability.
    """

    source: str
    suffix: str
    layers: Int[np.ndarray, " l"]
    x: list[Float[np.ndarray, "n _"]]
    images: np.ndarray
    y: Float[np.ndarray, " n"]


def measure_baselines(
    run: Sweep | str | Place,
    settings: BaselineSettings | None = None,
    out: str | Path | None = None,
    progress: bool | ProgressCallback = True,
) -> BaselineResult:
    """Measure the token vectors of a sweep, correlate with the human scores, and put the measures into the sweep's store.

    Args:
        run: a sweep that kept token vectors (``SweepSettings(tokens=("cls",))``), its folder, or its features.zarr.
        settings: what to measure; by default `BaselineSettings()`.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        progress: True for a bar, False for none, or a function that is called ``(measure, done, total)``.

    Returns:
        The table and the measures.

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
    settings = settings or BaselineSettings()
    group = open_group(run.out if isinstance(run, Sweep) else place(run), settings.model)
    record = Run(group.dataset, models=(group.encoder,), ceiling=group.ceiling)
    folder, kept = _folder(out)
    with locked(folder):
        data = load_representations(group, settings.token, settings.layers, last_only=False, block=256)
        vectors = Vectors(group.model, f"_{settings.token}", data.layers, list(data.images.block(0)), data.ids, data.y)
        found = _measure(vectors, settings, record, folder, progress)
        join_scores(data, found.scores, json.dumps(_about(found.run), sort_keys=True), folder)
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
    settings = settings or BaselineSettings()
    chosen = settings.layers or tuple(range(1, len(LAYERS) + 1))
    if wrong := sorted(set(chosen) - set(range(1, len(LAYERS) + 1))):
        raise expected("layers", f"among 1 to {len(LAYERS)} of VGG-16", wrong, argument="layers")
    check_scores_vary(dataset.table["memorability"].to_numpy(np.float64), f"scores of data set {dataset.name}")
    halves, source = observers_of(dataset)
    ceiling = ceiling_for(halves, "spearman", source)
    folder, kept = _folder(out)
    with locked(folder):
        params = load_vgg(weights)
        with progress_of("vgg16", len(dataset), progress) as advance:
            found = vgg_vectors(dataset, params, settings.units, settings.seed, advance)
        y = dataset.table["memorability"].to_numpy(np.float64)[found.positions]
        scored = np.isfinite(y)
        if scored.sum() < FEWEST:
            raise expected(f"data set {dataset.name}, readable images with a score", "ten or more", int(scored.sum()))
        ids = dataset.table.index.to_numpy(object)[found.positions]
        x = [found.vectors[LAYERS[layer - 1]][scored] for layer in chosen]
        vectors = Vectors("vgg16", "", np.array(chosen), x, ids[scored], y[scored])
        failures = failure_table(found.failures)
        record = Run(record_of(dataset), failures=count_failed(failures), ceiling=ceiling)
        result = replace(_measure(vectors, settings, record, folder, progress), failures=failures, kept=kept)
        return _write(result)


def _folder(out: str | Path | None) -> tuple[Path, TemporaryFolder | None]:
    where, kept = results_folder(None if out is None else Path(out).expanduser())
    return Path(where), kept


def _measure(
    vectors: Vectors, settings: BaselineSettings, record: Run, folder: Path, progress: bool | ProgressCallback
) -> BaselineResult:
    """Every measure at every layer, and its correlation with the scores."""
    scores, n = {}, len(vectors.y)
    for name in settings.measures:
        with progress_of(name, n * len(vectors.x), progress) as advance:
            columns = []
            for x in vectors.x:
                columns.append(PROXIES[name].function(x, settings.options()))
                advance(n)
        coords = {"image": vectors.images, "layer": vectors.layers, "memorability": ("image", vectors.y)}
        full = f"{name}{vectors.suffix}"
        scores[full] = xr.DataArray(np.stack(columns, axis=1), coords, ("image", "layer"), full)
    keys = pd.MultiIndex.from_product([scores, [vectors.source], vectors.layers], names=["measure", "source", "layer"])
    columns = np.concatenate([values.values for values in scores.values()], axis=1)
    table = with_rho(keys.to_frame(index=False), columns, vectors.y, settings.bootstraps)
    run = replace(
        record,
        command=started(),
        finished=now(),
        seed=settings.seed,
        bootstraps=settings.bootstraps,
        settings=plain_json(asdict(settings)),
        metrics={vectors.source: sorted(scores)},
        versions=versions(),
    )
    return BaselineResult(with_ceiling(table, run.ceiling), scores, failure_table([]), run, folder)


def _about(run: Run) -> dict[str, object]:
    """What the store keeps of the run beside its metrics."""
    return {"command": run.command, "synthetic": run.dataset.synthetic, "settings": run.settings}


def _write(found: BaselineResult) -> BaselineResult:
    """The table, failures.csv, and run.json, which marks the end."""
    writing = start_writing(found.out, found.out)
    write_table(found.table, found.out, BASELINES)
    write_failures(found.failures, found.out)
    return replace(found, run=writing.finish(found.run))
