"""VGG-16 (Simonyan & Zisserman 2015): seven layers of features for the CNN baselines (Lin et al. 2021), one image at a
time.

Weights in torchvision's layout (``features.{i}.weight``, ``classifier.{0,3}.weight``) as safetensors. Images are
``[y, x, 3]``, normalised with ImageNet's mean and standard deviation. Kernels are stored ``[y, x, in, out]``. Products are of
full float32 on every device.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from memjax.axes import Array, Float, Image
from memjax.baselines.convolutions import Convolution, FoundTensors
from memjax.checks import check_file
from memjax.models import hub
from memjax.models.layers import Linear, linear
from memjax.precision import full_precision

BLOCKS: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of each convolution, block by block; a 2 x 2 max pool ends a block."""

LAYERS = ("block1", "block2", "block3", "block4", "block5", "fc1", "fc2")
POOLED = 7
"""Rows and columns that the last pool is averaged to before fc1, as torchvision's AdaptiveAvgPool2d."""


@struct.dataclass
class VGGParams:
    """All weights but those of the ImageNet classifier."""

    blocks: tuple[tuple[Convolution, ...], ...]
    fc1: Linear
    fc2: Linear


def convolve_linear(params: Convolution, x: Float[Array, "y x i"]) -> Float[Array, "y x o"]:
    """3 x 3, stride 1, zero padding 1."""
    out = jax.lax.conv_general_dilated(
        x[None], params.kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return out[0] + params.bias[None, None, :]


def convolve(params: Convolution, x: Float[Array, "y x i"]) -> Float[Array, "y x o"]:
    """As `convolve_linear`, then ReLU."""
    return jax.nn.relu(convolve_linear(params, x))


def max_pool(x: Float[Array, "y x c"]) -> Float[Array, "y2 x2 c"]:
    """2 x 2, stride 2; an odd last row or column is left out."""
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 2, 1), (2, 2, 1), "VALID")


def average_matrix(source: int, target: int) -> np.ndarray:
    """``[target, source]`` weights of torch's adaptive average pool: cell i averages floor(i s/t) .. ceil((i+1) s/t)."""
    matrix = np.zeros((target, source), np.float32)
    for i in range(target):
        start, stop = (i * source) // target, -(-(i + 1) * source // target)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


@full_precision
def vgg_features(params: VGGParams, image: Image) -> dict[str, Array]:
    """The seven layers of one image.

    Args:
        params: from `load_vgg`.
        image: ``[y, x, 3]``, at least 32 pixels a side, normalised; 224 x 224 in training.

    Returns:
        Name of `LAYERS` -> ``[y, x, c]`` after each block's pool, and ``[4096]`` after ReLU for fc1 and fc2.

    Raises:
        ValueError: if the image is smaller than 32 pixels.

    Reference:
        Simonyan & Zisserman 2015, configuration D.
    """
    if min(image.shape[:2]) < 32:
        raise ValueError(f"image: expected at least 32 x 32 pixels for VGG-16, got {image.shape[:2]}")
    out, x = {}, jnp.asarray(image)
    for name, block in zip(LAYERS, params.blocks):
        for convolution in block:
            x = convolve(convolution, x)
        out[name] = x = max_pool(x)
    rows, columns = (jnp.asarray(average_matrix(s, POOLED), x.dtype) for s in x.shape[:2])
    pooled = jnp.einsum("ay,bx,yxc->cab", rows, columns, x)  # torch flattens channels first
    out["fc1"] = jax.nn.relu(linear(params.fc1, pooled.reshape(-1)))
    out["fc2"] = jax.nn.relu(linear(params.fc2, out["fc1"]))
    return out


def load_vgg(file: str | Path) -> VGGParams:
    """Read VGG-16's weights (float32).

    Args:
        file: safetensors with torchvision's names; the ImageNet classifier (``classifier.6``) is passed over.

    Raises:
        InputError: no such file, damaged, or naming every missing, left-over or wrongly shaped tensor at once.
    """
    path = check_file(file, "VGG-16 weights", "convert torchvision's vgg16 to safetensors")
    state = {k: v for k, v in hub.read_state([path]).items() if not k.startswith("classifier.6.")}
    found = FoundTensors(state)
    blocks, index, channels = [], 0, 3
    for widths in BLOCKS:
        block = []
        for width in widths:
            block.append(found.convolution(f"features.{index}", channels, width))
            index, channels = index + 2, width  # a ReLU stands between
        blocks.append(tuple(block))
        index += 1  # the pool
    full = []
    for index, inputs in ((0, channels * POOLED**2), (3, 4096)):
        kernel = found.take(f"classifier.{index}.weight", (4096, inputs))
        full.append(Linear(jnp.asarray(kernel.T), jnp.asarray(found.take(f"classifier.{index}.bias", (4096,)))))
    found.check_all_used(path, "VGG-16")
    return VGGParams(tuple(blocks), *full)
