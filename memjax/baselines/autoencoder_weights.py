"""The weights that a VGG-16 autoencoder starts from: a whole pretrained autoencoder, or VGG-16 with a decoder from a seed."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp

from memjax.baselines.autoencoder import BatchNorm, DecoderBlock, ImageAutoencoder, NormedConvolution, seeded_decoder
from memjax.baselines.convolutions import Convolution, FoundTensors
from memjax.baselines.kinds import Origin
from memjax.baselines.vgg import BLOCKS, load_vgg
from memjax.checks import check_file
from memjax.models import hub

PREFIX = "module."
"""Of the names of a network that torch trained on several devices."""


class Start(NamedTuple):
    """What the training starts from, and where that comes from."""

    params: ImageAutoencoder
    origin: Origin


def load_autoencoder(file: str | Path, seed: int = 0) -> Start:
    """Read the weights of an autoencoder, or of VGG-16 for its encoder.

    Args:
        file: safetensors: either with the names of the ImageNet autoencoder that Bagheri & Mohsenzadeh start from
            (``encoder.conv1.0 EncoderLayer.layer.0.weight``, its batch norms with it), or torchvision's vgg16, whose decoder is
            then drawn from ``seed``.
        seed: of the decoder.

    Raises:
        InputError: no such file, damaged, or naming every tensor that does not fit.
    """
    path = check_file(file, "autoencoder weights", "convert the state dict to safetensors", argument="autoencoder")
    names = hub.read_header([path])
    if not any(name.removeprefix(PREFIX).startswith(("encoder.", "decoder.")) for name in names):
        blocks = tuple(tuple(NormedConvolution(one, None) for one in block) for block in load_vgg(path).blocks)
        params = seeded_decoder(seed, blocks, normalised=True)
        return Start(params, "VGG-16, decoder from a seed")
    found = FoundTensors({name.removeprefix(PREFIX): value for name, value in hub.read_state([path]).items()})
    params = autoencoder_from(found, BLOCKS)
    found.check_all_used(path, "the VGG-16 autoencoder")
    return Start(params, "pretrained autoencoder")


def autoencoder_from(found: FoundTensors, widths: tuple[tuple[int, ...], ...]) -> ImageAutoencoder:
    """An autoencoder from its named tensors.

    Args:
        found: what the file has.
        widths: channels of each convolution of the encoder, block by block.
    """
    encoder, decoder, channels = [], [], 3
    for number, block in enumerate(widths, 1):
        layers = []
        for i, width in enumerate(block):
            key = f"encoder.conv{number}.{i} EncoderLayer.layer"
            convolution = found.convolution(f"{key}.0", channels, width)
            layers.append(NormedConvolution(convolution, _norm(found, f"{key}.1", width)))
            channels = width
        encoder.append(tuple(layers))
    for number, block in enumerate(reversed(widths), 1):
        wide, place = block[-1], len(widths) - number
        narrow = widths[place - 1][-1] if place else 3
        up = found.take(f"decoder.conv{number}.0 UpSampling.weight", (wide, wide, 2, 2)).transpose(2, 3, 0, 1)
        bias = found.take(f"decoder.conv{number}.0 UpSampling.bias", (wide,))
        layers = []
        for i in range(1, len(block) + 1):
            key = f"decoder.conv{number}.{i} DecoderLayer.layer"
            norm = _norm(found, f"{key}.0", wide)
            layers.append(
                NormedConvolution(found.convolution(f"{key}.2", wide, narrow if i == len(block) else wide), norm)
            )
        decoder.append(DecoderBlock(Convolution(jnp.asarray(up), jnp.asarray(bias)), tuple(layers)))
    return ImageAutoencoder(tuple(encoder), tuple(decoder))


def _norm(found: FoundTensors, key: str, width: int) -> BatchNorm:
    found.left.pop(f"{key}.num_batches_tracked", None)  # counts batches, and has no part in any value
    parts = ("weight", "bias", "running_mean", "running_var")
    scale, offset, mean, variance = (jnp.asarray(found.take(f"{key}.{part}", (width,))) for part in parts)
    if (variance < 0).any():
        found.problems.append(f"{key}.running_var is below 0")
    return BatchNorm(scale, offset, mean, variance)
