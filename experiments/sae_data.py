"""Where the representations for `train_saes.py` come from, and how per-image scores go back into the feature store."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memjax.checks import InputError, expected
from memjax.sae.checkpoint import fingerprint
from memjax.store import STORE, add_metrics, locked, open_features


@dataclass(frozen=True)
class Representations:
    """Token vectors of one encoder, images without them left out.

    Attributes:
        model: the encoder's name.
        store, group: where they lie.
        used: ``[n]`` which of the store's images these are (bool over all of the store's).
        x: ``[l, n, d]`` float32.
        y: ``[n]`` memorability.
        layers: ``[l]`` layer coordinates.
        fingerprint: sha256 of the three arrays.
        synthetic: made-up scores.
    """

    model: str
    store: Path
    group: str
    used: np.ndarray
    x: np.ndarray
    y: np.ndarray
    layers: np.ndarray
    fingerprint: str
    synthetic: bool


def demo_features(out: Path) -> Path:
    """The embedded demo's cls tokens, extracted where they are not yet; the store."""
    import memjax
    from memjax.datasets import open_dataset
    from memjax.extract import Plan, extract

    with locked(out / "demo"):
        extract(open_dataset("demo"), memjax.load("memjax/tiny"), out / "demo", Plan(tokens=("cls",)))
    return out / "demo" / STORE


def load_representations(
    features: Path, token: str, model: str | None, layers: tuple[int, ...] | None, last_only: bool
) -> Representations:
    """Read one encoder's token vectors from a feature store.

    Args:
        features: ``features.zarr``, or the folder of the run that wrote it.
        token: ``cls`` or ``mean``.
        model: which encoder, where the store holds several.
        layers: layer coordinates; None: the last (``last_only``), or all at which the tokens vary.
        last_only: see ``layers``.

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
        raise InputError(
            f"{features}: no variable '{token}' there; run experiments/sweep_layers.py with --tokens {token}"
        )
    available = group["layer"].values
    values = group[token].values
    y = group["memorability"].values.astype(np.float64)
    used = np.isfinite(values).all(axis=(1, 2)) & np.isfinite(y)
    if used.sum() < 10:
        raise expected(f"{features}, images with token vectors", "ten or more", int(used.sum()))
    if layers is None:
        varies = np.ptp(values[used], axis=0).max(axis=1) > 0
        layers = (int(available[-1]),) if last_only else tuple(int(i) for i in available[varies])
    if missing := sorted(set(layers) - set(available.tolist())):
        raise expected("--layers", f"among {available[0]} to {available[-1]}", missing)
    x = np.ascontiguousarray(values[used][:, np.searchsorted(available, layers)].transpose(1, 0, 2), np.float32)
    path = features if features.name == STORE else features / STORE
    made = json.loads(group.attrs.get("memjax", "{}"))
    at = np.asarray(layers)
    return Representations(
        chosen, path, names[chosen], used, x, y[used], at, fingerprint(x, y[used], at), made.get("dataset") == "demo"
    )


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
