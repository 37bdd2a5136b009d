"""Every metric of every layer for a batch of images: the encoder's pass with the metrics as its tap."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from memjax import devices
from memjax.axes import Array, Float, Hidden, Image, Levels, Pixels, Scalar
from memjax.checks import expected
from memjax.encoder import Encoder, check_encoder
from memjax.levels import normalise_levels
from memjax.metrics import Metric, assemble, measure_block, requested
from memjax.metrics.activation import readout_token
from memjax.models.config import ViTConfig
from memjax.models.mae import mean_mae_loss, seeded_noise
from memjax.models.vit import Output, ViTParams, forward, pool
from memjax.pixels import checked_pixels
from memjax.precision import Precision, at_its_precision
from memjax.preprocessing import Preprocessing
from memjax.selection import MAE_SEEDS, Selection, check_metrics
from memjax.traces import BlockTrace, ImageTrace, Layout

Table = dict[str, Float[Array, "b l1 ..."]]
Values = dict[str, Array]


@at_its_precision
def image_features(
    params: ViTParams,
    image: Image,
    config: ViTConfig,
    layout: Layout,
    selection: Selection | None = None,
    precision: Precision = "highest",
) -> Values:
    """One image: metric -> ``[l+1]`` (``[l+1, h]`` where it is per head), and the vectors that are kept.

    Pure; vmap and jit outside.

    Args:
        params: the encoder's.
        image: ``[y, x, 3]``, normalised.
        config: the architecture.
        layout: how its tokens are read, ``config.layout.under(protocol)``.
        selection: what is kept; by default the default metrics alone.
        precision: of the encoder's products of float32, and of those in metrics that do not state their own (static).

    Returns:
        name -> values, with the axes of `memjax.selection.variables`: tokens ``[l+1, d]``, patches ``[layers, p, d]``, what
        the head makes of the last layer ``[e]``.
    """
    reader = Reader(config, layout.on(config.grid_of(image.shape)), selection or Selection())
    out = forward(params, image.astype(params.patch.kernel.dtype), config, reader.tap, precision)
    return reader.values(params, image, out, precision)


@dataclasses.dataclass(frozen=True)
class Reader:
    """What is read of one image while an encoder runs, and what is made of it; pure.

    Attributes:
        config: the architecture.
        layout: how its tokens are read, with the image's grid.
        selection: what is kept.
    """

    config: ViTConfig
    layout: Layout
    selection: Selection

    def tap(self, block: BlockTrace) -> tuple[Values, Values]:
        """The metrics of one block, and the vectors of what leaves it."""
        measured = measure_block(block, self.layout, self.selection.available(self.config))
        return measured, self._vectors(block.after)

    def _vectors(self, hidden: Hidden) -> Values:
        patches = hidden.astype(jnp.float32)[self.layout.prefix :]
        made = {"cls": readout_token(hidden, self.layout), "mean": patches.mean(axis=0), "patches": patches}
        return {name: made[name] for name in self.selection.vectors()}

    def values(self, params: ViTParams, image: Image, out: Output, precision: Precision) -> Values:
        """What `image_features` returns, of an image whose pass has been made with `tap`."""
        config, chosen = self.config, self.selection
        measured, stacked = out.tapped
        kept = {name: jnp.concatenate([x[None], stacked[name]]) for name, x in self._vectors(out.embedded).items()}
        if chosen.patch_layers:
            kept["patches"] = kept["patches"][np.array(chosen.patch_layers)]
        if chosen.keeps_pooled(config):
            kept["pooled"] = pool(params, out.last, config, precision)[0].astype(jnp.float32)
        loss = decoder_loss(params, image, config, chosen, precision)
        whole = ImageTrace(pixels=image, embedded=out.embedded, last=out.last, decoder_loss=loss)
        return assemble(whole, measured, config.depth, self.layout, chosen.available(config)) | kept


def decoder_loss(
    params: ViTParams, image: Image, config: ViTConfig, selection: Selection, precision: Precision = "highest"
) -> Scalar | None:
    """`memjax.models.mae.mean_mae_loss` over the selection's masks; None where no metric needs it."""
    if not any(row.needs == "decoder" for row in selection.available(config).values()):
        return None
    noise = seeded_noise(config.grid[0] * config.grid[1], selection.mae_seeds)
    return mean_mae_loss(params, image.astype(jnp.float32), jnp.asarray(noise), config, precision)


@functools.lru_cache(maxsize=16)
def compiled(
    config: ViTConfig,
    layout: Layout,
    selection: Selection,
    mesh: jax.sharding.Mesh,
    levels: Preprocessing | None = None,
    precision: Precision = "highest",
) -> Callable[[ViTParams, Pixels | Levels], Values]:
    """The jitted, data-parallel ``(params, pixels) -> table`` of an architecture; traced once for each batch shape.

    With ``levels`` the pixels are the loader's grey levels, uint8, and normalised on the device, which has a quarter of the
    bytes sent to it (`memjax.levels.normalise_levels`); otherwise they are normalised already.
    ``precision`` is that of `image_features`.
    """

    def one(params: ViTParams, image: Array) -> Values:
        pixels = image if levels is None else normalise_levels(image, levels)
        return image_features(params, pixels, config, layout, selection, precision)

    return devices.data_parallel(jax.vmap(one, in_axes=(None, 0)), mesh)


def features(
    encoder: Encoder,
    pixels: Pixels,
    protocol: str = "native",
    mae_seeds: int = MAE_SEEDS,
    metrics: Mapping[str, Metric] | Sequence[str] | None = None,
) -> Table:
    """Every metric at every layer, for a batch, on all devices of this process.

    Type and precision are the encoder's: ``memjax.load(name, dtype=.., precision=..)``.

    Args:
        encoder: from `memjax.load`.
        pixels: ``[b, y, x, 3]`` float32, from `memjax.read_images`. In NumPy's memory their values are looked at too: see
            `memjax.pixels`.
        protocol: ``"native"`` or ``"paper"``; they differ for encoders without a cls token (SigLIP), see
            `memjax.traces.Layout.under`.
        mae_seeds: masks over which ``mae_loss`` of an encoder with a decoder (ViT-MAE) is averaged; each is made by its
            own seed and shared by all images. 0 leaves it out.
        metrics: names of `memjax.METRICS` (or ``"default"``, ``"all"``); or a mapping name -> `memjax.Metric` of your own,
            measured beside the default ones.

    Returns:
        metric name -> float32 ``[b, l+1]``, ``[b, l+1, h]`` where it is per head; NaN where a metric has no value
        (attention at layer 0; the metrics of a whole image everywhere but at the last layer). Names and units:
        `memjax.METRICS`.

    Raises:
        InputError: no encoder, no pixels, images of another size than the encoder takes; another protocol, fewer than 0 masks;
            an unknown metric, or one whose function raises or gives no float of the right shape.

    Example:
        >>> import numpy as np, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> table = memjax.features(encoder, np.zeros((3, *encoder.config.image, 3), np.float32))
        >>> table["attention_entropy"].shape == (3, encoder.config.depth + 1)
        True
    """
    check_encoder(encoder)
    pixels = checked_pixels(pixels, encoder.preprocessing)
    if mae_seeds < 0:
        raise expected("mae_seeds", "0 or more", mae_seeds, argument="mae_seeds")
    selection = Selection(tuple(requested(metrics).items()), mae_seeds=mae_seeds)
    layout, mesh = encoder.config.layout.under(protocol), devices.data_mesh()
    check_metrics(encoder.config, layout, selection, (pixels.shape[1], pixels.shape[2]))
    run = compiled(encoder.config, layout, selection, mesh, precision=encoder.precision)
    count = pixels.shape[0]
    padded = devices.pad_to(jnp.asarray(pixels, jnp.float32), mesh.size)
    return {name: x[:count] for name, x in run(encoder.params, padded).items()}
