"""A pretrained encoder, ready to use: architecture, parameters and preprocessing together."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp

from memjax.axes import Pixels
from memjax.checks import expected
from memjax.models import presets, read_checkpoint
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, forward, pool
from memjax.naming import printable
from memjax.preprocessing import Preprocessing, preprocessing_from_config
from memjax.traces import Trace

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """What `load` returns.

    Attributes:
        config: the architecture, frozen and hashable (static under jit).
        params: a pytree of `ViTParams`; its dtype is the compute dtype.
        preprocessing: how an image becomes pixels.
        name: as it was asked for.
        revision: the hub's commit, ``"local"`` or ``"packaged"``.
        checksum: SHA-256 of the weights.
    """

    config: ViTConfig
    params: ViTParams
    preprocessing: Preprocessing
    name: str
    revision: str
    checksum: str

    @property
    def dtype(self) -> str:
        """The compute type, that of the parameters."""
        return str(self.params.patch.kernel.dtype)

    @property
    def label(self) -> str:
        """The name it goes by in tables and stores: its hub id, or its folder's name."""
        return printable(Path(self.name).resolve().name if self.revision == "local" else self.name)


def load(name: str, dtype: str = "float32") -> Encoder:
    """Load a pretrained encoder.

    Args:
        name: a hub id (``facebook/dinov2-small``, optionally ``@revision``), ``memjax/tiny`` (packaged), or a local
            folder in Hugging Face layout: config.json, model.safetensors, optional preprocessor_config.json.
        dtype: compute type, ``"float32"`` or ``"bfloat16"``; norms, softmax and metrics stay in float32.

    Returns:
        An `Encoder`.

    Raises:
        memjax.checks.InputError: no such model, no weights, or tensors that do not fit, all named.

    Example:
        >>> import memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> encoder.config.family
        'vit_mae'
    """
    if dtype not in DTYPES:
        raise expected("dtype", " or ".join(DTYPES), dtype)
    loaded = read_checkpoint(name)
    config = loaded.config
    processor = loaded.processor or presets.processor(config.family, config.image[0])
    return Encoder(
        config=config,
        params=jax.tree.map(lambda x: jnp.asarray(x, dtype), loaded.params),
        preprocessing=preprocessing_from_config(processor),
        name=loaded.location.name,
        revision=loaded.location.revision,
        checksum=loaded.checksum,
    )


def encoders() -> tuple[presets.Preset, ...]:
    """The published checkpoints that memjax knows by name: a table of `memjax.models.presets.Preset` rows.

    Example:
        >>> import memjax
        >>> sorted({row.family for row in memjax.encoders()})[:3]
        ['clip', 'deit', 'dinov2']
    """
    return presets.PRESETS


@functools.partial(jax.jit, static_argnames="config")
def _trace(params: ViTParams, pixels: Pixels, config: ViTConfig) -> Trace:
    def one(image: jax.Array) -> Trace:
        out = forward(params, image.astype(params.patch.kernel.dtype), config)
        hidden = jnp.concatenate([out.embedded[None], out.tapped.after])
        return Trace(hidden=hidden, attention=out.tapped.attention, pooled=pool(params, out.last, config)[0])

    return jax.vmap(one)(pixels)


def trace(encoder: Encoder, pixels: Pixels) -> Trace:
    """Everything an encoder does with a batch: hidden states and attention of every layer.

    It holds every layer's attention; for many images use `memjax.features`, or `memjax.encode` with a tap.

    Args:
        encoder: from `load`.
        pixels: ``[b, y, x, 3]`` float32, from `memjax.read_images`.

    Returns:
        `Trace`: ``.hidden [b, l+1, t, d]`` (0 enters block 1, i leaves block i, before any final norm),
        ``.attention [b, l, h, t, s]``, ``.pooled [b, e]``.

    Example:
        >>> import numpy as np, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> trace = memjax.trace(encoder, np.zeros((2, *encoder.config.image, 3), np.float32))
        >>> trace.hidden.shape[1] == encoder.config.depth + 1
        True
    """
    return _trace(encoder.params, jnp.asarray(pixels), encoder.config)
