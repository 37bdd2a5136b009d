"""VGG-16's layers over the images of a data set, as vectors of a random sample of each layer's units."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from memjax import devices
from memjax.axes import Image
from memjax.baselines.vgg import LAYERS, VGGParams, vgg_features
from memjax.datasets import Dataset, Failure
from memjax.images import normalise
from memjax.loader import batches
from memjax.preprocessing import Preprocessing
from memjax.progress import Advance

PREPROCESSING = Preprocessing(resize=256, crop=(224, 224), resample=2)
"""As torchvision prepares images for its VGG-16: shortest edge 256, centre crop 224, ImageNet's mean and deviation."""

IMAGES_PER_DEVICE = 8


@dataclass(frozen=True, eq=False)
class VGGVectors:
    """Vectors of the images that could be read.

    Attributes:
        positions: their rows in the data set's table.
        vectors: layer of `memjax.baselines.vgg.LAYERS` -> its sampled units.
        failures: images that could not be used, and why.
    """

    positions: Int[np.ndarray, " n"]
    vectors: dict[str, Float[np.ndarray, "n u"]]
    failures: list[Failure]


def sampled_layers(
    params: VGGParams, image: Image, rows: dict[str, Int[np.ndarray, " u"]]
) -> dict[str, Float[Array, " u"]]:
    """One image's layers, of each the units ``rows`` of its flattened form."""
    return {name: layer.reshape(-1)[rows[name]] for name, layer in vgg_features(params, image).items()}


def unit_samples(params: VGGParams, units: int, seed: int) -> dict[str, Int[np.ndarray, " u"]]:
    """Which units of each layer are kept: all, or a sorted random sample of ``units``; of the flattened layer."""
    shape = (*PREPROCESSING.image_size, 3)
    layers = jax.eval_shape(vgg_features, params, jax.ShapeDtypeStruct(shape, jnp.float32))
    rng = np.random.default_rng(seed)
    sizes = {name: int(np.prod(layers[name].shape)) for name in LAYERS}
    return {name: np.sort(rng.choice(size, min(size, units), replace=False)) for name, size in sizes.items()}


def vgg_vectors(dataset: Dataset, params: VGGParams, units: int, seed: int, advance: Advance) -> VGGVectors:
    """Every image through the network.

    Args:
        dataset: images, read as torchvision does (`PREPROCESSING`).
        params: from `memjax.baselines.vgg.load_vgg`.
        units: kept of each layer.
        seed: of the sample.
        advance: called with the number of images that were added.
    """
    mesh, rows = devices.data_mesh(), unit_samples(params, units, seed)
    placed = devices.replicate(params, mesh)
    run = devices.data_parallel(
        lambda params, pixels: jax.vmap(lambda image: sampled_layers(params, image, rows))(pixels), mesh
    )
    positions, parts, failures = [], [], list(dataset.rejected)
    for batch in batches(dataset, PREPROCESSING, IMAGES_PER_DEVICE * mesh.size):
        found = run(placed, devices.split(normalise(batch.pixels, PREPROCESSING), mesh))
        parts.append({name: np.asarray(values)[batch.valid] for name, values in found.items()})
        positions.append(batch.positions[batch.valid])
        failures += batch.failures
        advance(int((batch.positions >= 0).sum()))
    vectors = {name: np.concatenate([part[name] for part in parts]) for name in LAYERS}
    return VGGVectors(np.concatenate(positions), vectors, failures)
