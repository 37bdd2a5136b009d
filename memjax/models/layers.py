"""The parts of a vision transformer, for one image: parameters, initialisation, forward.

Tokens are ``[t, d]``. Linear kernels are stored input first (``x @ kernel``), attention kernels keep the head axis:
query, key and value ``[d, h, k]``, output ``[h, k, d]``. The parameters' type is the compute type; norms and softmax
compute in float32.

Fields of parameter types are `Annotated` with their shape (``*l``: the stacked blocks) and not checked at run time: a
pytree of parameters may also hold shapes, gradients, labels or None.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import struct

from memjax.axes import Array, Float, Leaf, Tokens

Angles = Float[Array, "p k"]
Rotation = tuple[Angles, Angles] | None
Heads = Float[Array, "h t k"]
Sources = Float[Array, "h s k"]


@struct.dataclass
class Norm:
    scale: Annotated[Leaf, "*l d"]
    bias: Annotated[Leaf, "*l d"]


@struct.dataclass
class Linear:
    kernel: Annotated[Leaf, "*l i o"]
    bias: Annotated[Leaf, "*l o"]


@struct.dataclass
class HeadLinear:
    """A projection into heads (kernel ``[d, h, k]``, bias ``[h, k]``) or out of them (``[h, k, d]``, ``[d]``)."""

    kernel: Annotated[Leaf, "..."]
    bias: Annotated[Leaf, "..."]


@struct.dataclass
class SelfAttention:
    query: HeadLinear
    key: HeadLinear
    value: HeadLinear
    out: HeadLinear


@struct.dataclass
class Mlp:
    up: Linear
    gate: Linear | None
    down: Linear


def init_norm(width: int) -> Norm:
    return Norm(scale=jnp.ones(width, jnp.float32), bias=jnp.zeros(width, jnp.float32))


def init_linear(key: Array, inputs: int, outputs: int, bias: bool = True) -> Linear:
    """Xavier-uniform kernel, zero bias (as the ViT and MAE papers' code)."""
    kernel = jax.nn.initializers.xavier_uniform()(key, (inputs, outputs), jnp.float32)
    return Linear(kernel=kernel, bias=jnp.zeros(outputs, jnp.float32) if bias else None)


def init_attention(key: Array, width: int, heads: int, biases: tuple[bool, bool, bool, bool]) -> SelfAttention:
    """``biases``: for query, key, value and out."""
    keys = jax.random.split(key, 4)
    k = width // heads
    into = [
        HeadLinear(
            kernel=rearrange(init_linear(keys[i], width, width).kernel, "d (h k) -> d h k", h=heads),
            bias=jnp.zeros((heads, k), jnp.float32) if biases[i] else None,
        )
        for i in range(3)
    ]
    out = HeadLinear(
        kernel=rearrange(init_linear(keys[3], width, width).kernel, "(h k) d -> h k d", h=heads),
        bias=jnp.zeros(width, jnp.float32) if biases[3] else None,
    )
    return SelfAttention(*into, out)


def init_mlp(key: Array, width: int, mlp_width: int, gated: bool, bias: bool = True) -> Mlp:
    keys = jax.random.split(key, 3)
    return Mlp(
        up=init_linear(keys[0], width, mlp_width, bias),
        gate=init_linear(keys[1], width, mlp_width, bias) if gated else None,
        down=init_linear(keys[2], mlp_width, width, bias),
    )


def layer_norm(params: Norm, x: Float[Array, "... d"], eps: float) -> Float[Array, "... d"]:
    """Ba et al. 2016, with the biased variance, in float32; returned in the parameters' type."""
    wide = x.astype(jnp.float32)
    centred = wide - wide.mean(axis=-1, keepdims=True)
    variance = jnp.square(centred).mean(axis=-1, keepdims=True)
    normed = centred * jax.lax.rsqrt(variance + eps)
    scale, bias = (p.astype(jnp.float32).reshape((1,) * (x.ndim - 1) + (-1,)) for p in (params.scale, params.bias))
    return (normed * scale + bias).astype(params.scale.dtype)


def add_bias(x: Float[Array, "..."], bias: Float[Array, "..."] | None) -> Float[Array, "..."]:
    """``x + bias``, the bias standing on the last axes."""
    return x if bias is None else x + bias.reshape((1,) * (x.ndim - bias.ndim) + bias.shape)


def linear(params: Linear, x: Float[Array, "... i"]) -> Float[Array, "... o"]:
    return add_bias(x @ params.kernel, params.bias)


def activate(name: str, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``gelu`` is the exact one (erf), which is what transformers means by the word.

    It is spelt with erf in float32, as torch's is: `jax.nn.gelu` takes erfc, whose two branches cost a CPU more.
    """
    if name == "gelu":
        wide = x.astype(jnp.float32)
        return (0.5 * wide * (1.0 + jax.lax.erf(wide * 2**-0.5))).astype(x.dtype)
    if name == "gelu_tanh":
        return jax.nn.gelu(x, approximate=True)
    if name == "quick_gelu":
        return x * jax.nn.sigmoid(1.702 * x)
    if name == "silu":
        return jax.nn.silu(x)
    if name == "tanh":
        return jnp.tanh(x)
    raise ValueError(f"activation: expected gelu, gelu_tanh, quick_gelu, silu or tanh, got {name!r}")


def mlp_hidden(params: Mlp, x: Tokens, activation: str) -> Float[Array, "t m"]:
    """``act(up x)``, or with a gate ``act(gate x) * up x`` (Shazeer 2020)."""
    up = linear(params.up, x)
    return activate(activation, up) if params.gate is None else activate(activation, linear(params.gate, x)) * up


def mlp(params: Mlp, x: Tokens, activation: str) -> Tokens:
    """``down`` of `mlp_hidden`."""
    return linear(params.down, mlp_hidden(params, x, activation))


def into_heads(params: HeadLinear, x: Tokens) -> Float[Array, "h t k"]:
    out = jnp.einsum("td,dhk->htk", x, params.kernel)
    return out if params.bias is None else out + params.bias[:, None, :]


def project(
    params: SelfAttention, x: Float[Array, "s d"], rotation: Rotation = None, queries: Tokens | None = None
) -> tuple[Heads, Sources, Sources]:
    """Queries ``[h, t, k]``, keys and values ``[h, s, k]``, with rotary positions where there are any."""
    query = into_heads(params.query, x if queries is None else queries)
    key, value = into_heads(params.key, x), into_heads(params.value, x)
    if rotation is not None:
        query, key = rotate(query, rotation), rotate(key, rotation)
    return query, key, value


def out_of_heads(params: HeadLinear, mixed: Heads) -> Tokens:
    return add_bias(jnp.einsum("htk,hkd->td", mixed, params.kernel), params.bias)


def rotary(rows: int, columns: int, head_width: int, theta: float) -> tuple[Angles, Angles]:
    """DINOv3's axial rotary positions: cos and sin, ``[rows * columns, k]``.

    Patch centres run over (-1, 1) on each axis; angles are 2 pi (y, x) / theta^(4 i / k), each pair repeated twice.
    """
    y = 2.0 * (jnp.arange(rows, dtype=jnp.float32) + 0.5) / rows - 1.0
    x = 2.0 * (jnp.arange(columns, dtype=jnp.float32) + 0.5) / columns - 1.0
    inverse = 1.0 / theta ** jnp.arange(0.0, 1.0, 4.0 / head_width, dtype=jnp.float32)
    centres = rearrange(jnp.stack(jnp.meshgrid(y, x, indexing="ij")), "z y x -> (y x) z 1")
    angles = rearrange(2.0 * jnp.pi * centres * inverse[None, None, :], "p z k -> p (z k)")
    angles = jnp.tile(angles, (1, 2))
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: Float[Array, "h t k"], rotation: tuple[Angles, Angles]) -> Float[Array, "h t k"]:
    """Turn the last ``p`` tokens (the patches); those before them have no place in the image."""
    cos, sin = (r.astype(x.dtype)[None] for r in rotation)
    prefix, patches = x[:, : x.shape[1] - cos.shape[1]], x[:, x.shape[1] - cos.shape[1] :]
    first, second = jnp.split(patches, 2, axis=-1)
    turned = patches * cos + jnp.concatenate([-second, first], axis=-1) * sin
    return jnp.concatenate([prefix, turned], axis=1)
