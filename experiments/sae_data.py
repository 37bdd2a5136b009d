"""Where the representations for `train_saes.py` come from, and how per-image scores go back into the feature store."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from memjax.checks import InputError, expected
from memjax.sae.checkpoint import fingerprint
from memjax.sae.stream import Images, in_memory
from memjax.storage import locked, read_json
from memjax.store import STORE, add_metrics, open_features


@dataclass(frozen=True)
class Representations:
    """Token vectors of one encoder, images without them left out.

    Attributes:
        model: the encoder's name.
        store, group: where they lie.
        used: ``[n]`` which of the store's images these are (bool over all of the store's).
        images: the vectors of the ``layers``, in memory or, patches, read from the store block by block.
        width: of a vector, ``d``.
        y: ``[n]`` memorability.
        layers: ``[l]`` layer coordinates.
        fingerprint: sha256 of the vectors (of patches: of what the store says made them), scores and layers.
        synthetic: made-up scores.
    """

    model: str
    store: Path
    group: str
    used: np.ndarray
    images: Images
    width: int
    y: np.ndarray
    layers: np.ndarray
    fingerprint: str
    synthetic: bool


def demo_features(out: Path) -> Path:
    """The embedded demo's cls tokens, extracted where they are not yet; the store."""
    import memjax
    from memjax.datasets import open_dataset
    from memjax.extract import Plan, Selection, extract

    with locked(out / "demo"):
        extract(
            open_dataset("demo"), memjax.load("memjax/tiny"), out / "demo", Plan(selection=Selection(tokens=("cls",)))
        )
    return out / "demo" / STORE


def load_representations(
    features: Path, token: str, model: str | None, layers: tuple[int, ...] | None, last_only: bool, block: int
) -> Representations:
    """One encoder's token vectors from a feature store.

    Args:
        features: ``features.zarr``, or the folder of the run that wrote it.
        token: ``cls``, ``mean`` or ``patches``.
        model: which encoder, where the store holds several.
        layers: layer coordinates; None: the last (``last_only``), or all at which the tokens vary.
        last_only: see ``layers``.
        block: images that are read at once, of ``patches``.

    Raises:
        InputError: no such store, encoder, token or layer, or fewer than ten usable images.
    """
    groups = open_features(features)
    names = {str(group.attrs.get("model", name)): name for name, group in groups.items()}
    if model is None and len(names) != 1:
        raise expected("--model", f"one of {', '.join(names)}", "nothing", "the store holds several encoders")
    chosen = model or next(iter(names))
    if chosen not in names:
        raise expected("--model", f"one of {', '.join(names)}", chosen)
    group = groups[names[chosen]]
    if token not in group:
        option = "--patch-layers LAYER" if token == "patches" else f"--tokens {token}"
        raise InputError(f"{features}: no variable '{token}' there; run experiments/sweep_layers.py with {option}")
    y = group["memorability"].values.astype(np.float64)
    used = finite_images(group[token], block) & np.isfinite(y)
    if used.sum() < 10:
        raise expected(f"{features}, images with token vectors", "ten or more", int(used.sum()))
    at = choose_layers(group[token], layers, last_only, used)
    path = features if features.name == STORE else features / STORE
    made = str(group.attrs.get("memjax", "{}"))
    if token == "patches":
        images = patch_images(group[token], np.flatnonzero(used), at, block)
        mark = fingerprint(np.frombuffer(made.encode(), np.uint8), used, y[used], at)
    else:
        x = np.ascontiguousarray(group[token].sel(layer=at).values[used].transpose(1, 0, 2), np.float32)
        images, mark = in_memory(x), fingerprint(x, y[used], at)
    demo = json.loads(made).get("dataset") == "demo"
    width = group[token].sizes["width"]
    return Representations(chosen, path, names[chosen], used, images, width, y[used], at, mark, demo)


def finite_images(vectors: xr.DataArray, block: int) -> np.ndarray:
    """Which images have token vectors (others could not be read), bool ``[n]``; looked through block by block."""
    axes = tuple(range(1, vectors.ndim))
    starts = range(0, len(vectors), block)
    return np.concatenate([np.isfinite(vectors[start : start + block].values).all(axis=axes) for start in starts])


def choose_layers(
    vectors: xr.DataArray, layers: tuple[int, ...] | None, last_only: bool, used: np.ndarray
) -> np.ndarray:
    """The layer coordinates to use, int64 ``[l]``: those asked for, or see `load_representations`."""
    available = vectors[vectors.dims[1]].values
    if layers is None:
        varies = np.ones(len(available), bool)
        if not last_only and "patch" not in vectors.dims:
            varies = np.ptp(vectors.values[used], axis=0).max(axis=1) > 0
        layers = (int(available[-1]),) if last_only else tuple(int(i) for i in available[varies])
    if missing := sorted(set(layers) - set(available.tolist())):
        raise expected("--layers", f"among {', '.join(map(str, available.tolist()))}", missing)
    return np.asarray(layers, np.int64)


def patch_images(patches: xr.DataArray, rows: np.ndarray, layers: np.ndarray, block: int) -> Images:
    """Every patch of the images ``rows``, read from the store when asked for."""
    chosen = patches.sel(patch_layer=layers)

    def read(start: int, stop: int) -> np.ndarray:
        values = chosen[rows[start:stop]].values.astype(np.float32)
        return np.ascontiguousarray(values.transpose(1, 0, 2, 3)).reshape(len(layers), -1, values.shape[-1])

    return Images(read, len(rows), patches.sizes["patch"], min(block, len(rows)))


def join_scores(data: Representations, scores: dict[str, np.ndarray], about: str, held: Path) -> None:
    """Write per-image scores ``[l, n]`` as metrics beside the sweep's own; images and layers without a value are NaN.

    A variable of the same name from an earlier run is replaced; its attribute ``made_by`` says which run it is of. The
    sweep's folder is locked meanwhile, unless it is ``held``, the folder that this run has locked.
    """
    shape = store_shape(data)
    whole = {}
    for name, values in scores.items():
        whole[name] = np.full(shape, np.nan, np.float32)
        whole[name][np.ix_(np.flatnonzero(data.used), data.layers)] = values.T
    with nullcontext() if held.resolve() == data.store.parent.resolve() else locked(data.store.parent):
        add_metrics(data.store, data.group, whole, about)


def store_shape(data: Representations) -> tuple[int, int]:
    """Images and layers of the store, used here or not."""
    sizes = open_features(data.store)[data.group].sizes
    return sizes["image"], sizes["layer"]


def split_half_consistency(store: Path) -> float | None:
    """How well one half of the observers predicts the other, as the sweep that made the store wrote it; None if it did not."""
    run = store.parent / "run.json"
    found = read_json(run).get("ceiling") if run.is_file() else None
    return float(found["rho"]) if found else None
