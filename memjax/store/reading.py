"""A run's store as xarray sees it."""

import warnings
from collections.abc import Collection
from pathlib import Path

import xarray as xr

from memjax.checks import InputError
from memjax.storage import Place, listing, place
from memjax.store.answering import check_answered
from memjax.store.layout import METRIC_DIMS, STORE
from memjax.store.markers import DamagedError


def open_features(out: str | Place, names: Collection[str] | None = None) -> dict[str, xr.Dataset]:
    """Every encoder's group of a run, lazily: name -> Dataset with dims ``image, layer``.

    Args:
        out: a run's folder, or its ``features.zarr``.
        names: of the groups, where not all are wanted.

    Raises:
        InputError: there is no feature store, or a group's metadata are damaged.
    """
    path = store_place(out)
    if not path.is_dir():
        raise InputError(f"{path}: no feature store there; run a sweep first")
    there = sorted(p.parent.name for p in listing(path, "*/zarr.json"))
    return {name: _open(path, name) for name in there if names is None or name in names}


def store_place(out: str | Place) -> Place:
    """The store of a run: ``features.zarr`` in its folder, or itself."""
    path = place(out)
    return path if path.name == STORE else path / STORE


def _open(path: Place, name: str) -> xr.Dataset:
    where = path.absolute() if isinstance(path, Path) else path  # a worker of a cluster has another working folder
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Object at .* is not recognized", UserWarning)  # a stray file of a user's
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata", RuntimeWarning)
        try:
            return xr.open_zarr(str(where), group=name, chunks=None)
        except Exception as error:  # damaged metadata make zarr and xarray raise nearly every type
            check_answered(error, path / name)
            reason = " ".join(str(error).split())[:120]
            fix = "run the same sweep again, which mends what can be mended"
            raise DamagedError(f"{path / name}: can't be opened ({type(error).__name__}: {reason}); {fix}") from error


def metric_variables(group: xr.Dataset) -> list[str]:
    """The variables that are metrics, one number an image and layer (and head); token vectors are not among them."""
    return [str(name) for name, variable in group.data_vars.items() if variable.dims in METRIC_DIMS]
