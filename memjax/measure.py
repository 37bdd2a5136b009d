"""Every metric of every layer for a batch of pictures: the encoder's pass with the metrics as its tap."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from memjax import devices, metrics
from memjax.axes import Array, Float, Image, Pixels
from memjax.encoder import Encoder
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, forward
from memjax.traces import BlockTrace, Layout

Table = dict[str, Float[Array, "*b l1"]]
TOKENS = ("cls", "mean")


def image_features(
    params: ViTParams, image: Image, config: ViTConfig, layout: Layout, tokens: tuple[str, ...] = ()
) -> dict[str, Array]:
    """One image: metric -> ``[l+1]``, and for each of ``tokens`` (``"cls"``, ``"mean"``) its vectors ``[l+1, d]``.

    Pure; vmap and jit outside. ``"cls"`` is the read-out token (the mean of all tokens where the encoder has no cls),
    ``"mean"`` the mean of the patches.
    """

    def vectors(hidden: jax.Array) -> dict[str, jax.Array]:
        wide = hidden.astype(jnp.float32)
        made = {"cls": metrics.activation.readout(hidden, layout), "mean": wide[layout.prefix :].mean(axis=0)}
        return {name: made[name] for name in tokens}

    def tap(block: BlockTrace) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        return metrics.measure_block(block, layout), vectors(block.after)

    out = forward(params, image.astype(params.patch.kernel.dtype), config, tap)
    measured, stacked = out.tapped
    first = vectors(out.embedded)
    represented = {name: jnp.concatenate([first[name][None], stacked[name]]) for name in tokens}
    return metrics.assemble(out.embedded, out.last, measured, layout) | represented


def variables(config: ViTConfig, tokens: tuple[str, ...] = ()) -> dict[str, tuple[int, ...]]:
    """What `image_features` gives for an architecture: name -> shape of one image's values."""
    metric = dict.fromkeys(metrics.METRICS, (config.depth + 1,))
    return metric | dict.fromkeys(tokens, (config.depth + 1, config.width))


@functools.lru_cache(maxsize=16)
def compiled(config: ViTConfig, layout: Layout, tokens: tuple[str, ...], mesh: jax.sharding.Mesh) -> Callable[..., Any]:
    """The jitted, data-parallel ``(params, pixels) -> table`` of an architecture; traced once for each batch shape."""

    def batched(params: ViTParams, pixels: Pixels) -> dict[str, Array]:
        return jax.vmap(lambda image: image_features(params, image, config, layout, tokens))(pixels)

    return devices.data_parallel(batched, mesh)


def features(encoder: Encoder, pixels: Pixels, protocol: str = "native") -> Table:
    """Every metric at every layer, for a batch, on all devices of this process.

    Args:
        encoder: from `memjax.load`.
        pixels: ``[b, y, x, 3]`` float32, from `memjax.read_images`.
        protocol: ``"native"`` or ``"paper"``; they differ for encoders without a cls token (SigLIP), see
            `memjax.traces.Layout.under`.

    Returns:
        metric name -> float32 ``[b, l+1]``; NaN where a metric has no value (attention at layer 0; the metrics of a
        whole image everywhere but at the last layer). Names and units: `memjax.METRICS`.

    Raises:
        ValueError: for another protocol, or pictures of another size than the encoder takes.

    Example:
        >>> import numpy as np, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> table = memjax.features(encoder, np.zeros((3, *encoder.config.image, 3), np.float32))
        >>> table["attention_entropy"].shape == (3, encoder.config.depth + 1)
        True
    """
    mesh = devices.data_mesh()
    run = compiled(encoder.config, encoder.config.layout.under(protocol), (), mesh)
    count = pixels.shape[0]
    padded = devices.pad_to(jnp.asarray(pixels, jnp.float32), mesh.size)
    return {name: x[:count] for name, x in run(encoder.params, padded).items()}
