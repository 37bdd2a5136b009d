"""A pretrained encoder, ready to use: architecture, parameters and preprocessing together."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp

from memjax.axes import Pixels
from memjax.checks import InputError, check_file, check_kind, expected
from memjax.models import Loaded, presets, read_checkpoint
from memjax.models.config import ViTConfig
from memjax.models.hub import MOST_JSON
from memjax.models.processor_files import image_processor
from memjax.models.sizes import MOST_PATCHES
from memjax.models.untrained import UNTRAINED, untrained_label
from memjax.models.vit import ViTParams, forward, pool
from memjax.naming import printable
from memjax.pixels import checked_pixels
from memjax.precision import Precision, check_precision
from memjax.preprocessing import BY_FAMILY, Preprocessing, preprocessing_from_config
from memjax.storage import read_json
from memjax.traces import Trace

DTYPES = ("float32", "bfloat16")
TORCHVISION = ("timm", "open_clip")
"""Families whose libraries crop with torchvision (`memjax.preprocessing.Preprocessing.centre`)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """What `load` returns.

    Attributes:
        config: the architecture, frozen and hashable (static under jit).
        params: a pytree of `ViTParams`; its dtype is the compute dtype.
        preprocessing: how an image becomes pixels.
        name: as it was asked for.
        revision: the hub's commit, ``"local"``, ``"packaged"`` or ``"untrained"``.
        checksum: SHA-256 of the weights.
        precision: of products of float32 (`memjax.precision`).
    """

    config: ViTConfig
    params: ViTParams
    preprocessing: Preprocessing
    name: str
    revision: str
    checksum: str
    precision: Precision = "highest"

    def __repr__(self) -> str:
        c, size = self.config, self.preprocessing.crop or self.preprocessing.resize
        x, y = size[::-1] if isinstance(size, tuple) else ("any", "any")
        values = sum(getattr(leaf, "size", 0) for leaf in jax.tree.leaves(self.params))
        return (
            f"<Encoder {self.label} ({c.family}): {c.depth} layers, width {c.width}, {c.heads} heads, patches of {c.patch} "
            f"pixels, images of {x} x {y}, {values:,} parameters, {self.dtype}>"
        )

    @property
    def dtype(self) -> str:
        """The compute type, that of the parameters."""
        return str(self.params.patch.kernel.dtype)

    @property
    def label(self) -> str:
        """The name it goes by in tables and stores: its hub id, or its folder's name."""
        if self.revision == UNTRAINED:
            return printable(untrained_label(self.name))
        return printable(Path(self.name).resolve().name if self.revision == "local" else self.name)


def load(
    name: str | Path, dtype: str = "float32", preprocessing: str | Path | None = None, precision: Precision = "highest"
) -> Encoder:
    """Load a pretrained encoder.

    Args:
        name: a hub id (``facebook/dinov2-small``, optionally ``@revision``), ``memjax/tiny`` (packaged), or a local
            folder in Hugging Face layout: config.json, model.safetensors, optional preprocessor_config.json, or in timm's or
            OpenCLIP's (docs/encoders.md); or
            ``memjax/random:`` and one of these, optionally ``#seed``: its architecture with weights that are drawn.
        dtype: compute type, ``"float32"`` or ``"bfloat16"``; norms, softmax and metrics stay in float32.
        preprocessing: how pixels are made if the checkpoint has no file that says so: a preprocessor_config.json, or a family
            (``vit``, ``vit_mae``, ...) whose published way is taken. Without it the checkpoint's own family's is assumed or,
            where checkpoints of the family differ, images are refused (`memjax.preprocessing.Preprocessing.origin`).
        precision: of matrix products of float32, in all that is computed with the encoder: ``"highest"``, the same numbers on
            every device; ``"high"``, three bfloat16 passes on a TPU; ``"default"``, the hardware's fastest: one bfloat16 pass
            on a TPU, TF32 on NVIDIA. On a CPU all three are the same (`memjax.precision`).

    Returns:
        An `Encoder`.

    Raises:
        memjax.checks.InputError: no such model, no weights, tensors that do not fit, all named, or images whose size does not
            fit the encoder.

    Example:
        >>> import memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> encoder.config.family
        'vit_mae'
    """
    fix = "it is loaded already" if isinstance(name, Encoder) else "load one encoder at a time, by its name"
    check_kind(name, (str, Path), "name", "a hub id or a folder", fix)
    if dtype not in DTYPES:
        raise expected("dtype", " or ".join(DTYPES), dtype)
    check_precision(precision)
    loaded = read_checkpoint(str(name))
    return Encoder(
        config=loaded.config,
        params=jax.tree.map(lambda x: jnp.asarray(x, dtype), loaded.params),
        preprocessing=_preprocessing(loaded, preprocessing),
        name=loaded.location.name,
        revision=loaded.location.revision,
        checksum=loaded.checksum,
        precision=precision,
    )


def _preprocessing(loaded: Loaded, stated: str | Path | None) -> Preprocessing:
    """What the checkpoint says, else what the caller states, else what its family's checkpoints have in common.

    Raises:
        InputError: a file that cannot be read as one, or images that do not fit the encoder.
    """
    config, folder = loaded.config, loaded.location.folder
    if loaded.processor is not None:
        pre = preprocessing_from_config(loaded.processor, loaded.processor_file, config.family)
        if config.family in TORCHVISION:
            pre = dataclasses.replace(pre, centre="even")
        return _fitting(pre, config, loaded.processor_file)
    if stated is not None:
        return _fitting(_stated(stated, config), config, f"preprocessing {stated} of {folder}")
    pre = preprocessing_from_config(presets.processor(config.family, config.image))
    origin = "unknown" if presets.is_ambiguous(config.family, config.pool) else "assumed"
    return _fitting(dataclasses.replace(pre, origin=origin), config, str(folder))


def _stated(stated: str | Path, config: ViTConfig) -> Preprocessing:
    """From a family's name or a file."""
    if stated in BY_FAMILY:
        return preprocessing_from_config(presets.processor(str(stated), config.image))
    fix = f"name a file, or one of {', '.join(BY_FAMILY)}"
    file = check_file(stated, "preprocessing", fix, argument="preprocessing")
    return preprocessing_from_config(image_processor(file) or read_json(file, MOST_JSON), str(file), config.family)


def _fitting(pre: Preprocessing, config: ViTConfig, where: str) -> Preprocessing:
    """``pre``, if the encoder can take its images.

    Raises:
        InputError: they are of another size than the positions, which do not stretch; less than a patch; or too many patches.
    """
    (y, x), (rows, columns) = pre.image_size, config.grid_of(pre.image_size)
    if config.position == "learned" and not config.interpolate and (y, x) != config.image:
        wide, high = config.image[1], config.image[0]
        wanted = (
            f"images of {wide} x {high} pixels, for which this {config.family} has positions (config.json, image_size)"
        )
        raise expected(where, wanted, f"{x} x {y}", "make both files say the same size")
    if not 0 < rows * columns <= MOST_PATCHES:
        raise InputError(f"{where}: images of {x} x {y} pixels have {rows * columns} patches of {config.patch} pixels")
    return pre


def check_encoder(encoder: object) -> None:
    """Refuse what is no encoder.

    Raises:
        InputError: it is a name, or something else.

    Example:
        >>> check_encoder("memjax/tiny")
        Traceback (most recent call last):
        memjax.checks.InputError: encoder: expected an Encoder, got the text 'memjax/tiny'; memjax.load('memjax/tiny') gives one
    """
    named = isinstance(encoder, str)
    fix = f"memjax.load({encoder!r}) gives one" if named else "memjax.load(name) gives one"
    check_kind(encoder, Encoder, "encoder", "an Encoder", fix)


def encoders() -> tuple[presets.Preset, ...]:
    """The published checkpoints that memjax knows by name: a table of `memjax.models.presets.Preset` rows.

    Example:
        >>> import memjax
        >>> sorted({row.family for row in memjax.encoders()})[:3]
        ['clip', 'deit', 'dinov2']
    """
    return presets.PRESETS


@functools.partial(jax.jit, static_argnames=("config", "precision"))
def _trace(params: ViTParams, pixels: Pixels, config: ViTConfig, precision: Precision) -> Trace:
    def one(image: jax.Array) -> Trace:
        out = forward(params, image.astype(params.patch.kernel.dtype), config, precision=precision)
        hidden = jnp.concatenate([out.embedded[None], out.tapped.after])
        pooled, _ = pool(params, out.last, config, precision)
        return Trace(hidden=hidden, attention=out.tapped.attention, pooled=pooled)

    return jax.vmap(one)(pixels)


def trace(encoder: Encoder, pixels: Pixels) -> Trace:
    """Everything an encoder does with a batch: hidden states and attention of every layer.

    It holds every layer's attention; for many images use `memjax.features`, or `memjax.encode` with a tap.
    Type and precision are the encoder's: ``memjax.load(name, dtype=.., precision=..)``.

    Args:
        encoder: from `load`.
        pixels: ``[b, y, x, 3]`` float32, from `memjax.read_images`. In NumPy's memory their values are looked at too: see
            `memjax.pixels`.

    Returns:
        `Trace`: ``.hidden [b, l+1, t, d]`` (0 enters block 1, i leaves block i, before any final norm),
        ``.attention [b, l, h, t, s]``, ``.pooled [b, e]``.

    Raises:
        InputError: no encoder, no pixels, or images of another size than the encoder takes.

    Example:
        >>> import numpy as np, memjax
        >>> encoder = memjax.load("memjax/tiny")
        >>> trace = memjax.trace(encoder, np.zeros((2, *encoder.config.image, 3), np.float32))
        >>> trace.hidden.shape[1] == encoder.config.depth + 1
        True
    """
    check_encoder(encoder)
    pixels = checked_pixels(pixels, encoder.preprocessing)
    return _trace(encoder.params, jnp.asarray(pixels), encoder.config, encoder.precision)
