"""Every metric of every layer for a batch of pictures: the encoder's pass with the metrics as its tap."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memjax import devices, metrics
from memjax.axes import Array, Float, Image, Levels, Pixels
from memjax.checks import expected
from memjax.encoder import Encoder
from memjax.levels import normalise_levels
from memjax.models.config import ViTConfig
from memjax.models.mae import mean_mae_loss, seeded_noise
from memjax.models.vit import ViTParams, forward
from memjax.precision import full_precision
from memjax.preprocessing import Preprocessing
from memjax.traces import BlockTrace, Layout

Table = dict[str, Float[Array, "*b l1"]]
TOKENS = ("cls", "mean")
MAE_SEEDS = 4
"""Masks over which ``mae_loss`` is averaged, the same for every image."""
CACHED_TOKENS = 1100
"""Tokens of one batch on one core: more leave its cache, fewer make thin products (benchmarks/README.md)."""


@full_precision
def image_features(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    layout: Layout,
    tokens: tuple[str, ...] = (),
    mae_seeds: int = MAE_SEEDS,
    patch_layers: tuple[int, ...] = (),
) -> dict[str, Array]:
    """One image: metric -> ``[l+1]``, and for each of ``tokens`` (``"cls"``, ``"mean"``) its vectors ``[l+1, d]``.

    Pure; vmap and jit outside. ``"cls"`` is the read-out token (the mean of all tokens where the encoder has no cls),
    ``"mean"`` the mean of the patches. With a decoder, ``mae_loss`` is the mean over ``mae_seeds`` masks (0: left out).
    With ``patch_layers``, ``"patches"`` has every patch at those layers, ``[len(patch_layers), p, d]``.
    """
    kept = (*tokens, "patches") if patch_layers else tokens

    def vectors(hidden: jax.Array) -> dict[str, jax.Array]:
        wide = hidden.astype(jnp.float32)
        patches = wide[layout.prefix :]
        made = {
            "cls": metrics.activation.readout(hidden, layout),
            "mean": patches.mean(axis=0),
            "patches": patches,
        }
        return {name: made[name] for name in kept}

    def tap(block: BlockTrace) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        return metrics.measure_block(block, layout), vectors(block.after)

    out = forward(params, image.astype(params.patch.kernel.dtype), config, tap)
    measured, stacked = out.tapped
    first = vectors(out.embedded)
    represented = {name: jnp.concatenate([first[name][None], stacked[name]]) for name in kept}
    if patch_layers:
        represented["patches"] = represented["patches"][np.array(patch_layers)]
    table = metrics.assemble(out.embedded, out.last, measured, layout)
    if "mae_loss" in variables(config, (), mae_seeds):
        noise = seeded_noise(config.grid[0] * config.grid[1], mae_seeds)
        loss = mean_mae_loss(params, image.astype(jnp.float32), jnp.asarray(noise), config)
        table["mae_loss"] = metrics.at_last_layer(loss, config.depth)
    return table | represented


def variables(
    config: ViTConfig,
    tokens: tuple[str, ...] = (),
    mae_seeds: int = MAE_SEEDS,
    patch_layers: tuple[int, ...] = (),
    image: tuple[int, int] | None = None,
) -> dict[str, tuple[int, ...]]:
    """What `image_features` gives for an architecture: name -> shape of one image's values.

    ``image`` is the size of the pictures where it is not the configuration's (interpolated positions).

    Raises:
        InputError: a patch layer that the architecture does not have.
    """
    if wrong := [layer for layer in patch_layers if not 0 <= layer <= config.depth]:
        raise expected("patch layers", f"among 0 to {config.depth}", wrong)
    decodes = config.decoder is not None and mae_seeds > 0
    metric = {name: (config.depth + 1,) for name in metrics.METRICS if decodes or name != "mae_loss"}
    shapes = metric | dict.fromkeys(tokens, (config.depth + 1, config.width))
    rows, columns = (size // config.patch for size in image or config.image)
    patches = (len(patch_layers), rows * columns, config.width)
    return shapes | ({"patches": patches} if patch_layers else {})


def working_bytes(config: ViTConfig, image: tuple[int, int], shapes: dict[str, tuple[int, ...]]) -> int:
    """Memory that one picture of a batch needs on its device, in bytes; a bound from above, checked against XLA's own count.

    Of one block at a time: the residual stream, its normed copy, queries, keys, values and their sum; the MLP twice; attention
    logits and probabilities. Besides, the pixels twice and whatever is kept of every layer.

    Args:
        config: the architecture.
        image: the picture's size ``(y, x)``.
        shapes: what is kept (`variables`).
    """
    tokens = (image[0] // config.patch) * (image[1] // config.patch) + config.layout.prefix
    block = tokens * (6 * config.width + 2 * config.mlp_width) + 2 * config.heads * tokens**2
    vectors = {2: config.depth + 1, 3: tokens * (config.depth + 1)}
    kept = sum(vectors[len(shape)] * config.width for shape in shapes.values() if len(shape) in vectors)
    return 4 * (block + 2 * 3 * image[0] * image[1] + kept)


@functools.lru_cache(maxsize=16)
def compiled(
    config: ViTConfig,
    layout: Layout,
    tokens: tuple[str, ...],
    mesh: jax.sharding.Mesh,
    mae_seeds: int = MAE_SEEDS,
    patch_layers: tuple[int, ...] = (),
    levels: Preprocessing | None = None,
) -> Callable[..., Any]:
    """The jitted, data-parallel ``(params, pixels) -> table`` of an architecture; traced once for each batch shape.

    With ``levels`` the pixels are the loader's grey levels, uint8, and normalised on the device, which has a quarter of the
    bytes sent to it (`memjax.levels.normalise_levels`); otherwise they are normalised already.
    """

    def batched(params: ViTParams, pixels: Pixels | Levels) -> dict[str, Array]:
        def one(image: Array) -> dict[str, Array]:
            if levels is not None:
                image = normalise_levels(image, levels)
            return image_features(params, image, config, layout, tokens, mae_seeds, patch_layers)

        return jax.vmap(one)(pixels)

    return devices.data_parallel(batched, mesh)


def pictures_a_device(encoder: Encoder) -> int:
    """Pictures in one device's batch where nobody says how many.

    On a CPU the largest power of two, up to 64, whose tokens stay within `CACHED_TOKENS` (at least 1): 4 for 257 or 197
    tokens, 16 for 50. On other devices 256: there memory decides (`memjax.extract.batch_size`).
    """
    if jax.default_backend() != "cpu":
        return 256
    y, x = encoder.preprocessing.image_size
    tokens = (y // encoder.config.patch) * (x // encoder.config.patch) + encoder.config.layout.prefix
    return 2 ** min(6, max(1, CACHED_TOKENS // tokens).bit_length() - 1)


def features(encoder: Encoder, pixels: Pixels, protocol: str = "native", mae_seeds: int = MAE_SEEDS) -> Table:
    """Every metric at every layer, for a batch, on all devices of this process.

    Args:
        encoder: from `memjax.load`.
        pixels: ``[b, y, x, 3]`` float32, from `memjax.read_images`.
        protocol: ``"native"`` or ``"paper"``; they differ for encoders without a cls token (SigLIP), see
            `memjax.traces.Layout.under`.
        mae_seeds: masks over which ``mae_loss`` of an encoder with a decoder (ViT-MAE) is averaged; each is made by its
            own seed and shared by all images. 0 leaves it out.

    Returns:
        metric name -> float32 ``[b, l+1]``; NaN where a metric has no value (attention at layer 0; the metrics of a
        whole image everywhere but at the last layer). Names and units: `memjax.METRICS`.

    Raises:
        ValueError: for another protocol, fewer than 0 masks, or pictures of another size than the encoder takes.

    Example:
        >>> import numpy as np, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> table = memjax.features(encoder, np.zeros((3, *encoder.config.image, 3), np.float32))
        >>> table["attention_entropy"].shape == (3, encoder.config.depth + 1)
        True
    """
    if mae_seeds < 0:
        raise ValueError(f"mae_seeds: expected 0 or more, got {mae_seeds}")
    mesh = devices.data_mesh()
    run = compiled(encoder.config, encoder.config.layout.under(protocol), (), mesh, mae_seeds)
    count = pixels.shape[0]
    padded = devices.pad_to(jnp.asarray(pixels, jnp.float32), mesh.size)
    return {name: x[:count] for name, x in run(encoder.params, padded).items()}
