"""ViT-B/16's forward pass as users of Flax write it: `flax.linen`, `MultiHeadDotProductAttention`, one module a block.

The peer of `compile_accelerators.py`: the standard program (Dosovitskiy et al. 2021), batched modules, a loop over blocks in
Python, no precision asked for. Its architecture is CLIP B/16's but for CLIP's norm before the first block.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding


class EncoderBlock(nn.Module):
    """Pre-norm attention and MLP."""

    width: int
    heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.LayerNorm(dtype=self.dtype)(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=self.heads, dtype=self.dtype, param_dtype=self.dtype)(y)
        y = nn.LayerNorm(dtype=self.dtype)(x)
        y = nn.gelu(nn.Dense(4 * self.width, dtype=self.dtype, param_dtype=self.dtype)(y))
        return x + nn.Dense(self.width, dtype=self.dtype, param_dtype=self.dtype)(y)


class VisionTransformer(nn.Module):
    """Images ``[b, y, x, 3]``, normalised, to tokens ``[b, t, d]``."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: int = 16
    dtype: Any = jnp.bfloat16

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        kwargs = {"dtype": self.dtype, "param_dtype": self.dtype}
        side = (self.patch, self.patch)
        x = nn.Conv(self.width, side, strides=side, padding="VALID", name="embedding", **kwargs)(images)
        x = x.reshape(x.shape[0], -1, self.width)
        cls = self.param("cls", nn.initializers.zeros, (1, 1, self.width), self.dtype)
        x = jnp.concatenate([jnp.tile(cls, (x.shape[0], 1, 1)), x], axis=1)
        x = x + self.param("position", nn.initializers.normal(0.02), (1, *x.shape[1:]), self.dtype)
        for _ in range(self.depth):
            x = EncoderBlock(self.width, self.heads, self.dtype)(x)
        return nn.LayerNorm(dtype=self.dtype)(x)


def lower(dtype: str, batch: int, device: jax.Device) -> jax.stages.Lowered:
    """The pass over grey levels ``[b, 224, 224, 3]``, ready for a chip's compiler; as `benchmarks.programs.lower`."""
    model, sharding = VisionTransformer(dtype=jnp.dtype(dtype)), SingleDeviceSharding(device)

    def run(params: Any, levels: jax.Array) -> jax.Array:
        return model.apply(params, (levels.astype(jnp.float32) / 127.5 - 1).astype(dtype))

    images = jax.ShapeDtypeStruct((batch, 224, 224, 3), np.uint8, sharding=sharding)
    params = jax.eval_shape(model.init, jax.random.key(0), images.update(dtype=jnp.dtype(dtype)))
    placed = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), params)
    return jax.jit(run).lower(placed, images)
