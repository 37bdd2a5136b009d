"""How badly an autoencoder that has seen each image once reconstructs it, against the human scores (Bagheri & Mohsenzadeh 2024).

Scored as the authors do, by an autoencoder that has seen all the images, and out of sample: each image by one that has seen
those of the other folds.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import xarray as xr

from memjax import devices
from memjax.baselines.autoencoder_weights import Start, load_autoencoder
from memjax.baselines.exposure import latent_size
from memjax.baselines.held_out import splits
from memjax.baselines.rows import HELD_OUT
from memjax.checks import expected, settings_of
from memjax.datasets import Dataset
from memjax.datasets.content import content_digest
from memjax.models import hub
from memjax.pipelines.autoencoder_settings import AutoencoderSettings
from memjax.pipelines.baseline_measuring import Measured
from memjax.pipelines.baseline_settings import BaselineSettings
from memjax.pipelines.baselines import BaselineResult, ReadImages, network_result, scores_of
from memjax.pipelines.exposures import (
    MEASURES,
    Exposure,
    ExposurePart,
    PartScores,
    measure_part,
    read_part,
    work_of,
    write_part,
)
from memjax.pipelines.parts import PartFiles
from memjax.pipelines.rival_entries import VGG_AUTOENCODER
from memjax.progress import ProgressCallback, progress_of, tell
from memjax.storage import local_folder, locked

WHOLE = "all"
"""The name of the part whose autoencoder sees every image."""


def measure_autoencoder(
    dataset: Dataset,
    weights: str | Path,
    settings: BaselineSettings | None = None,
    out: str | Path | None = None,
    progress: bool | ProgressCallback = True,
    training: AutoencoderSettings | None = None,
) -> BaselineResult:
    """Show an autoencoder every image of a data set once, one at a time, and measure what it makes of them afterwards.

    Each epoch that was finished is kept in ``out``: the same call again goes on with the next.

    Args:
        dataset: images and scores; images without a score are not shown.
        weights: safetensors, of a pretrained autoencoder or of VGG-16 (`memjax.baselines.load_autoencoder`).
        settings: of them ``folds``, ``seed`` and ``bootstraps`` are used.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        progress: as in `memjax.pipelines.baselines.measure_baselines`.
        training: how; by default `AutoencoderSettings()`.

    Returns:
        ``pixel_error``, ``latent_error`` and ``latent_distance`` of every image, in sample, and ``pixel_error_held_out`` and so
        on; at layer 5, after whose pool the latent stands.

    Raises:
        memjax.checks.InputError: weights that do not fit, too few images, a learning rate that leads out of the numbers.
    """
    devices.use_cores()
    settings, training = settings_of(settings, BaselineSettings), settings_of(training, AutoencoderSettings)
    y = scores_of(dataset)
    folder, kept = local_folder(out)
    with locked(folder):
        start = load_autoencoder(weights, settings.seed)
        exposure = exposure_of(dataset, start, settings, training)
        files = PartFiles.of(folder, "exposures", identity_of(dataset, Path(weights), settings, exposure))
        rows = np.flatnonzero(np.isfinite(y))
        whole = part_scores(exposure, ExposurePart(WHOLE, rows, rows), files, progress)
        images = ReadImages(dataset, whole.positions, [*dataset.rejected, *whole.failures])
        values = dict(zip(MEASURES, whole.values.T, strict=True))
        if training.held_out:
            values |= held_out_values(exposure, images, settings, files, progress)
        notes = note_of(start, exposure, latent_size(start.params, (exposure.image_size,) * 2))
        measured = network_measures(values, images, len(start.params.encoder), notes, settings.folds)
        found = network_result((VGG_AUTOENCODER, measured), images, settings, folder, asdict(training))
    return replace(found, kept=kept)


def exposure_of(dataset: Dataset, start: Start, settings: BaselineSettings, training: AutoencoderSettings) -> Exposure:
    """What all parts have in common."""
    size = latent_size(start.params, (training.image_size, training.image_size))
    kept = min(size, training.latent_units or size)
    units = np.sort(np.random.default_rng(settings.seed).choice(size, kept, replace=False)).astype(np.int32)
    rate = training.rate(start.origin)
    return Exposure(dataset, start.params, rate, training.image_size, units, settings.seed)


def identity_of(dataset: Dataset, weights: Path, settings: BaselineSettings, exposure: Exposure) -> dict[str, object]:
    """All that the values of a part depend on."""
    return {
        "dataset": content_digest(dataset),
        "weights": hub.checksum([weights.expanduser()]),
        "rate": exposure.rate,
        "image_size": exposure.image_size,
        "latent_units": len(exposure.units),
        "seed": settings.seed,
        "folds": settings.folds,
    }


def part_scores(
    exposure: Exposure, part: ExposurePart, files: PartFiles, progress: bool | ProgressCallback
) -> PartScores:
    """One part, read where it was finished, else measured and kept."""
    found = read_part(files, part)
    if found is not None:
        tell(f"autoencoder, {part.name}: measured before", progress)
        return found
    with progress_of(f"autoencoder, {part.name}", work_of(part), progress) as advance:
        found = measure_part(exposure, part, advance)
    write_part(files, part, found)
    return found


def fold_parts(images: ReadImages, settings: BaselineSettings) -> Iterator[ExposurePart]:
    """The parts of which each scores the images of one fold."""
    dealt = splits(len(images.positions), settings.folds, settings.seed)
    for number, (fitted, scored) in enumerate(dealt, 1):
        yield ExposurePart(f"fold {number} of {settings.folds}", images.positions[fitted], images.positions[scored])


def held_out_values(
    exposure: Exposure,
    images: ReadImages,
    settings: BaselineSettings,
    files: PartFiles,
    progress: bool | ProgressCallback,
) -> dict[str, np.ndarray]:
    """The measures of every image by the autoencoder that has not seen it.

    Raises:
        InputError: an image that was read before no longer can be.
    """
    values = np.full((len(images.positions), len(MEASURES)), np.nan)
    for part in fold_parts(images, settings):
        found = part_scores(exposure, part, files, progress)
        if found.failures:
            one = found.failures[0]
            raise expected(f"image {one.image}", "as it was read before", one.error, "put that right and run again")
        values[np.searchsorted(images.positions, found.positions)] = found.values
    return {f"{name}{HELD_OUT}": column for name, column in zip(MEASURES, values.T, strict=True)}


def note_of(start: Start, exposure: Exposure, size: int) -> str:
    """What the measures are made by, in words."""
    origin = "pretrained" if start.origin == "pretrained autoencoder" else start.origin
    return (
        f"{origin}, {exposure.image_size} pixels, learning rate {exposure.rate:g}, "
        f"{len(exposure.units):,} of {size:,} units of the latent"
    )


def network_measures(values: dict[str, np.ndarray], images: ReadImages, layer: int, note: str, folds: int) -> Measured:
    """The measures by image, each at the layer of the latent."""
    coords = {"image": images.ids, "layer": [layer], "memorability": ("image", images.y)}
    scores = {name: xr.DataArray(column[:, None], coords, ("image", "layer"), name) for name, column in values.items()}
    notes = {name: [f"{note}, {folds} folds" if name.endswith(HELD_OUT) else note] for name in scores}
    return Measured({"": scores}, notes)
