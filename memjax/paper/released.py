"""Reads what the authors released: one JSON file per encoder and measure, the MemCat table, and Lin et al.'s Isola
files.

The authors number by their loop: hidden states from 0, attentions and deltas from 0 for block 1. Here both stand at
memjax's layer coordinate. Lists are in the order of the MemCat table and are checked against its length; files keyed
by image are joined by id.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import check_file, check_folder, expected
from memjax.datasets import isola2011, memcat
from memjax.datasets.paths import first_there

ENCODERS = {"clip": "CLIP", "dinov2": "DINOv2", "siglip2": "SigLIP2"}
"""Prefix of the files -> name of the encoder in the tables."""

LAYERWISE = {
    "activations_mean": ("cls_mean", 0),
    "activations_sum": ("cls_sum", 0),
    "activations_max": ("cls_max", 0),
    "activations_max_abs": ("cls_max_abs", 0),
    "attentions_entropy": ("attention_entropy", 1),
    "activations_delta": ("layer_delta", 1),
    "patch_regularity": ("patch_uniformity", 0),
}
"""End of the file name -> (metric, layer of its key "0")."""

PER_IMAGE = {"activations_delta_total": "delta_total", "activations_delta_first-last": "delta_first_last"}
"""End of the file name -> metric with one value an image, which stands at the last layer."""


@dataclass(frozen=True)
class Released:
    """Everything found in a folder.

    Attributes:
        measures: encoder -> metric -> float64 ``[n, l + 1]``, NaN where a metric has no value.
        sae_rho: encoder -> float64 ``[epochs, seeds]``: rho of the SAE's loss with the scores, as released.
        latent_magnitude: encoder -> float64 ``[n]``.
        mae_loss: ``"base"``, ``"large"`` -> float64 ``[n]``.
        files: the files read.
    """

    measures: dict[str, dict[str, np.ndarray]]
    sae_rho: dict[str, np.ndarray]
    latent_magnitude: dict[str, np.ndarray]
    mae_loss: dict[str, np.ndarray]
    files: tuple[Path, ...]


def read_memcat(csv: str | Path) -> pd.DataFrame:
    """The published MemCat table in the form of `memjax.datasets.Dataset.table`: memorability (corrected for false
    alarms), category, subcategory, hits, false_alarms, responses.

    Raises:
        InputError: no such file, columns missing, an image twice, a score that its own counts contradict.
    """
    file = check_file(csv, "memcat", "the MemCat table is published as memcat_image_data.csv", argument="memcat")
    return memcat.to_table(memcat.read_rows(file))


def read_released(folder: str | Path, images: pd.Index) -> Released:
    """Read every file of `LAYERWISE`, `PER_IMAGE`, the SAE and the MAE that the folder holds.

    Raises:
        InputError: no folder, none of the files in it, a file that is not what its name says.
    """
    folder = check_folder(folder, "memvis", "clone github.com/ecekt/image_memorability_memvis there", argument="memvis")
    files: list[Path] = []
    measures = {name: _read_encoder(folder, prefix, len(images), files) for prefix, name in ENCODERS.items()}
    measures = {name: found for name, found in measures.items() if found}
    sae_rho, latents, mae = {}, {}, {}
    for name in ENCODERS.values():
        for file in sorted(folder.glob(f"autoencoder_loss_correlation_stats_{name}_*.json")):
            files.append(file)
            sae_rho[name] = _table(_json(file), file)
        for file in sorted(folder.glob(f"autoencoder_reps_sparsity_{name}_*.json")):
            files.append(file)
            latents[name] = _by_id(_json(file), images.str.rsplit(".", n=1).str[0], file)
    for size in ("base", "large"):
        file = folder / f"dict_memcat_ALL_vitmae_{size.upper()}_losses.json"
        if file.is_file():
            files.append(file)
            mae[size] = _by_id(_json(file), images, file)
    if not files:
        names = ", ".join(f"{prefix}_*.json" for prefix in ENCODERS)
        raise expected(
            f"memvis {folder}", f"the released files ({names})", "none of them", "check the folder", "memvis"
        )
    return Released(measures, sae_rho, latents, mae, tuple(files))


def _read_encoder(folder: Path, prefix: str, n: int, files: list[Path]) -> dict[str, np.ndarray]:
    found = {}
    for ending, (metric, first) in LAYERWISE.items():
        file = folder / f"{prefix}_{ending}.json"
        if file.is_file():
            files.append(file)
            rows = _table(_json(file), file, n)
            found[metric] = np.concatenate([np.full((first, n), np.nan), rows]).T
    n_layers = max((values.shape[1] for values in found.values()), default=1)
    for ending, metric in PER_IMAGE.items():
        file = folder / f"{prefix}_{ending}.json"
        if file.is_file():
            files.append(file)
            values = _numbers(_json(file), file, n)
            found[metric] = np.column_stack([np.full((n, n_layers - 1), np.nan), values])
    return found


def _json(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise expected(str(file), "a JSON file", str(error), "download it again") from error


def _numbers(values: object, file: Path, n: int | None) -> np.ndarray:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty((0, 0))
    if array.ndim != 1 or (n is not None and len(array) != n):
        raise expected(
            str(file), f"a list of {n or 'some'} numbers", f"shape {array.shape}", "is it the same MemCat table?"
        )
    return array


def _table(data: object, file: Path, n: int | None = None) -> np.ndarray:
    """``{"0": [..], "1": [..]}`` -> ``[keys, values]``, keys in numeric order and without gaps."""
    keys = sorted(data, key=lambda key: int(key) if key.isdigit() else -1) if isinstance(data, dict) else []
    if not keys or keys != [str(i) for i in range(len(keys))]:
        raise expected(str(file), 'an object with keys "0", "1", ..', f"keys {keys[:3]}", "is it the right file?")
    rows = [_numbers(data[key], file, n) for key in keys]
    if len({len(row) for row in rows}) > 1:
        raise expected(str(file), "lists of one length", "several lengths")
    return np.stack(rows)


def _by_id(data: object, ids: pd.Index, file: Path) -> np.ndarray:
    """``{image: value}`` in the order of ``ids``; NaN where an image is absent."""
    values = pd.Series(data, dtype=np.float64) if isinstance(data, dict) else pd.Series(dtype=np.float64)
    if not values.index.isin(ids).any():
        raise expected(str(file), "values by image of the MemCat table", "no image in common")
    return values.reindex(ids).to_numpy()


def read_isola(folder: str | Path) -> pd.DataFrame:
    """Lin et al.'s released values by target image: corrected_hit, sparse_coding_error, nearest_neighbour.

    Raises:
        InputError: a file missing, lengths that do not fit, or a table that contradicts itself.
    """
    folder = check_folder(folder, "isola", "clone github.com/Chibee/SPC_public there", argument="isola")
    paths = (first_there(folder, isola2011.TABLES), folder / "spc_rec_quality.npy", folder / "block5_pool_NN.csv")
    scores_file, error_file, neighbour_file = (check_file(path, "isola", argument="isola") for path in paths)
    table = isola2011.to_table(isola2011.read_rows(scores_file))
    error = np.load(error_file, allow_pickle=False).ravel()
    if len(error) != len(table):
        raise expected(f"isola {error_file}", f"{len(table)} values", len(error), argument="isola")
    near = pd.read_csv(
        neighbour_file,
        header=None,
        names=["image", "neighbour", "distance"],
        skipinitialspace=True,
        dtype={"image": str},
    )
    return pd.DataFrame(
        {
            "corrected_hit": table["memorability"],
            "sparse_coding_error": error,
            "nearest_neighbour": near.set_index("image")["distance"].reindex(table.index),
        }
    )
