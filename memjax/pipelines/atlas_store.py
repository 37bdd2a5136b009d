"""atlas.zarr: the images of each latent and the latents of each image, the largest few of both; a group for each autoencoder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from memjax.checks import unwritable
from memjax.pipelines.atlas_scoring import Mapped
from memjax.pipelines.sae_folders import folder_of

ATLAS = "atlas.zarr"

MOST_CATEGORIES = 200
"""Categories up to which the share of images that each latent fires for is kept of each."""


def group_named(one: Mapped) -> str:
    """The name of an autoencoder's group: token, layer, seed and fold."""
    return f"{one.measured.token}_{folder_of(one.measured.sae)}"


def latents_dataset(one: Mapped, ids: np.ndarray) -> xr.Dataset:
    """What is kept of one autoencoder.

    Args:
        one: its latents, scored.
        ids: of all images of its vectors.

    Returns:
        ``top_image`` and ``top_value``, dims ``latent, top``: positions along ``image``, -1 where there are fewer;
        ``largest_latent`` and ``largest_value``, dims ``image, largest``; ``category_rate``, dims ``latent, category``: the share
        of the category's images that a latent fires for, where there are categories, and not very many.
    """
    scores, sizes = one.measured.scores, one.measured.categories
    variables = {
        "top_image": (("latent", "top"), scores.top_images.astype(np.int32)),
        "top_value": (("latent", "top"), scores.top_values),
        "largest_latent": (("image", "largest"), one.largest),
        "largest_value": (("image", "largest"), one.largest_values),
    }
    coords = {"image": ids[one.images]}
    if 1 < len(sizes) <= MOST_CATEGORIES:
        rates = scores.by_category / np.maximum(sizes.to_numpy(), 1)
        variables["category_rate"] = (("latent", "category"), rates.astype(np.float32))
        coords["category"] = sizes.index.to_numpy(dtype=np.dtypes.StringDType())
    return xr.Dataset(variables, coords, {"token": one.measured.token, "scored": one.measured.how})


def write_atlas(found: Sequence[tuple[Mapped, np.ndarray]], out: Path) -> None:
    """Write every autoencoder's group; what an earlier run left is taken away first.

    Args:
        found: each with the ids of all images of its vectors.
        out: the run's folder.

    Raises:
        InputError: it cannot be written.
    """
    store = out / ATLAS
    try:
        if store.is_dir():
            shutil.rmtree(store)
        for one, ids in found:
            latents_dataset(one, ids).to_zarr(
                str(store), group=group_named(one), mode="a", zarr_format=3, consolidated=False
            )
    except OSError as error:
        raise unwritable("out", store, error, "out") from error


def read_atlas(out: Path) -> dict[str, xr.Dataset]:
    """Every group of an atlas, read when used."""
    names = sorted(path.parent.name for path in (out / ATLAS).glob("*/zarr.json"))
    return {
        name: xr.open_zarr(str((out / ATLAS).absolute()), group=name, chunks=None, consolidated=False) for name in names
    }
