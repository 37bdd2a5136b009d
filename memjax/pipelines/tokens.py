"""Token vectors of a run's store, as autoencoders and baselines read them, and scores back into that store."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from memjax.checks import InputError, expected
from memjax.outputs import DatasetRecord, ModelRecord, read_run
from memjax.sae.checkpoint import digest
from memjax.sae.stream import ImageTokens, in_memory
from memjax.stats.reliability import Reliability
from memjax.stats.scores import check_scores_vary
from memjax.storage import Place, locked
from memjax.store import add_metrics, open_features, store_place, verify_group

FEWEST = 10
"""Images with token vectors and a score, at least."""


@dataclass(frozen=True, eq=False)
class Group:
    """One encoder's group of a store, and what is known of the run that made it.

    Attributes:
        encoder: what the run says of it; at least its name.
        store, name: where it lies.
        values: its variables.
        dataset: what the images are.
        ceiling: how far people agree; None where it is not known.
    """

    encoder: ModelRecord
    store: Place
    name: str
    values: xr.Dataset
    dataset: DatasetRecord
    ceiling: Reliability | None

    @property
    def model(self) -> str:
        """The encoder's name in the tables."""
        return self.encoder.model


@dataclass(frozen=True, eq=False)
class Representations:
    """Token vectors of one encoder, images without them left out.

    Attributes:
        group: where they lie.
        used: which of the store's images these are.
        images: the vectors of the ``layers``, in memory or, patches, read from the store block by block.
        width: of a vector, ``d``.
        y: memorability.
        layers: layer coordinates.
        digest: SHA-256 of the vectors (of patches: of what the store says made them), scores and layers.
    """

    group: Group
    used: Bool[np.ndarray, " a"]
    images: ImageTokens
    width: int
    y: Float[np.ndarray, " n"]
    layers: Int[np.ndarray, " l"]
    digest: str = field(repr=False)

    @property
    def ids(self) -> np.ndarray:
        """The images' ids."""
        return self.group.values["image"].values[self.used]

    def by_layer(self, values: Mapping[str, Float[np.ndarray, "l n"]]) -> dict[str, xr.DataArray]:
        """Scores as labelled arrays, dims ``image, layer``."""
        coords = {"image": self.ids, "layer": self.layers, "memorability": ("image", self.y)}
        return {name: xr.DataArray(v.T, coords, ("image", "layer"), name) for name, v in values.items()}


def open_group(features: Place, model: str | None) -> Group:
    """One encoder's group of a store.

    Args:
        features: the folder of a run, or its ``features.zarr``.
        model: which encoder, where the store holds several.

    Raises:
        InputError: no such store or encoder.
    """
    groups, store = open_features(features), store_place(features)
    names = {str(group.attrs.get("model", name)): name for name, group in groups.items()}
    if model is None and len(names) != 1:
        raise expected("model", f"one of {', '.join(names)}", "none", "the store holds several", argument="model")
    chosen = model or next(iter(names))
    if chosen not in names:
        raise expected("model", f"one of {', '.join(names)}", chosen, argument="model")
    values, run = groups[names[chosen]], read_run(store.parent)
    name = str(json.loads(str(values.attrs.get("memjax", "{}"))).get("dataset", ""))
    dataset = run.dataset if run else DatasetRecord(name, values.sizes["image"], synthetic=name == "demo")
    known = {record.model: record for record in run.models} if run else {}
    encoder = known.get(chosen, ModelRecord(chosen))
    return Group(encoder, store, names[chosen], values, dataset, run.ceiling if run else None)


def token_vectors(group: Group, token: str) -> xr.DataArray:
    """A token's vectors, dims ``image, layer, width``; of patches ``image, patch_layer, patch, width``.

    The pooled output stands at the last layer, which it is made of.

    Raises:
        InputError: the run did not keep them.
    """
    if token in group.values:
        found = group.values[token]
        if token != "pooled":
            return found
        return found.rename(pooled_width="width").expand_dims(layer=group.values["layer"].values[-1:], axis=1)
    argument, value = ("patch_layers", "LAYER") if token == "patches" else ("tokens", token)
    raise InputError(f"{group.store}: no variable '{token}' there; run the sweep again and keep it", argument, value)


def usable_images(group: Group, vectors: xr.DataArray, block: int) -> Bool[np.ndarray, " a"]:
    """Which images have token vectors (others could not be read) and a score; looked through block by block.

    Raises:
        InputError: fewer than `FEWEST`, or scores that do not vary.
    """
    axes = tuple(range(1, vectors.ndim))
    starts = range(0, len(vectors), block)
    finite = [np.isfinite(vectors[start : start + block].values).all(axis=axes) for start in starts]
    used = np.concatenate(finite) & np.isfinite(group.values["memorability"].values.astype(np.float64))
    if used.sum() < FEWEST:
        raise expected(f"{group.store}, images with token vectors and a score", "ten or more", int(used.sum()))
    check_scores_vary(group.values["memorability"].values[used], f"scores in {group.store}")
    return used


def load_representations(
    group: Group, token: str, layers: tuple[int, ...] | None, last_only: bool, block: int
) -> Representations:
    """One encoder's token vectors.

    Args:
        group: from `open_group`.
        token: ``cls``, ``mean``, ``pooled`` or ``patches``.
        layers: layer coordinates; None: the last (``last_only``), or all at which the tokens vary.
        last_only: see ``layers``.
        block: images that are read at once, of ``patches``.

    Raises:
        InputError: the run did not keep the token or the layer, or fewer than `FEWEST` usable images; the store is not as it
            was written, or its sweep did not come to its end.
    """
    vectors = token_vectors(group, token)
    verify_group(group.store.parent, group.name, [token], forget=True)
    used = usable_images(group, vectors, block)
    y = group.values["memorability"].values.astype(np.float64)[used]
    at = choose_layers(vectors, layers, last_only, used)
    if token == "patches":
        made = np.frombuffer(str(group.values.attrs.get("memjax", "{}")).encode(), np.uint8)
        images, mark = patch_images(vectors, np.flatnonzero(used), at, block), digest(made, used, y, at)
    else:
        x = np.ascontiguousarray(vectors.sel(layer=at).values[used].transpose(1, 0, 2), np.float32)
        images, mark = in_memory(x), digest(x, y, at)
    return Representations(group, used, images, vectors.sizes["width"], y, at, mark)


def choose_layers(
    vectors: xr.DataArray, layers: tuple[int, ...] | None, last_only: bool, used: Bool[np.ndarray, " a"]
) -> Int[np.ndarray, " l"]:
    """The layer coordinates to use: those asked for, or see `load_representations`."""
    available = vectors[vectors.dims[1]].values
    if layers is None:
        varies = np.ones(len(available), bool)
        if not last_only and "patch" not in vectors.dims:
            varies = np.ptp(vectors.values[used], axis=0).max(axis=1) > 0
        layers = (int(available[-1]),) if last_only else tuple(int(i) for i in available[varies])
    if missing := sorted(set(layers) - set(available.tolist())):
        raise expected("layers", f"among {', '.join(map(str, available.tolist()))}", missing, argument="layers")
    return np.asarray(layers, np.int64)


def patch_images(
    patches: xr.DataArray, rows: Int[np.ndarray, " n"], layers: Int[np.ndarray, " l"], block: int
) -> ImageTokens:
    """Every patch of the images ``rows``, read from the store when asked for."""
    chosen = patches.sel(patch_layer=layers)

    def read(start: int, stop: int) -> np.ndarray:
        values = chosen[rows[start:stop]].values.astype(np.float32)
        return np.ascontiguousarray(values.transpose(1, 0, 2, 3)).reshape(len(layers), -1, values.shape[-1])

    return ImageTokens(read, len(rows), patches.sizes["patch"], min(block, len(rows)))


def join_scores(data: Representations, scores: Mapping[str, xr.DataArray], made_by: str, held: Path | None) -> None:
    """Write scores as metrics beside the sweep's own; images and layers without a value are NaN.

    A variable of the same name from an earlier run is replaced; its attribute ``made_by`` says which run it is of. The
    sweep's folder is locked meanwhile, unless it is ``held``, the folder that this run has locked.
    """
    group, home = data.group, data.group.store.parent
    shape = tuple(group.values.sizes[dim] for dim in ("image", "layer"))
    coordinates = group.values["layer"].values
    whole = {name: np.full(shape, np.nan, np.float32) for name in scores}
    for name, values in scores.items():
        whole[name][np.ix_(np.flatnonzero(data.used), np.searchsorted(coordinates, values["layer"].values))] = values
    with nullcontext() if held is not None and held.resolve() == home.resolve() else locked(home):
        add_metrics(group.store, group.name, whole, made_by)
