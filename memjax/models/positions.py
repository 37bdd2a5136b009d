"""Positions of patches: stretching a learned table to another grid, and the fixed sin-cos table of ViT-MAE."""

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange

from memjax.axes import Array, Float, Tokens


def bicubic_matrix(source: int, target: int) -> np.ndarray:
    """``[target, source]`` weights of torch's bicubic ``interpolate(align_corners=False)``: a = -0.75, no antialias.

    ``jax.image.resize`` uses a = -0.5 and antialiases, so it gives other numbers. Edges are clamped, as in torch.
    """
    a = -0.75
    place = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(place).astype(np.int64)
    matrix = np.zeros((target, source))
    for tap in range(-1, 3):
        distance = np.abs(place - (first + tap))
        near = ((a + 2.0) * distance - (a + 3.0)) * distance**2 + 1.0
        far = ((a * distance - 5.0 * a) * distance + 8.0 * a) * distance - 4.0 * a
        np.add.at(
            matrix, (np.arange(target), np.clip(first + tap, 0, source - 1)), np.where(distance <= 1.0, near, far)
        )
    return matrix


def antialiased_matrix(source: int, target: int) -> np.ndarray:
    """``[target, source]`` weights of torch's bicubic ``interpolate(antialias=True)``.

    Not the kernel of `bicubic_matrix`: a = -0.5 here, widened by the scale when shrinking, cut at the edges and
    renormalised, as PIL does.
    """
    a = -0.5
    scale = source / target
    widened = max(scale, 1.0)
    centre = scale * (np.arange(target) + 0.5)
    first = np.maximum((centre - 2.0 * widened + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + 2.0 * widened + 0.5).astype(np.int64), source)
    columns = np.arange(source)[None, :]
    distance = np.abs((columns - centre[:, None] + 0.5) / widened)
    near = ((a + 2.0) * distance - (a + 3.0)) * distance**2 + 1.0
    far = (((distance - 5.0) * distance + 8.0) * distance - 4.0) * a
    weights = np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))
    weights = np.where((columns >= first[:, None]) & (columns < last[:, None]), weights, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def stretch(
    table: Float[Array, "p d"], source: tuple[int, int], target: tuple[int, int], antialias: bool = False
) -> Tokens:
    """A table for ``source`` rows and columns, resampled for ``target``; in float32, as transformers does."""
    if source == target:
        return table
    matrix = antialiased_matrix if antialias else bicubic_matrix
    rows, columns = (jnp.asarray(matrix(s, t), jnp.float32) for s, t in zip(source, target))
    grid = rearrange(table.astype(jnp.float32), "(y x) d -> y x d", y=source[0])
    out = jnp.einsum("ay,bx,yxd->abd", rows, columns, grid, precision=jax.lax.Precision.HIGHEST)
    return rearrange(out, "y x d -> (y x) d").astype(table.dtype)


def sincos_table(rows: int, columns: int, width: int, extra: int) -> np.ndarray:
    """ViT-MAE's fixed table ``[extra + rows * columns, width]``, float32: ``[sin x, cos x, sin y, cos y]``.

    Raises:
        ValueError: if the width is not divisible by 4.
    """
    if width % 4:
        raise ValueError(f"sin-cos positions: expected a width divisible by 4, got {width}")
    omega = 1.0 / 10000.0 ** (np.arange(width // 4) / (width / 4))
    y, x = (g.reshape(-1, 1) * omega for g in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    table = np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], axis=1)
    return np.concatenate([np.zeros((extra, width)), table]).astype(np.float32)
